"""Models converted for CTranslate2 so that they translate faster: kept by their content, and checked before use.

A conversion is trusted for a search (beams and so on) once both engines have decoded a few sentences by it and agreed.
What was found is kept beside the conversion, also that a model cannot be converted, so that nobody tries again.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from mt.caches import cache_directory
from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError, RunError
from mt.evaluation.metrics import chrf
from mt.evaluation.searches import search_as_json
from mt.files import find_damage, new_directory, remove, sha256_of_json, write_checksums, write_json
from mt.models.ctranslate2_model import CTranslate2Translator, load_ctranslate2
from mt.models.decoding import translate
from mt.models.identity import model_identity
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.models.translator import Translator

logger = logging.getLogger(__name__)

Precision = Literal["float32", "int8"]
SAMPLE = 16
"""Sentences that both engines decode before a conversion is trusted."""
MIN_SAME = 15
"""How many of them must be the same; of all sentences about 99 in 100 are."""
MIN_INT8_CHRF = 50.0
"""Lowest chrF between the sample's translations in float32 and in int8; what broke in conversion is far below."""
MAX_BYTES = 10 * 2**30
"""What all kept conversions may take on the disk; the ones that were not used for longest are removed first."""

# To be raised by whoever changes what a conversion or its check comes out as.
_FORMAT = 1
# One that was used within this time may be about to be loaded.
_IN_USE_SECONDS = 3600.0


def conversions_root() -> Path:
    """Where conversions are kept; it may be deleted at any time."""
    return cache_directory("conversions")


class Conversion:
    """One model, in two languages, converted for CTranslate2, and what is known about it."""

    def __init__(self, model: ModelConfig, precision: Precision = "float32") -> None:
        """Raises `OSError` or `ModelError` if the model's files or its commit cannot be determined."""
        self.model, self.precision = model, precision
        facts = {
            "format": _FORMAT,
            "model": model_identity(model.name, model.revision),
            "languages": [model.source_language, model.target_language],
            "precision": precision,
            "libraries": {name: version(name) for name in ("ctranslate2", "transformers")},
        }
        self.directory = conversions_root() / sha256_of_json(facts)[:32]

    def fault(self, decoding: DecodingConfig) -> str:
        """Why it was found unfit for this search, as a clause; empty if it was not, or not yet."""
        return str(self._known(decoding).get("fault", ""))

    def open(self, decoding: DecodingConfig, sources: Sequence[str]) -> CTranslate2Translator:
        """The converted model: made unless it is there and intact, and checked on some of `sources` unless it was.

        Raises `ModelError` if the model cannot be converted or translates differently, `RunError` if the conversion
        cannot be written.
        """
        if self.fault(decoding):
            raise ModelError(f"{self.model.name}: {self.fault(decoding)}")
        damage = find_damage(self.directory, ("model.bin",)) if self.directory.is_dir() else "it is missing"
        if damage is not None and self.directory.is_dir():
            logger.warning("%s: the kept conversion is damaged (%s); converting again", self.directory, damage)
        if damage is None and self._known(decoding):
            # Of a cache that may only be read nothing is removed either.
            with suppress(OSError):
                os.utime(self.directory)
            return self._load()
        original, sample = load_translator(self.model, decoding), pick_sample(sources)
        # Before the conversion, which may change the weights in place.
        expected = _one_by_one(original, sample, decoding)
        try:
            if damage is not None:
                self._make(original)
            converted = self._load()
            found = _one_by_one(converted, sample, decoding)
        except ModelError as error:
            self._note(decoding, {"fault": str(error).removeprefix(f"{self.model.name}: ")})
            raise
        fault = self._compare(found, expected)
        # What few sentences have shown is not kept, good or bad: it was no check for others.
        if len(sample) == SAMPLE:
            same = sum(ours == theirs for ours, theirs in zip(found, expected, strict=True))
            self._note(decoding, {"fault": fault} if fault else {"same": same})
        if fault:
            raise ModelError(f"{self.model.name}: {fault}")
        return converted

    def _compare(self, found: Sequence[str], expected: Sequence[str]) -> str:
        """What is wrong with the conversion's translations of the sample, as a clause; empty if nothing is."""
        different = sum(ours != theirs for ours, theirs in zip(found, expected, strict=True))
        if self.precision == "int8":
            # chrF of one empty text against another is 0.
            agreement = chrf(found, expected) if different else 100.0
            if agreement >= MIN_INT8_CHRF:
                return ""
            return (
                f"in int8 it translates differently; chrF between the two is {agreement:.1f}, below {MIN_INT8_CHRF:g}"
            )
        is_good = different <= (SAMPLE - MIN_SAME if len(found) == SAMPLE else 0)
        return "" if is_good else f"CTranslate2 translates {different} of {len(found)} sentences differently"

    def _make(self, original: TransformersTranslator) -> None:
        # Not at the top: it imports the package's converters, which take a second.
        from mt.models.ctranslate2_export import convert

        logger.info("%s: converting it for CTranslate2, once, into %s", self.model.name, self.directory)
        try:
            with new_directory(self.directory, replace_if=self._is_damaged) as work:
                convert(original, work, self.precision)
                write_checksums(work)
        except OSError as error:
            raise RunError(
                f"{conversions_root()}: the conversion cannot be written ({error.strerror or error}): free space there "
                "or set XDG_CACHE_HOME to another directory"
            ) from error
        prune(keep=self.directory)

    def _is_damaged(self) -> bool:
        # Another process may have made the same conversion in the meantime, and may be reading it.
        return find_damage(self.directory, ("model.bin",)) is not None

    def _load(self) -> CTranslate2Translator:
        converted = load_ctranslate2(self.model.with_name(str(self.directory)))
        converted.name = self.model.name
        return converted

    def _record(self, decoding: DecodingConfig) -> Path:
        search = search_as_json(decoding.without_domain())
        return self.directory.with_name(f"{self.directory.name}-{sha256_of_json(search)[:16]}.json")

    def _known(self, decoding: DecodingConfig) -> dict[str, Any]:
        with suppress(OSError, ValueError, RecursionError):
            known = json.loads(self._record(decoding).read_text(encoding="utf-8"))
            if isinstance(known, dict) and ("fault" in known or "same" in known):
                return known
        return {}

    def _note(self, decoding: DecodingConfig, found: dict[str, Any]) -> None:
        with suppress(OSError, RunError):
            write_json(self._record(decoding), found, make_parents=True)


def pick_sample(sources: Sequence[str]) -> list[str]:
    """`SAMPLE` of the sources, of all lengths, the shortest first; all of them if they are fewer."""
    by_length = sorted(sources, key=len)
    count = min(SAMPLE, len(by_length))
    return [by_length[(2 * number + 1) * len(by_length) // (2 * count)] for number in range(count)]


def _one_by_one(translator: Translator, sources: Sequence[str], decoding: DecodingConfig) -> list[str]:
    # In a batch of transformers' all sentences have the limit of the longest, which changes those that do not end.
    return [translate(translator, [source], decoding)[0] for source in sources]


def prune(keep: Path) -> None:
    """Remove conversions, the ones not used for longest first, until all of them take at most `MAX_BYTES`.

    `keep` stays, and so does what was used within the last hour.
    """
    found = [path for path in conversions_root().iterdir() if path.is_dir() and not path.name.startswith(".")]
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in found}
    total = sum(sizes.values())
    for path in sorted(found, key=lambda each: each.stat().st_mtime):
        if total <= MAX_BYTES:
            return
        if path != keep and path.stat().st_mtime < time.time() - _IN_USE_SECONDS:
            logger.info("%s: removed, so that kept conversions take at most %d GiB", path, MAX_BYTES // 2**30)
            with suppress(OSError):
                remove(path)
                total -= sizes[path]
