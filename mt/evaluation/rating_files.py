"""Reads and checks ratings files, which a review page exports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mt.data.formats.corrections import FIRST_RATINGS_FORMAT, RATINGS_FORMAT
from mt.errors import DataError
from mt.input_files import read_small
from mt.wording import shorten

Choice = Literal["left", "right", "both_good", "both_bad"]

_CHOICES = ("left", "right", "both_good", "both_bad")
_FIELDS = {"sentence": int, "left": str, "right": str, "choice": str, "comment": str, "saw_reference": bool}
_IN_WORDS = {int: "whole number", str: "text", bool: "boolean"}
_MAX_BYTES = 4 << 20
_MAX_NAME = 500
_EXPORT_AGAIN = "export it again from the review page"


@dataclass(frozen=True)
class Item:
    """One rating as the page exports it: translations as hashes, without systems."""

    sentence: int
    left: str
    right: str
    choice: Choice
    comment: str
    saw_reference: bool


@dataclass(frozen=True)
class RatingsFile:
    """The ratings that one reviewer exported from one page."""

    path: Path
    reviewer: str
    test_set: str
    page: str
    items: list[Item]


def read_ratings_file(path: Path) -> RatingsFile:
    """The content of a file, checked as far as possible without the translations. Raises `DataError`."""
    text = read_small(path, "ratings file", _MAX_BYTES)
    try:
        content = json.loads(text)
        # Lone surrogates and deep nesting can be read, but neither written nor shown.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else shorten(str(error), 200)
        raise DataError(f"{path}: not JSON ({reason}); {_EXPORT_AGAIN}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found not in (RATINGS_FORMAT, FIRST_RATINGS_FORMAT):
        raise DataError(
            f"{path}: expected format {RATINGS_FORMAT}, found {shorten(json.dumps(found))}; {_EXPORT_AGAIN}"
        )
    texts = [content.get(key) for key in ("reviewer", "test_set", "page")]
    items = content.get("items")
    if not all(isinstance(text, str) for text in texts) or not isinstance(items, list):
        raise DataError(f"{path}: lacks reviewer, test_set, page or items; {_EXPORT_AGAIN}")
    reviewer, test_set, page = texts
    if max(map(len, (reviewer, test_set, page))) > _MAX_NAME:
        raise DataError(f"{path}: reviewer, test_set or page is longer than {_MAX_NAME} characters; {_EXPORT_AGAIN}")
    if not reviewer.strip():
        raise DataError(f'{path}: no reviewer; write a name into the file, as in "reviewer": "Noor"')
    # A sentence may have a reviewer's translation and no rating.
    ratings = [_item(path, n, x) for n, x in enumerate(items, 1) if not _is_translation_alone(x)]
    if not ratings:
        raise DataError(f"{path}: contains no ratings; leave it out")
    file = RatingsFile(path, reviewer.strip(), test_set, page, ratings)
    _check_sentences(file)
    return file


def _is_translation_alone(value: Any) -> bool:
    return isinstance(value, dict) and value.get("choice", "") is None and isinstance(value.get("correction"), dict)


def _item(path: Path, number: int, value: Any) -> Item:
    for name, kind in _FIELDS.items():
        # type() instead of isinstance(), for which JSON's true is an int.
        if not isinstance(value, dict) or type(value.get(name)) is not kind:
            raise DataError(f"{path}: item {number}: `{name}` is missing or not a {_IN_WORDS[kind]}; {_EXPORT_AGAIN}")
    if value["choice"] not in _CHOICES:
        choice = shorten(value["choice"])
        raise DataError(
            f"{path}: item {number}: choice `{choice}` is not one of {', '.join(_CHOICES)}; {_EXPORT_AGAIN}"
        )
    return Item(**{name: value[name] for name in _FIELDS})


def _check_sentences(file: RatingsFile) -> None:
    sentence, times = Counter(item.sentence for item in file.items).most_common(1)[0]
    if times > 1:
        raise DataError(f"{file.path}: sentence {sentence} is rated {times} times; {_EXPORT_AGAIN}")


def check_test_set(file: RatingsFile, names: Collection[str]) -> None:
    """Raise `DataError` for ratings of a test set that is not in `names`."""
    if file.test_set not in names:
        raise DataError(
            f"{file.path}: ratings of test set `{file.test_set}`, but there is only {', '.join(names)}; "
            "evaluate the test set under the name it had in the review"
        )


def check_reviewers(files: Iterable[RatingsFile]) -> None:
    """Raise `DataError` for two files of one reviewer and one page, which would count the same ratings twice."""
    first: dict[tuple[str, str], Path] = {}
    for file in files:
        key = (file.page, file.reviewer)
        if key in first:
            raise DataError(
                f"{first[key]} and {file.path}: both are {file.reviewer}'s ratings of the same page; leave one out, "
                "or, if two people share the name, change it in one of them"
            )
        first[key] = file.path
