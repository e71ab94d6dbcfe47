"""Hypotheses from a model."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np

from mt.config import DecodingConfig
from mt.length_batches import token_batches
from mt.models.terminology import with_terms
from mt.models.translator import Translator
from mt.progress import ProgressMeter

logger = logging.getLogger(__name__)

# Of the sources that are too long for a model.
_MAX_NAMED = 5


def translate(
    translator: Translator,
    sources: Sequence[str],
    config: DecodingConfig,
    progress: str | None = None,
    places: Sequence[str] | None = None,
) -> list[str]:
    """One hypothesis a source, in the order of the sources.

    Sentences of like length are decoded together, longest first, `config.batch_tokens` padded source tokens at a
    time. `progress` is what stderr calls the job while it says how far it has come; None: nothing is said.
    `places` are the names of the sources for what is said of a long one, by default "sentence 1" and so on.
    """
    encoded, limits = encode_within_limits(translator, sources, config, progress, places)
    lengths = np.array([(len(ids), len(ids)) for ids in encoded]).reshape(-1, 2)
    hypotheses = [""] * len(encoded)
    work = sum(map(len, encoded))
    with ProgressMeter(progress, len(encoded), work=work) if progress else nullcontext() as meter:
        for batch in reversed(token_batches(lengths, max(1, config.batch_tokens // config.num_beams))):
            found = translator.search([encoded[i] for i in batch], [limits[i] for i in batch], config)
            for index, hypothesis in zip(batch, translator.decode(found), strict=True):
                hypotheses[index] = hypothesis
            if meter is not None:
                meter.advance(len(batch), sum(len(encoded[i]) for i in batch))
    return hypotheses


def prepared(sources: Sequence[str], config: DecodingConfig) -> list[str]:
    """The sources with their terms, behind the domain's tag, as far as `config` has them."""
    with_their_terms = with_terms(sources, config.terminology)
    return [f"{config.tag} {source}" for source in with_their_terms] if config.tag else with_their_terms


def encode_within_limits(
    translator: Translator,
    sources: Sequence[str],
    config: DecodingConfig,
    progress: str | None = None,
    places: Sequence[str] | None = None,
) -> tuple[list[list[int]], list[int]]:
    """(token ids of each source, cut to the model's positions; the most tokens of each hypothesis).

    The log has which were cut, by their `places`, where the job has a name: `progress`; else how many.
    """
    encoded = translator.encode_sources(prepared(sources, config))
    if progress is None:
        _count_too_long(translator, encoded)
    else:
        _name_too_long(translator, encoded, progress, places)
    encoded = [_within(translator.max_tokens, ids) for ids in encoded]
    return encoded, [math.ceil(len(ids) * config.max_length_ratio) + 10 for ids in encoded]


def _count_too_long(translator: Translator, encoded: list[list[int]]) -> None:
    limit = translator.max_tokens
    too_long = sum(len(ids) > limit for ids in encoded)
    if too_long:
        logger.warning("%d sources are longer than the model's %d tokens and are cut: split them", too_long, limit)


def _name_too_long(translator: Translator, encoded: list[list[int]], job: str, places: Sequence[str] | None) -> None:
    limit = translator.max_tokens
    too_long = [index for index, ids in enumerate(encoded) if len(ids) > limit]
    for index in too_long[:_MAX_NAMED]:
        place = f"sentence {index + 1}" if places is None else places[index]
        logger.warning(
            "%s: %s has %d tokens and is cut to the %d that the model can read; split it into sentences",
            *(job, place, len(encoded[index]), limit),
        )
    if len(too_long) > _MAX_NAMED:
        logger.warning("%s: %d more are cut likewise", job, len(too_long) - _MAX_NAMED)


def _within(limit: int, ids: list[int]) -> list[int]:
    """Marian and M2M-100 have no positions beyond the limit; the end token must stay the last one."""
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]
