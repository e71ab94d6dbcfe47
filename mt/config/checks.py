"""Values that cannot work are refused with the key's name."""

from __future__ import annotations

from collections.abc import Iterable

from mt.errors import ConfigError


def require(claim: bool, key: str, must: str, value: object) -> None:
    """Raise `ConfigError` unless `claim` holds: "KEY must MUST, got VALUE"."""
    if not claim:
        raise ConfigError(f"{key} must {must}, got {value!r}")


def require_positive(section: str, options: object, names: Iterable[str]) -> None:
    """The options of these names are None or greater than 0."""
    for name in names:
        value = getattr(options, name)
        if value is not None:
            require(value > 0, f"{section}.{name}", "be greater than 0", value)


def require_share(key: str, value: float) -> None:
    """`value` is at least 0 and below 1."""
    require(0 <= value < 1, key, "be at least 0 and below 1", value)
