"""Test that keys with equal label names stay distinct, and keep their names whatever the jobs are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as text_families

from exporter.exposition.family import Pairs
from exporter.exposition.labels import KeyNames, label_names
from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.polling.api import Calls
from exporter.polling.health import Health
from exporter.training.active import ActiveCounts
from exporter.training.families import JobContext
from exporter.training.job import TrainingJob
from tests.displays import Showing
from tests.ledger.books import START, TARGET, job, ledger

openmetrics_families: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families
CREATED = "sagemaker_training_jobs_created"
JOB_LABELS = ("sagemaker_training_job_tags", "sagemaker_training_job_hyperparameters")
SHOWN = {f"{CREATED}_total", "sagemaker_training_job_duration_seconds", *JOB_LABELS}
# Keys that become equal after sanitizing, and letters that no label name can have.
KEYS = st.text("aAbB_- .日本1", min_size=1, max_size=4)
SLOW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["Team", "team"], {"Team": "team_conflict1", "team": "team_conflict2"}),
        (
            ["cost-center", "CostCenter"],
            {"CostCenter": "cost_center_conflict1", "cost-center": "cost_center_conflict2"},
        ),
        (["部門", "日本"], {"日本": "___conflict1", "部門": "___conflict2"}),
        (["team", "project"], {"team": "team", "project": "project"}),
        (["*"], {}),
    ],
)
def test_keys_of_the_configuration_have_names_of_their_own(keys: list[str], names: dict[str, str]) -> None:
    assert KeyNames.of(keys).names == names


@given(st.sets(KEYS, max_size=6), st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order(keys: set[str], chance: random.Random) -> None:
    shuffled = sorted(keys)
    chance.shuffle(shuffled)
    assert label_names(shuffled) == label_names(keys)


@given(st.sets(KEYS, max_size=5), st.text("xyz", min_size=1, max_size=3))
def test_an_unrelated_key_renames_no_other(keys: set[str], more: str) -> None:
    assert label_names(keys).items() <= label_names({*keys, more}).items()


@given(st.sets(KEYS, max_size=5), st.sets(KEYS, max_size=5))
def test_keys_of_an_earlier_configuration_take_no_name_of_this_one(now: set[str], earlier: set[str]) -> None:
    names = KeyNames.of(now).extended(earlier).names
    assert KeyNames.of(now).names.items() <= names.items()
    assert len(set(names.values())) == len(names) == len(now | earlier)


def board(books: Ledger, *by_tags: str, tags: tuple[str, ...] = (), hyperparameters: tuple[str, ...] = ()) -> Showing:
    """Return a board with only the families that these tests read, because parsing takes time."""
    context = JobContext(KeyNames.of(tags), KeyNames.of(hyperparameters))
    one = Showing(books, SHOWN.__contains__, started=START, context=context, by_tags=by_tags)
    one.target(TARGET, ActiveCounts({}, {}), Health("a target", Calls(), lambda: START), 0)
    return one


async def samples(one: Showing, openmetrics: bool = False) -> list[tuple[str, dict[str, str], float]]:
    """Return every sample without empty labels, which Prometheus treats as missing."""
    text = b"".join([piece async for piece in one.metrics(openmetrics, gzip=False)]).decode()
    families = openmetrics_families(text) if openmetrics else text_families(text)
    return [(s.name, {k: v for k, v in s.labels.items() if v}, s.value) for f in families for s in f.samples]


async def created(one: Showing) -> dict[frozenset[tuple[str, str]], float]:
    """Return the created jobs by the labels of their tags."""
    return {
        frozenset((k, v) for k, v in labels.items() if k.startswith("tag_")): value
        for name, labels, value in await samples(one)
        if name == f"{CREATED}_total"
    }


def tagged(*tags: Pairs) -> list[Reading]:
    return [Reading.of(job(f"job-{n}", cost_tags=pairs), settled=True) for n, pairs in enumerate(tags)]


async def test_no_job_is_lost_where_two_tag_keys_become_one_label() -> None:
    async with ledger() as books:
        await books.apply(tagged(*([(("Team", "a"),)] * 5), (("team", "a"),), (("Team", "a"), ("team", "b"))))
        for by_tags in (("Team", "team"), ("team", "Team")):
            assert await created(board(books, *by_tags)) == {
                frozenset({("tag_team_conflict1", "a")}): 5,
                frozenset({("tag_team_conflict2", "a")}): 1,
                frozenset({("tag_team_conflict1", "a"), ("tag_team_conflict2", "b")}): 1,
            }


async def test_a_new_key_does_not_take_over_what_was_counted_by_an_old_one(tmp_path: Path) -> None:
    async with ledger(tmp_path / "state.db") as books:
        await books.apply(tagged(*([(("Team", "a"),)] * 5)))
    async with ledger(tmp_path / "state.db") as books:
        await books.apply([Reading.of(job("new", cost_tags=(("team", "a"),)), settled=True)])
        assert await created(board(books, "team")) == {
            frozenset({("tag_team", "a")}): 1,
            frozenset({("tag_team_conflict1", "a")}): 5,
        }
        # Without another that wants it, an old key keeps its name.
        assert frozenset({("tag_team", "a")}) in await created(board(books, "Team"))


async def test_tags_in_another_order_are_the_same_labels_and_one_sum() -> None:
    async with ledger() as books:
        one, other = (("team", "a"), ("project", "x")), (("project", "x"), ("team", "a"))
        await books.apply(tagged(one, one, other))
        assert await created(board(books, "project", "team")) == {
            frozenset({("tag_team", "a"), ("tag_project", "x")}): 3
        }


async def test_keys_that_come_to_the_state_file_later_have_names_of_their_own_too() -> None:
    async with ledger() as books:
        one = board(books, "team")
        await books.apply(tagged((("Team", "a"),), (("team", "a"),)))
        one.target(TARGET, ActiveCounts({}, {}), Health("a target", Calls(), lambda: START), 0)
        assert len(await created(one)) == 2


async def test_a_tag_has_the_same_label_in_every_job() -> None:
    def labels(shown: list[tuple[str, dict[str, str], float]], name: str) -> dict[str, set[str]]:
        return {
            s[1]["job_name"]: set(s[1]) - {"aws_account_id", "aws_region", "job_name"} for s in shown if s[0] == name
        }

    jobs = {
        "both": (("Team", "a"), ("team", "b")),
        "one": (("Team", "a"),),
        "other": (("team", "b"),),
    }
    async with ledger() as books:
        named, everything = (
            board(books, tags=("Team", "team"), hyperparameters=("Team", "team")),
            board(books, tags=("*",)),
        )
        for name, pairs in jobs.items():
            for one in (named, everything):
                one.job(
                    TrainingJob(account="1", region="r", name=name, status="Failed", tags=pairs, hyperparameters=pairs)
                )
        shown = await samples(named)
        for prefix, family in (("tag", "tags"), ("hyperparameter", "hyperparameters")):
            assert labels(shown, f"sagemaker_training_job_{family}") == {
                "both": {f"{prefix}_team_conflict1", f"{prefix}_team_conflict2"},
                "one": {f"{prefix}_team_conflict1"},
                "other": {f"{prefix}_team_conflict2"},
            }
        # The keys are known only per job: those of one job get distinct names.
        assert labels(await samples(everything), "sagemaker_training_job_tags") == {
            "both": {"tag_team_conflict1", "tag_team_conflict2"},
            "one": {"tag_team"},
            "other": {"tag_team"},
        }


@SLOW
@given(
    st.lists(KEYS, unique=True, max_size=3),
    st.lists(st.dictionaries(KEYS, st.sampled_from(["a", "b", 'a"\n\\'])), max_size=8),
    st.booleans(),
)
async def test_whatever_the_state_file_has_no_two_samples_have_the_same_labels(
    by_tags: list[str], tags: list[dict[str, str]], openmetrics: bool
) -> None:
    async with ledger() as books:
        await books.apply(tagged(*(tuple(pairs.items()) for pairs in tags)))
        shown = await samples(board(books, *by_tags), openmetrics)
    seen = Counter((name, frozenset(labels.items())) for name, labels, _ in shown)
    assert set(seen.values()) == {1}
    assert sum(value for name, _, value in shown if name == f"{CREATED}_total") == len(tags)
