"""Defines the base of all mappings in the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from exporter.config.problems import kind
from exporter.config.syntax import refused


class SettingsModel(BaseModel):
    """A mapping of the configuration. An empty one, as in `polling:` without keys, has the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, value: object) -> object:
        if value is None:
            return {}
        if isinstance(value, dict | cls):
            return value
        raise refused(f"is {kind(value)}, not a mapping", f"the keys {', '.join(cls.key_names())}")

    @classmethod
    def key_names(cls) -> list[str]:
        """Return the names of the keys in a file."""
        # A key that is not an identifier, such as a header, has an alias.
        return [field.alias or name for name, field in cls.model_fields.items()]
