"""Corpora in, `Pair`s out. A reader streams, keeps each pair's place, and names file, line and remedy when it fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.lines import COMPRESSED, uncompressed_name
from mt.data.formats.moses import read_moses, target_file
from mt.data.formats.pairs import read_pairs
from mt.data.formats.records import read_hf, read_jsonl
from mt.data.formats.tables import read_csv, read_tsv
from mt.data.formats.terms import read_terms
from mt.data.formats.xml import read_tmx, read_xliff
from mt.data.pair import Pair
from mt.errors import DataError
from mt.files import printable
from mt.reading import fault_in_directory, fault_of_file, is_directory, is_file

_READERS: dict[str, Callable[[Path, CorpusConfig], Iterator[Pair]]] = {
    "pairs": read_pairs,
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "moses": read_moses,
    "tmx": read_tmx,
    "xliff": read_xliff,
    "hf": read_hf,
    "glossary": read_terms,
}
_ENDINGS = {
    ".txt": "pairs",
    ".pairs": "pairs",
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".en": "moses",
    ".tmx": "tmx",
    ".xlf": "xliff",
    ".xliff": "xliff",
}


def read_corpus(name: str, options: CorpusConfig) -> Iterator[Pair]:
    """Stream the pairs of a corpus, raw, in file order.

    Raises `DataError` for a file that is missing, is not what its format says, or holds no pair at all.
    """
    check_corpus(name, options)
    path = Path(options.path)
    is_empty = True
    for pair in _READERS[format_of(options)](path, options):
        is_empty = False
        yield pair._replace(corpus=name)
    if is_empty:
        raise DataError(f"{path}: no sentence pairs in the file; expected one pair a line")


def check_corpus(name: str, options: CorpusConfig) -> None:
    """Raise `DataError` unless the corpus's files are there and its format is known; cheap, before slow work."""
    path = Path(options.path)
    kind = format_of(options)
    if kind == "hf":
        _check_data_set(name, path)
        return
    fault = fault_of_file(path)
    if fault is not None:
        raise DataError(
            f"{printable(path)}: corpus `{name}` {fault}; check its path (seen from {printable(Path.cwd())})"
        )
    if kind == "moses":
        target_file(path, options)


def _check_data_set(name: str, path: Path) -> None:
    if is_directory(path):
        fault = fault_in_directory(path)
        if fault is not None:
            raise DataError(f"{path}: corpus `{name}`: {fault}; move it out of the directory")
    elif not re.fullmatch(r"[\w.-]{1,96}(/[\w.-]{1,96})?", str(path)):
        raise DataError(
            f"{printable(path)}: corpus `{name}` is neither a directory nor a name on the hub; check its path"
        )


def input_files(options: CorpusConfig) -> list[Path]:
    """The files that a corpus is read from; none for a data set on the hub."""
    path = Path(options.path)
    if is_directory(path):
        return sorted(file for file in path.rglob("*") if is_file(file))
    return [file for file in (path, Path(options.target_path or _target_of(options))) if is_file(file)]


def _target_of(options: CorpusConfig) -> str:
    return str(target_file(Path(options.path), options)) if format_of(options) == "moses" else ""


def format_of(options: CorpusConfig) -> str:
    """The stated format, or that of the file's name. Raises `DataError` for a name that says nothing."""
    if options.format != "auto":
        return options.format
    path = Path(options.path)
    if is_directory(path) and any(is_file(path / name) for name in ("dataset_dict.json", "state.json")):
        return "hf"
    ending = Path(uncompressed_name(path)).suffix
    if ending.lower() not in _ENDINGS and not is_directory(path):
        known = ", ".join(_READERS)
        raise DataError(
            f"{printable(path)}: no known format for the ending `{ending[:20]}`; "
            f"set the corpus's `format` to one of {known}"
        )
    return _ENDINGS.get(ending.lower(), "pairs")


def is_compressed(path: Path) -> bool:
    """Whether the file's size says little about the size of its text."""
    return path.suffix in COMPRESSED
