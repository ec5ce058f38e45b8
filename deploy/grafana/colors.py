"""Assign colors to meanings on all dashboards: yellow is waiting, blue and green work, orange and red trouble."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

GREEN, YELLOW, ORANGE, RED, GREY, BLUE = "green", "semi-dark-yellow", "orange", "red", "#8e8e8e", "blue"

STATUS: Mapping[str, str] = {
    "InProgress": BLUE,
    "Completed": GREEN,
    "Failed": RED,
    "Stopping": "super-light-orange",
    "Stopped": ORANGE,
    "Deleting": GREY,
}

PHASE: Mapping[str, str] = {
    "Pending": "light-yellow",
    "Starting": "semi-dark-yellow",
    "LaunchingMLInstances": "yellow",
    "PreparingTrainingStack": "dark-yellow",
    "Downloading": "light-blue",
    "DownloadingTrainingImage": "super-light-blue",
    "Training": "semi-dark-blue",
    "Uploading": "purple",
    "Interrupted": "dark-orange",
    "Restarting": "light-orange",
    "Updating": "light-purple",
    "Stopping": "super-light-orange",
    "Stopped": ORANGE,
    "MaxRuntimeExceeded": "dark-red",
    "MaxWaitTimeExceeded": "semi-dark-red",
    "Completed": GREEN,
    "Failed": RED,
}

WARM_POOL: Mapping[str, str] = {"Available": ORANGE, "InUse": BLUE, "Reused": GREEN, "Terminated": GREY}

FAILURE: Mapping[str, str] = {
    "AlgorithmError": RED,
    "ClientError": "semi-dark-orange",
    "InternalServerError": "purple",
    "CapacityError": "semi-dark-yellow",
    "Other": GREY,
}

RULE: Mapping[str, str] = {"NoIssuesFound": GREEN, "IssuesFound": ORANGE, "Error": RED, "InProgress": BLUE}

Override = Builder[models.DashboardFieldConfigSourceOverrides]


def override(field: str, settings: Mapping[str, object]) -> Override:
    """Return these settings for the field with this display name."""
    values = [models.DynamicConfigValue(id_val=name, value=value) for name, value in settings.items()]
    matched = models.MatcherConfig(id_val="byName", options=field)
    return builders.DashboardFieldConfigSourceOverrides().matcher(matched).properties(values)


def in_yuan() -> list[Override]:
    """The unit of series of a price list in CNY, whose names have the currency; the others are in dollars."""
    matched = models.MatcherConfig(id_val="byRegexp", options=".*CNY.*")
    unit = models.DynamicConfigValue(id_val="unit", value="currencyCNY")
    return [builders.DashboardFieldConfigSourceOverrides().matcher(matched).properties([unit])]


def by_name(colors: Mapping[str, str]) -> list[Override]:
    """Return a fixed color for each series of these names."""
    return [override(name, {"color": {"mode": "fixed", "fixedColor": color}}) for name, color in colors.items()]


def by_value(*colors: Mapping[str, str]) -> list[models.ValueMap]:
    """Return the colors of texts, for fields whose value is the text."""
    texts = {text: color for each in colors for text, color in each.items()}
    results = {
        text: models.ValueMappingResult(text=text, color=color, index=index)
        for index, (text, color) in enumerate(texts.items())
    }
    return [models.ValueMap(options=results)]


def words(texts: Mapping[str, str]) -> list[models.ValueMap]:
    """Return texts for numbers, in the colors of the thresholds."""
    return [models.ValueMap(options={number: models.ValueMappingResult(text=text) for number, text in texts.items()})]


def steps(first: str, *above: tuple[float, str]) -> builders.ThresholdsConfig:
    """Return thresholds: `first` is the color below all of them; each of the others applies from its value on."""
    all_ = [models.Threshold(None, first), *(models.Threshold(value, color) for value, color in above)]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(all_)
