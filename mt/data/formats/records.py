"""`jsonl` and `hf`: pairs in the fields of records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from mt.config import CorpusConfig
from mt.data.formats.columns import (
    SAMPLE_ROWS,
    document_name,
    key_of,
    listed,
    named_and_fitting,
    named_for,
    sides_by_content,
)
from mt.data.formats.documents import Parts
from mt.data.pair import Pair
from mt.errors import DataError
from mt.input_files import is_file
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair, Side
from mt.text.lines import MAX_LINE_BYTES, head_of, read_lines, uncompressed_name
from mt.wording import shorten

# No column name has more words than this, but a sentence has.
_MAX_WORDS_OF_KEY = 8

_Record = tuple[str, object, str]
"""(origin, content, document by the blank lines before it)."""


class _Keys(NamedTuple):
    """The keys that are read from a record."""

    source: str
    target: str
    document: str | None


def read_jsonl(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """One JSON object per line. Raises `DataError` for a line that is not an object or lacks a side."""
    parts = Parts(uncompressed_name(path), is_on=options.document_column is None)
    return parts.named(_pairs(_objects(path, parts), options, parts, languages))


def _objects(path: Path, parts: Parts) -> Iterator[_Record]:
    for number, line in read_lines(path):
        if not line.strip():
            parts.end()
            continue
        origin = f"{path}:{number}"
        try:
            yield origin, json.loads(line, object_pairs_hook=_without_duplicates), parts.document
        except (ValueError, RecursionError) as error:
            reason = (
                "nested too deeply" if isinstance(error, RecursionError) else getattr(error, "msg", "a number too long")
            )
            raise DataError(
                f"{origin}: not valid JSON ({reason}) in `{shorten(line)}`; write one object per line"
            ) from error


def _without_duplicates(fields: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(fields)
    if len(record) < len(fields):
        name = next(name for name, times in Counter(name for name, _ in fields).items() if times > 1)
        raise json.JSONDecodeError(f"the key `{shorten(name)}` occurs twice", "", 0)
    return record


def read_hf(path: Path, options: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> Iterator[Pair]:
    """A data set on the hub or in a directory, streamed. Raises `DataError` if it cannot be opened or read."""
    parts = Parts("", is_on=False)
    for pair in _pairs(_rows(options), options, parts, languages):
        _check_length(pair.origin, pair.source, pair.target)
        yield pair


def _rows(options: CorpusConfig) -> Iterator[_Record]:
    rows = open_hf(options)
    number = 0
    try:
        for number, record in enumerate(rows, start=1):
            yield f"{options.path}:row {number}", record, ""
    except DataError:
        raise
    except Exception as error:  # the library raises whatever the file format's reader does
        reason = shorten(str(error).strip().partition("\n")[0] or type(error).__name__, 200)
        raise DataError(f"{options.path}: cannot be read after row {number} ({reason}); fetch it again") from error


def _check_length(origin: str, *sides: str) -> None:
    """Refuse a row with a whole book in it, as `read_lines` refuses such a line of a file."""
    if max(map(len, sides)) > MAX_LINE_BYTES:
        raise DataError(
            f"{origin}: a text of more than {MAX_LINE_BYTES} characters, which is no sentence; leave it out"
        )


def open_hf(options: CorpusConfig) -> Any:
    """The records of a data set, as `datasets` streams them."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    directory = Path(options.path)
    try:
        if any(is_file(directory / name) for name in ("dataset_dict.json", "state.json")):
            saved = load_from_disk(str(directory))
            return saved[options.hf_split] if isinstance(saved, DatasetDict) else saved
        return load_dataset(
            options.path,
            options.hf_config,
            split=options.hf_split,
            revision=options.hf_revision,
            streaming=True,
            trust_remote_code=False,
        )
    except Exception as error:  # no network, no such name or split, a broken file: the user can mend them all
        reason = shorten(str(error).strip().partition("\n")[0] or type(error).__name__, 200)
        raise DataError(
            f"{options.path}: the data set cannot be opened ({reason}); check its name, hf_config, "
            f"hf_split `{options.hf_split}` and the network"
        ) from error


def _pairs(records: Iterator[_Record], options: CorpusConfig, parts: Parts, languages: LanguagePair) -> Iterator[Pair]:
    """One pair per record, from flat keys or from codes of languages inside `translation`. Raises `DataError`."""
    sample = head_of(records, SAMPLE_ROWS, lambda record: len(str(record[1])))
    shown = [_fields(record, origin) for origin, record, _ in sample if isinstance(record, Mapping)]
    keys: _Keys | None = None
    for origin, record, part in chain(sample, records):
        fields = _fields(record, origin)
        if keys is None or not {keys.source, keys.target} <= fields.keys():
            keys = _find_keys(fields, shown, options, origin, languages)
            parts.is_on &= keys.document is None
        document = part if keys.document is None else _document(fields.get(keys.document))
        source, target = _text(fields, keys.source, origin), _text(fields, keys.target, origin)
        yield Pair(source, target, origin, document)


def _fields(record: object, origin: str) -> Mapping[str, object]:
    if not isinstance(record, Mapping):
        raise DataError(f"{origin}: expected an object with a source and a target, found {type(record).__name__}")
    nested = record.get("translation")
    return {**record, **nested} if isinstance(nested, Mapping) else record


def _document(value: object) -> str:
    """The name of a document, which the record may have as a number."""
    return "" if value is None else str(value).strip()[:1000]


def _find_keys(
    fields: Mapping[str, object],
    sample: list[Mapping[str, object]],
    options: CorpusConfig,
    origin: str,
    languages: LanguagePair,
) -> _Keys:
    """The requested keys; otherwise those recognised by their names; otherwise by the letters in the sample."""
    if options.source_column is None or options.target_column is None:
        _refuse_sentences(fields, options, origin)
    source, target, document = (
        _asked_for(fields, wanted, option, origin)
        for option, wanted in (
            ("source_column", options.source_column),
            ("target_column", options.target_column),
            ("document_column", options.document_column),
        )
    )
    texts = [str(name) for name in fields if all(_is_text(record.get(name)) for record in sample)] or list(fields)
    # The names serve as a header.
    rows = [texts, *([str(record.get(name) or "") for name in texts] for record in sample)]
    source = source or _named("source", rows, fields, languages)
    target = target or _named("target", rows, fields, languages)
    if source is None or target is None:
        found = sides_by_content(rows, languages) if len(texts) > 1 else None
        source, target = (source, target) if found is None else (source or texts[found[0]], target or texts[found[1]])
    for name, usual, option in (
        (source, f"{languages.source.code}` or `source", "source_column"),
        (target, f"{languages.target.code}` or `target", "target_column"),
    ):
        if name is None:
            keys = listed(list(map(str, islice(fields, 20)))) or "none"
            raise DataError(
                f"{origin}: no key such as `{usual}`; the record's keys are: {keys}. Set the corpus's {option}"
            )
    usual_document = document_name([key_of(str(name)) for name in fields]) if document is None else None
    document = document if usual_document is None else list(fields)[usual_document]
    return _Keys(str(source), str(target), document)


def _refuse_sentences(fields: Mapping[str, object], options: CorpusConfig, origin: str) -> None:
    """Refuse sentences as keys: a table without a header, whose first row the library took for one."""
    sentence = next((str(name) for name in fields if len(str(name).split()) > _MAX_WORDS_OF_KEY), None)
    if sentence is not None:
        raise DataError(
            f"{origin}: `{shorten(sentence)}` is a sentence, not a column name: {options.path} has tables "
            "without a header. Set the corpus's `format` to tsv or csv, which finds the columns, or takes them by "
            "number: source_column 1 and target_column 2"
        )


def _asked_for(fields: Mapping[str, object], wanted: str | None, option: str, origin: str) -> str | None:
    if wanted is None:
        return None
    name = next((str(name) for name in fields if key_of(str(name)) == key_of(wanted)), None)
    if name is None:
        keys = listed(list(map(str, islice(fields, 20)))) or "none"
        raise DataError(f"{origin}: no key `{wanted}`; the record's keys are: {keys}. Set the corpus's {option}")
    return name


def _named(side: Side, rows: list[list[str]], fields: Mapping[str, object], languages: LanguagePair) -> str | None:
    """The key named for this side: preferably one with text (those in the first of `rows`), otherwise any."""
    texts, names = rows[0], list(map(str, fields))
    if named_for(side, texts, languages) is not None:
        position = named_and_fitting(side, rows, languages)
        return None if position is None else texts[position]
    position = named_for(side, names, languages)
    return None if position is None else names[position]


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _text(fields: Mapping[str, object], name: str, origin: str) -> str:
    value = fields[name]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{origin}: `{name}` is {type(value).__name__}, expected text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{origin}: `{name}` holds half a character (a lone surrogate); write it anew") from error
    if "\0" in value:
        raise DataError(f"{origin}: `{name}` holds a NUL character; the text is damaged: write it anew")
    return value
