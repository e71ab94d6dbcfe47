"""`moses`: two files, line n of one is the translation of line n of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from mt.config import CorpusConfig
from mt.data.formats.documents import Parts
from mt.data.pair import Pair
from mt.errors import DataError
from mt.input_files import fault_of_file
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import compression, read_lines, uncompressed_name
from mt.wording import counted


def target_file(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Path:
    """The file of the translations: `target_path`, or the other one's name with the target's code, as `.ar` for `.en`.

    Raises `DataError` if it is missing.
    """
    theirs = languages.target.name
    if options.target_path is None and not uncompressed_name(path).lower().endswith(f".{languages.source.code}"):
        raise DataError(f"{path}: its {theirs} counterpart cannot be guessed; set the corpus's target_path")
    candidates = _candidates(path, languages) if options.target_path is None else [Path(options.target_path)]
    found = next((candidate for candidate in candidates if fault_of_file(candidate) is None), None)
    if found is None:
        wanted = candidates[-1 if len(candidates) == 1 else 1]
        raise DataError(f"{path}: its {theirs} counterpart {wanted} {fault_of_file(wanted)}")
    return found


def _candidates(path: Path, languages: LanguagePair) -> list[Path]:
    plain, ending, other = uncompressed_name(path), f".{languages.source.code}", f".{languages.target.code}"
    name = plain[: -len(ending)] + (other.upper() if plain.endswith(ending.upper()) else other)
    return [path.with_name(name + ending) for ending in (path.suffix if compression(path) else "", *_PACKED)]


_PACKED = ("", ".gz", ".zst", ".xz")


def read_moses(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """Two blank lines, one in each file, end a document. Raises `DataError` for files of unequal length."""
    parts = Parts(uncompressed_name(path))
    return parts.named(_pairs(path, target_file(path, options, languages), parts))


def _pairs(path: Path, other: Path, parts: Parts) -> Iterator[Pair]:
    number = 0
    has_pairs = False
    # Lines that are blank on both sides, kept back until something follows them.
    blank: list[int] = []
    for source, target in zip_longest(read_lines(path), read_lines(other)):
        if source is None or target is None:
            if (source or target or (0, ""))[1].strip():
                raise DataError(_unequal(path, other, number, is_source_shorter=source is None))
            # An extra blank line at the end of one file is no pair.
            continue
        number = source[0]
        if not source[1].strip() and not target[1].strip():
            blank.append(number)
            continue
        if blank:
            yield from _blank_pairs(path, [] if parts.is_on and has_pairs else blank)
            parts.end()
            blank.clear()
        has_pairs = True
        yield Pair(source[1], target[1], f"{path}:{number}", parts.document)
    yield from _blank_pairs(path, blank)


def _blank_pairs(path: Path, numbers: list[int]) -> Iterator[Pair]:
    """Blank lines that separate no documents are pairs with two empty sides."""
    return (Pair("", "", f"{path}:{number}") for number in numbers)


def _unequal(path: Path, other: Path, number: int, *, is_source_shorter: bool) -> str:
    shorter, longer = (path, other) if is_source_shorter else (other, path)
    total = sum(1 for _ in read_lines(longer))
    return (
        f"{shorter}:{number + 1}: ends after {counted(number, 'line')}, {longer} has {total}; "
        "from some line on, the two do not match: fetch both again"
    )
