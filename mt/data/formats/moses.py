"""`moses`: two files, line n of one is the translation of line n of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.lines import read_lines, uncompressed_name
from mt.data.pair import Pair
from mt.errors import DataError
from mt.reading import fault_of_file


def target_file(path: Path, options: CorpusConfig) -> Path:
    """The Arabic file: `target_path`, or the English one's name with `.ar`. Raises `DataError` if it is not there."""
    if options.target_path is None and not uncompressed_name(path).endswith(".en"):
        raise DataError(f"{path}: its Arabic counterpart cannot be guessed; set the corpus's target_path")
    name = uncompressed_name(path).removesuffix(".en") + ".ar"
    if options.target_path is not None:
        candidates = [Path(options.target_path)]
    else:
        candidates = [path.with_name(name + ending) for ending in (path.suffix, "", ".gz", ".zst", ".xz")]
    found = next((candidate for candidate in candidates if fault_of_file(candidate) is None), None)
    if found is None:
        wanted = candidates[-1 if len(candidates) == 1 else 1]
        raise DataError(f"{path}: its Arabic counterpart {wanted} {fault_of_file(wanted)}")
    return found


def read_moses(path: Path, options: CorpusConfig) -> Iterator[Pair]:
    """Raises `DataError` for files of unequal length."""
    other = target_file(path, options)
    number = 0
    for source, target in zip_longest(read_lines(path), read_lines(other)):
        if source is None or target is None:
            shorter, longer = (path, other) if source is None else (other, path)
            rest = 1 + sum(1 for _ in read_lines(longer)) - (number + 1)
            raise DataError(
                f"{shorter}:{number + 1}: ends after {number} lines, {longer} has {number + rest}; "
                "from some line on the two do not belong together: fetch both again"
            )
        number = source[0]
        yield Pair(source[1], target[1], place=f"{path}:{number}")
