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
from typing import Any, Final

from mt.caches import cache_directory
from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError, RunError
from mt.evaluation.searches import search_as_json
from mt.files import find_damage, new_directory, remove, sha256_of_json, write_checksums, write_json
from mt.models.ctranslate2_model import CTranslate2Translator, load_ctranslate2
from mt.models.decoding import translate
from mt.models.identity import model_identity
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.models.translator import Translator

logger = logging.getLogger(__name__)

PRECISION: Final = "float32"
SAMPLE = 16
"""Sentences that both engines decode before a conversion is trusted."""
MIN_SAME = 15
"""How many of them must be the same; of all sentences about 99 in 100 are."""
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

    def __init__(self, model: ModelConfig) -> None:
        """Raises `OSError` or `ModelError` if the model's files or its commit cannot be determined."""
        self.model = model
        facts = {
            "format": _FORMAT,
            "model": model_identity(model.name, model.revision),
            "languages": [model.source_language, model.target_language],
            "precision": PRECISION,
            "libraries": {name: version(name) for name in ("ctranslate2", "transformers")},
        }
        self.directory = conversions_root() / sha256_of_json(facts)[:32]

    def fault(self, decoding: DecodingConfig) -> str:
        """Why it was found unfit for this search, as a clause; empty if it was not, or not yet."""
        return str(self._known(decoding).get("fault", ""))

    def open(self, decoding: DecodingConfig, sources: Sequence[str]) -> CTranslate2Translator:
        """The converted model: made unless it is there and intact, and checked on some of `sources` unless it was.

        Raises `ModelError` if the model cannot be converted or translates differently, `OSError` and `RunError` if the
        conversion cannot be written.
        """
        if self.fault(decoding):
            raise ModelError(f"{self.model.name}: {self.fault(decoding)}")
        damage = find_damage(self.directory, ("model.bin",)) if self.directory.is_dir() else "it is missing"
        if damage is not None and self.directory.is_dir():
            logger.warning("%s: the kept conversion is damaged (%s); converting again", self.directory, damage)
        if damage is None and self._known(decoding):
            os.utime(self.directory)
            return self._load()
        original = load_translator(self.model, decoding)
        try:
            return self._make_and_check(original, decoding, pick_sample(sources), is_there=damage is None)
        except ModelError as error:
            self._note(decoding, {"fault": str(error).removeprefix(f"{self.model.name}: ")})
            raise

    def _make_and_check(
        self, original: TransformersTranslator, decoding: DecodingConfig, sample: Sequence[str], *, is_there: bool
    ) -> CTranslate2Translator:
        # Before the conversion, which may change the weights in place.
        expected = _one_by_one(original, sample, decoding)
        if not is_there:
            self._make(original)
        converted = self._load()
        pairs = zip(expected, _one_by_one(converted, sample, decoding), strict=True)
        different = sum(ours != theirs for ours, theirs in pairs)
        if different > (SAMPLE - MIN_SAME if len(sample) == SAMPLE else 0):
            raise ModelError(
                f"{self.model.name}: CTranslate2 translates {different} of {len(sample)} sentences differently"
            )
        # What few sentences have shown is not kept: it was no check for others.
        if len(sample) == SAMPLE:
            self._note(decoding, {"same": SAMPLE - different})
        return converted

    def _make(self, original: TransformersTranslator) -> None:
        # Not at the top: it imports the package's converters, which take a second.
        from mt.models.ctranslate2_export import convert

        logger.info("%s: converting it for CTranslate2, once, into %s", self.model.name, self.directory)
        with new_directory(self.directory, replace_if=self._is_damaged) as work:
            convert(original, work, PRECISION)
            write_checksums(work)
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
