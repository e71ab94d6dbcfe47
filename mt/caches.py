"""Where what can be made again is kept."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path


def cache_directory(name: str) -> Path:
    """The directory `name` for what can be made again; the user may delete it at any time.

    On Linux it is in `$XDG_CACHE_HOME/mt`, by default `~/.cache/mt`. A relative XDG_CACHE_HOME is ignored, as its
    specification asks: it would mean another directory wherever the command is run.
    """
    return user_cache_path("mt", appauthor=False) / name
