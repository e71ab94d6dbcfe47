"""Checks of option values, which raise `ConfigError` with the name of the key."""

from __future__ import annotations

from collections.abc import Iterable

from mt.errors import ConfigError, RunError
from mt.files import check_distinct, check_name


def require(claim: bool, key: str, must: str, value: object) -> None:
    """Raise `ConfigError` unless `claim` holds: "KEY must MUST, got VALUE"."""
    if not claim:
        raise ConfigError(f"{key} must {must}, got {value!r}")


def require_positive(section: str, options: object, names: Iterable[str]) -> None:
    """Raise `ConfigError` unless each of these options is None or greater than 0."""
    for name in names:
        value = getattr(options, name)
        if value is not None:
            require(value > 0, f"{section}.{name}", "be greater than 0", value)


def require_share(key: str, value: float) -> None:
    """Raise `ConfigError` unless `value` is at least 0 and below 1."""
    require(0 <= value < 1, key, "be at least 0 and below 1", value)


def require_names(key: str, names: Iterable[str]) -> None:
    """Raise `ConfigError` unless each of `names` can name a file, and no two of them the same file."""
    known = list(names)
    try:
        for name in known:
            check_name(name, f"{key}: the name")
        check_distinct(known, f"{key}: the names")
    except RunError as error:
        raise ConfigError(str(error)) from error


def require_at_most(key: str, value: float | None, limit: float) -> None:
    """Raise `ConfigError` unless `value` is None or at most `limit`; anything above it can only be a typo."""
    require(value is None or value <= limit, key, f"be at most {limit}", value)
