"""How systems are named on a command line: `SYSTEM` or `label=SYSTEM`; nothing here loads a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mt.errors import DataError
from mt.input_files import is_directory, is_file
from mt.models.model_files import check_model_name, shown
from mt.text.lines import COMPRESSED, uncompressed_name

_TEXT_SUFFIXES = frozenset({".txt", ".tsv", ".csv", ".ar", ".hyp", ".out", *COMPRESSED})


def split_label(argument: str) -> tuple[str, str]:
    """(label, path), the label empty if there is none; either may hold equals signs of its own."""
    places = [-1, *(place for place, character in enumerate(argument) if character == "=")]
    splits = [(argument[: max(0, place)], argument[place + 1 :]) for place in places]
    # Not `Path.exists`, which raises for a label as long as a sentence.
    there = [split for split in splits if os.path.exists(split[1])]  # noqa: PTH110
    return there[0] if there else splits[min(1, len(splits) - 1)]


def default_label(path: str) -> str:
    """The label of a system that was given none: the name of its file or directory."""
    if not os.path.isfile(path):  # noqa: PTH113
        return Path(path).name or path
    return Path(uncompressed_name(Path(path))).stem


def refuse_missing_file(path: str) -> None:
    """Raise `DataError` if `path` can only be a file, and there is none.

    Nothing of the kind is on the hub, and whoever is asked for it would learn the name.
    """
    looks_local = Path(path).suffix in _TEXT_SUFFIXES or (path.count("/") == 1 and is_directory(Path(path).parent))
    if looks_local and not os.path.isfile(path) and not is_directory(path):  # noqa: PTH113
        raise DataError(f"{shown(path)}: no such file or directory (seen from {Path.cwd()})")


def check_model_argument(name: str) -> None:
    """Raise `ModelError` for a MODEL that is neither a directory, nor a hub name by its form, nor included in `mt`."""
    if not is_directory(name):
        check_model_name(name)


def check_systems(arguments: Sequence[str]) -> None:
    """Raise `UserError` if a SYSTEM that can only be a file or a directory is not there."""
    for argument in arguments:
        path = split_label(argument)[1]
        refuse_missing_file(path)
        if not is_file(path) and not is_directory(path):
            check_model_name(path)
