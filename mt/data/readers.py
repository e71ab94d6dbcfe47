"""Corpora in, `Pair`s out. A reader streams, notes each pair's origin, and names file, line and remedy if it fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mt.config import CorpusConfig
from mt.config.formats import Format, is_backtranslated_table, is_bilingual_table
from mt.data.formats.backtranslated import read_backtranslated
from mt.data.formats.corrections import is_of_ratings, read_corrections
from mt.data.formats.documents import first_pairs
from mt.data.formats.moses import read_moses, target_file
from mt.data.formats.pairs import read_pairs
from mt.data.formats.records import read_hf, read_jsonl
from mt.data.formats.sheets import ENDINGS, read_workbook
from mt.data.formats.tables import read_csv, read_tsv
from mt.data.formats.terms import read_terms
from mt.data.formats.tmx import read_tmx
from mt.data.formats.xliff import read_xliff
from mt.data.pair import Pair
from mt.errors import DataError
from mt.files import printable
from mt.input_files import fault_in_directory, fault_of_file, is_directory, is_file
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.lines import compression, uncompressed_name

_READERS: dict[str, Callable[[Path, CorpusConfig, LanguagePair], Iterator[Pair]]] = {
    "pairs": read_pairs,
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "moses": read_moses,
    "tmx": read_tmx,
    "xliff": read_xliff,
    "xlsx": read_workbook,
    "hf": read_hf,
    "glossary": read_terms,
    "corrections": read_corrections,
    "backtranslated": read_backtranslated,
}
_ENDINGS: dict[str, Format] = {
    ".txt": "pairs",
    ".pairs": "pairs",
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tmx": "tmx",
    ".xlf": "xliff",
    ".xliff": "xliff",
    ".sdlxliff": "xliff",
    ".mqxliff": "xliff",
    ".mxliff": "xliff",
    **dict.fromkeys(ENDINGS, "xlsx"),
}
# Files in a corpus directory that are no corpora.
_NO_CORPUS = ("readme", "license", "licence", "copying", "changelog")


def read_corpus(name: str, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """Stream the raw pairs of a corpus in file order; for a directory, those of all its files, sorted by name.

    languages: the source and target language, by which columns, files and sides are told apart.

    Raises `DataError` for a file that is missing, is not in its format, or contains no pair.
    """
    check_corpus(name, options, languages)
    pairs = chain.from_iterable(read_file(file, languages) for file in corpus_files(options, languages))
    first = next(pairs, None)
    if first is None:
        raise DataError(f"{options.path}: no sentence pairs in the file; expected one pair per line")
    yield first
    yield from pairs


class CorpusFile(NamedTuple):
    """A file of a corpus, or a data set of the library `datasets`; it can be read without the others."""

    options: CorpusConfig
    """Those of the corpus, with the path of this file."""
    name: str = ""
    """In a directory: the file's name there."""
    is_one_of_several: bool = False


def corpus_files(options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> list[CorpusFile]:
    """What a corpus is read from, in this order; its pairs are those of `read_file` for one after the other."""
    if not is_folder(options, languages):
        return [CorpusFile(options)]
    root, files = Path(options.path), files_of(options, languages)
    return [CorpusFile(file, file.path.removeprefix(f"{root}/"), len(files) > 1) for file in files]


def read_file(file: CorpusFile, languages: LanguagePair) -> Iterator[Pair]:
    """Stream the raw pairs of one file of a corpus. Raises `DataError`."""
    options, name, is_one_of_several = file
    pairs = _READERS[format_of(options, languages)](Path(options.path), options, languages)
    if not name:
        yield from pairs
        return
    head = first_pairs(pairs)
    following = next(pairs, None)
    # A file with more pairs is a corpus, not a document, and so is a single file.
    default = name if following is None and is_one_of_several else ""
    for pair in chain(head, [] if following is None else [following], pairs):
        yield pair._replace(document=_document(name, pair.document) if pair.document else default)


def _document(file: str, document: str) -> str:
    """A name for the document that is unique across files."""
    parent, _, plain = file.rpartition("/")
    own = uncompressed_name(Path(plain))
    return f"{parent}/{document}".lstrip("/") if document.startswith(f"{own}:part ") else f"{file}:{document}"


def is_folder(options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> bool:
    """Whether the corpus is a directory of files, and not one of the library `datasets`."""
    return is_directory(options.path) and format_of(options, languages) != "hf"


def files_of(options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> list[CorpusConfig]:
    """One corpus for each corpus file of a directory, sorted by path.

    With a stated format: the files whose names end like that format or, if there are none, all files. Without one: the
    files of any known format. A target file in the format `moses` belongs to the source file of the same name.
    """
    root = Path(options.path)
    files = [file for file in sorted(root.rglob("*")) if not is_directory(file) and _may_be_corpus(file, root)]
    if options.target_path is not None and is_directory(options.target_path):
        return [_with_target(options, file, root, languages) for file in files]
    kinds = [_format_of_name(file, languages) for file in files]
    if options.format != "auto":
        stated = [file for file, kind in zip(files, kinds, strict=True) if kind == options.format]
        stated += [file for file in files if options.format == "corrections" and is_of_ratings(file)]
        stated = stated or files
        return [replace(options, path=str(file)) for file in stated]
    return [replace(options, path=str(file), format=kind) for file, kind in zip(files, kinds, strict=True) if kind]


def _with_target(options: CorpusConfig, file: Path, root: Path, languages: LanguagePair) -> CorpusConfig:
    """The file together with its counterpart in the directory of the target files."""
    same_name, ending = Path(options.target_path or "", file.relative_to(root)), f".{languages.source.code}"
    other = same_name.with_name(f"{file.name.removesuffix(ending)}.{languages.target.code}")
    target = other if file.name.endswith(ending) and not is_file(same_name) else same_name
    return replace(options, path=str(file), target_path=str(target), format="moses")


def _may_be_corpus(file: Path, root: Path) -> bool:
    is_hidden = any(part.startswith((".", "~$", "__")) for part in file.relative_to(root).parts)
    return not is_hidden and not file.name.lower().startswith(_NO_CORPUS)


def _format_of_name(path: Path, languages: LanguagePair) -> Format | None:
    if is_bilingual_table(path.name):
        return "corrections"
    if is_backtranslated_table(path.name):
        return "backtranslated"
    ending = Path(uncompressed_name(path)).suffix.lower()
    return "moses" if ending == f".{languages.source.code}" else _ENDINGS.get(ending)


def check_corpus(name: str, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> None:
    """Raise `DataError` unless the corpus's files exist and its format is known. Cheap, for use before slow work."""
    path = Path(options.path)
    kind = format_of(options, languages)
    if kind == "hf":
        _check_data_set(name, path)
        return
    if is_directory(path):
        _check_directory(name, options, languages)
        return
    fault = fault_of_file(path)
    if fault is not None:
        raise DataError(
            f"{printable(path)}: corpus `{name}` {fault}; check its path (seen from {printable(Path.cwd())})"
        )
    if kind == "moses":
        target_file(path, options, languages)


def _check_data_set(name: str, path: Path) -> None:
    if is_directory(path):
        fault = fault_in_directory(path)
        if fault is not None:
            raise DataError(f"{path}: corpus `{name}`: {fault}; move it out of the directory")
    elif not re.fullmatch(r"[\w.-]{1,96}(/[\w.-]{1,96})?", str(path)):
        raise DataError(
            f"{printable(path)}: corpus `{name}` is neither a directory nor a name on the hub; check its path"
        )


def _check_directory(name: str, options: CorpusConfig, languages: LanguagePair) -> None:
    files = files_of(options, languages)
    ours, theirs = languages.source, languages.target
    if not files:
        known = ", ".join(sorted([*_ENDINGS, f".{ours.code}"]))
        raise DataError(
            f"{printable(Path(options.path))}: is a directory, not a file, and no file in it has the ending of a known "
            f"format ({known}); set the corpus's `format`, to hf for a data set of that library"
        )
    for file in files:
        if file.is_backtranslated and not options.is_backtranslated:
            raise DataError(
                f"{printable(file.path)}: corpus `{name}`: back-translations among other pairs could get into the test "
                f"split; move the file elsewhere, and name it as a corpus of its own"
            )
        if file.is_corrections and options.own_split is None:
            raise DataError(
                f"{printable(Path(options.path))}: corpus `{name}` holds corrections, such as {Path(file.path).name}, "
                "which are for training only; set its `format` to corrections, which reads nothing else in it, or its "
                "`split` to train"
            )
        check_corpus(name, file, languages)
    sources = {target_file(Path(file.path), file, languages) for file in files if file.format == "moses"}
    for path in sorted(Path(options.path).rglob("*")):
        plain = uncompressed_name(path).lower()
        if (
            options.format in ("auto", "moses")
            and plain.endswith(f".{theirs.code}")
            and path not in sources
            and is_file(path)
        ):
            raise DataError(
                f"{printable(path)}: corpus `{name}`: its {ours.name} counterpart, of the same name "
                f"with .{ours.code}, is not there"
            )


def input_files(options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> list[Path]:
    """The files of a corpus; none for a data set on the hub."""
    path = Path(options.path)
    if is_folder(options, languages):
        return [file for one in files_of(options, languages) for file in input_files(one, languages)]
    if is_directory(path):
        return sorted(file for file in path.rglob("*") if is_file(file))
    return [file for file in (path, Path(options.target_path or _target_of(options, languages))) if is_file(file)]


def _target_of(options: CorpusConfig, languages: LanguagePair) -> str:
    is_moses = format_of(options, languages) == "moses"
    return str(target_file(Path(options.path), options, languages)) if is_moses else ""


def format_of(options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> str:
    """The stated format, or the one that the file's name shows; `auto` for a directory of files.

    Raises `DataError` for a name with an unknown ending.
    """
    if options.format != "auto":
        return options.format
    path = Path(options.path)
    if is_directory(path):
        is_saved = any(is_file(path / name) for name in ("dataset_dict.json", "state.json"))
        return "hf" if is_saved else "auto"
    kind = _format_of_name(path, languages)
    if kind is None:
        ending = Path(uncompressed_name(path)).suffix
        raise DataError(
            f"{printable(path)}: no known format for the ending `{ending[:20]}`; set the corpus's `format` to one of "
            f"{', '.join(_READERS)}, or save it as one of them, as CSV UTF-8"
        )
    return kind


def is_compressed(path: Path) -> bool:
    """Whether the file is compressed, so that its size says little about the size of its text."""
    return bool(compression(path))
