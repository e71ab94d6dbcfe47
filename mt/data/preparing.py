"""Pairs are normalised, checked and fingerprinted here, on as many processes as there are cores."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

from mt.config import CleaningConfig
from mt.config.data import Tatweel
from mt.cores import usable_cores
from mt.data.cleaning import find_fault
from mt.data.fingerprints import Fingerprints, fingerprint
from mt.data.mojibake import repair
from mt.data.pair import Pair, Rejection
from mt.data.place_names import count_place_names
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair, Side
from mt.text.keyboards import fold_keyboard_letters, is_arabic_from_other_keyboard
from mt.text.languages import has_glossary, mends
from mt.text.normalise import normalise, remove_diacritics, western_digits

MOJIBAKE, KEYBOARD_LETTERS = "mojibake", "Persian keyboard"
"""What can be repaired in a pair, by its name in the report of the data."""

_CHUNK_PAIRS = 2000
# 2000 pairs of a hundred words have a million characters; 2000 of a megabyte each would fill the memory.
_CHUNK_CHARACTERS = 4_000_000
# Chunks per worker that wait to be processed or written; more would only take memory.
_CHUNKS_AHEAD_PER_WORKER = 3
_MAX_WORKERS = 8


class Preparation(NamedTuple):
    """What is done to a chunk; sent to the workers."""

    cleaning: dict[int, CleaningConfig | None]
    """The rules by corpus; None: reject only pairs with an empty side."""
    split_key: str
    remove_diacritics: bool
    western_digits: bool
    tatweel: Tatweel = "spelling"
    repair_mojibake: bool = True
    fold_keyboard_letters: bool = True
    languages: LanguagePair = ENGLISH_TO_ARABIC

    def normaliser(self, side: Side = "source") -> Callable[[str], str]:
        """The function that normalises a side. Sources never keep joiners, for they are translated without."""
        joiners = side == "target" and self.languages.target.writes_joiners
        steps: list[Callable[[str], str]] = [partial(normalise, tatweel=self.tatweel, joiners=joiners)]
        steps += [remove_diacritics] if self.remove_diacritics else []
        steps += [western_digits] if self.western_digits else []

        def clean(text: str) -> str:
            for step in steps:
                text = step(text)
            return text

        return clean


class Prepared(NamedTuple):
    """A chunk of pairs, normalised and checked."""

    kept: list[Pair]
    rejected: list[Pair]
    """Each with the `fault` that a rule, or the file itself, found."""
    fingerprints: Fingerprints
    """Of `kept`, in the same order."""
    read: Counter[int]
    """Pairs read, by corpus."""
    place_names: Counter[tuple[int, str]]
    """Kept pairs that name a place, by corpus and place."""
    mended: Counter[tuple[int, str]]
    """Kept pairs whose text was repaired, by corpus and what was wrong with them."""


def prepare(chunk: Sequence[Pair], preparation: Preparation) -> Prepared:
    """Normalise, check and fingerprint a chunk of pairs."""
    clean, clean_target = preparation.normaliser(), preparation.normaliser("target")
    kept: list[Pair] = []
    rejected: list[Pair] = []
    mended: Counter[tuple[int, str]] = Counter()
    for pair in chunk:
        decoded = _decoded(pair, preparation.languages) if preparation.repair_mojibake else pair
        source, target, raw = clean(decoded.source), clean_target(decoded.target), decoded.target.strip()
        source, target, is_folded = _with_arabic_letters(source, target, preparation)
        fault = pair.fault or _fault(source, target, preparation.cleaning[pair.corpus], preparation.languages)
        if fault is not None:
            rejected.append(pair._replace(source=source, target=target, fault=fault))
            continue
        kept.append(pair._replace(source=source, target=target, reference=None if raw == target else raw))
        mended.update([(pair.corpus, KEYBOARD_LETTERS)] if is_folded else [])
        mended.update([(pair.corpus, MOJIBAKE)] if decoded is not pair else [])
    prints = fingerprint([pair.source for pair in kept], [pair.target for pair in kept], preparation.split_key)
    read = Counter(pair.corpus for pair in chunk)
    places = count_place_names(kept) if has_glossary(preparation.languages) else Counter()
    return Prepared(kept, rejected, prints, read, places, mended)


def _with_arabic_letters(source: str, target: str, preparation: Preparation) -> tuple[str, str, bool]:
    """(source, target, whether letters of another keyboard were replaced) of a pair of which a side may be Arabic."""
    languages = preparation.languages
    if not preparation.fold_keyboard_letters:
        return source, target, False
    if mends(languages.target, "keyboard letters") and is_arabic_from_other_keyboard(target):
        return source, fold_keyboard_letters(target), True
    if mends(languages.source, "keyboard letters") and is_arabic_from_other_keyboard(source):
        return fold_keyboard_letters(source), target, True
    return source, target, False


def _decoded(pair: Pair, languages: LanguagePair) -> Pair:
    """The pair as it was before it was decoded wrongly; the pair itself if it was not, or if that is not certain."""
    has_arabic = any(mends(language, "mojibake") for language in (languages.source, languages.target))
    source, target = (repair(text, has_arabic=has_arabic) for text in (pair.source, pair.target))
    if source is None and target is None:
        return pair
    return pair._replace(source=source or pair.source, target=target or pair.target)


def _fault(source: str, target: str, cleaning: CleaningConfig | None, languages: LanguagePair) -> Rejection | None:
    if not source or not target:
        return Rejection("empty side", "no source" if not source else "no target")
    return None if cleaning is None else find_fault(source, target, cleaning, languages)


def prepare_all(pairs: Iterable[Pair], preparation: Preparation, workers: int) -> Iterator[Prepared]:
    """`prepare` chunk by chunk, in order; the result does not depend on the number of processes."""
    chunks = chunked(pairs)
    if workers == 1:
        yield from (prepare(chunk, preparation) for chunk in chunks)
        return
    # Spawned, not forked: the caller may have started threads, torch's for instance.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        waiting: deque[Future[Prepared]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(prepare, chunk, preparation))
                if len(waiting) >= workers * _CHUNKS_AHEAD_PER_WORKER:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when its parent is killed: otherwise it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def chunked(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """The pairs, some at a time: as many as are cleaned in less than a second."""
    chunk: list[Pair] = []
    characters = 0
    for pair in pairs:
        chunk.append(pair)
        characters += len(pair.source) + len(pair.target)
        if len(chunk) == _CHUNK_PAIRS or characters > _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def usable_workers() -> int:
    """Processes that this machine can use: one per core, at most 8, because more would not help."""
    return min(usable_cores(), _MAX_WORKERS)
