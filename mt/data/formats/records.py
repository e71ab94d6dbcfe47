"""`jsonl` and `hf`: pairs in the fields of records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mt.config import CorpusConfig
from mt.data.formats.lines import MAX_LINE_BYTES, read_lines, shorten
from mt.data.formats.tables import SOURCE_NAMES, TARGET_NAMES
from mt.data.pair import Pair
from mt.errors import DataError
from mt.reading import is_file


def read_jsonl(path: Path, options: CorpusConfig) -> Iterator[Pair]:
    """A JSON object a line. Raises `DataError` for a line that is none, or lacks a side."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            record = json.loads(line, object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError) as error:
            reason = (
                "nested too deep" if isinstance(error, RecursionError) else getattr(error, "msg", "a number too long")
            )
            raise DataError(
                f"{place}: not valid JSON ({reason}) in `{shorten(line)}`; write one object a line"
            ) from error
        yield Pair(*pair_of(record, place, options), place=place)


def _without_duplicates(fields: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(fields)
    if len(record) < len(fields):
        name = next(name for name, times in Counter(name for name, _ in fields).items() if times > 1)
        raise json.JSONDecodeError(f"the key `{shorten(name)}` occurs twice", "", 0)
    return record


def read_hf(path: Path, options: CorpusConfig) -> Iterator[Pair]:
    """A data set on the hub or in a directory, streamed. Raises `DataError` if it cannot be had."""
    rows = open_hf(options)
    number = 0
    try:
        for number, record in enumerate(rows, start=1):
            place = f"{options.path}:row {number}"
            source, target = pair_of(record, place, options)
            _check_length(place, source, target)
            yield Pair(source, target, place=place)
    except DataError:
        raise
    except Exception as error:  # the library raises whatever the file format's reader does
        reason = shorten(str(error).strip().partition("\n")[0] or type(error).__name__, 200)
        raise DataError(f"{options.path}: cannot be read behind row {number} ({reason}); fetch it again") from error


def _check_length(place: str, *sides: str) -> None:
    """A row of a table of other people's may hold a whole book, as a line of a file may not."""
    if max(map(len, sides)) > MAX_LINE_BYTES:
        raise DataError(f"{place}: a text of more than {MAX_LINE_BYTES} characters, which is no sentence; leave it out")


def open_hf(options: CorpusConfig) -> Any:
    """The records of a data set, as they are streamed by `datasets`."""
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
    except Exception as error:  # no network, no such name, no such split, a broken file: all of it the user's to mend
        reason = shorten(str(error).strip().partition("\n")[0] or type(error).__name__, 200)
        raise DataError(
            f"{options.path}: the data set cannot be opened ({reason}); check its name, hf_config, "
            f"hf_split `{options.hf_split}` and the network"
        ) from error


def pair_of(record: object, place: str, options: CorpusConfig) -> tuple[str, str]:
    """(source, target) of a record: flat keys, or `en` and `ar` inside `translation`. Raises `DataError`."""
    if not isinstance(record, Mapping):
        raise DataError(f"{place}: expected an object with a source and a target, found {type(record).__name__}")
    nested = record.get("translation")
    fields = {**record, **nested} if isinstance(nested, Mapping) else record
    source = _text(fields, options.source_column, SOURCE_NAMES, "source_column", place)
    target = _text(fields, options.target_column, TARGET_NAMES, "target_column", place)
    return source, target


def _text(fields: Mapping[str, object], wanted: str | None, usual: tuple[str, ...], option: str, place: str) -> str:
    names = {str(name).casefold(): name for name in fields}
    name = next((names[key] for key in ([wanted.casefold()] if wanted else usual) if key in names), None)
    if name is None:
        missing = f"key `{wanted}`" if wanted else f"key such as `{usual[1]}` or `{usual[3]}`"
        keys = shorten(", ".join(map(shorten, map(str, islice(fields, 20)))), 200) or "none"
        raise DataError(f"{place}: no {missing}; the record's keys are: {keys}. Set the corpus's {option}")
    value = fields[name]
    if value is not None and not isinstance(value, str):
        raise DataError(f"{place}: `{name}` is {type(value).__name__}, expected text")
    try:
        (value or "").encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: `{name}` holds half a character (a lone surrogate); write it anew") from error
    if value and "\0" in value:
        raise DataError(f"{place}: `{name}` holds a NUL character; the text is damaged: write it anew")
    return value or ""
