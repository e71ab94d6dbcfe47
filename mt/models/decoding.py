"""From sources to hypotheses: encoding, batches, generation, text."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np

from mt.config import DecodingConfig
from mt.length_batches import token_batches
from mt.models.mbr import choose, draw_samples
from mt.models.terminology import with_terms
from mt.models.translator import Batch, Translator
from mt.progress import Meter, ProgressMeter

logger = logging.getLogger(__name__)

# Sources too long for the model that the log names one by one.
_MAX_NAMED = 5


def translate(
    translator: Translator,
    sources: Sequence[str],
    config: DecodingConfig,
    progress: str | None = None,
    origins: Sequence[str] | None = None,
    meter: Meter | None = None,
) -> list[str]:
    """One hypothesis per source, in the order of the sources.

    Sentences of similar length are decoded together, longest first, `Translator.batch_tokens` padded source tokens at a
    time (divided by the beams or samples). progress: the name of the job, for its progress bar and in warnings; None:
    no bar. origins: the names of the sources in warnings about long ones, by default "sentence 1" and so on. meter: a
    bar that is there already, of a larger job, which is advanced instead.
    """
    encoded, limits = encode_within_limits(translator, sources, config, progress, origins)
    hypotheses = [""] * len(encoded)
    with _bar(progress, encoded) if progress and meter is None else nullcontext() as own:
        bar = meter or own
        max_tokens = max(1, translator.batch_tokens(config) // max(config.num_beams, config.mbr))
        batches = batch_by_length(encoded, list(map(translator.search_limit, limits)), max_tokens)
        inputs = (([encoded[i] for i in batch], [limits[i] for i in batch]) for batch in batches)
        for batch, texts in zip(batches, _texts(translator, inputs, config), strict=True):
            for index, hypothesis in zip(batch, texts, strict=True):
                hypotheses[index] = hypothesis
            if bar is not None:
                bar.advance(len(batch), sum(len(encoded[i]) for i in batch))
    return hypotheses


def _texts(translator: Translator, batches: Iterable[Batch], config: DecodingConfig) -> Iterator[list[str]]:
    """The hypotheses of each batch, in order."""
    if not config.mbr:
        yield from map(translator.decode, translator.generate_each(batches, config))
        return
    for sources, limits in batches:
        yield [choose(translator.decode(each)) for each in draw_samples(translator, sources, limits, config)]


def _bar(job: str, encoded: Sequence[list[int]]) -> ProgressMeter:
    # The longest come first, so the time left is estimated from tokens, not sentences.
    return ProgressMeter(job, len(encoded), work=sum(map(len, encoded)))


def batch_by_length(encoded: Sequence[list[int]], limits: Sequence[int], max_tokens: int) -> list[list[int]]:
    """The indices of the sources in batches, longest first: running out of memory shows at once.

    limits: only sources of the same one share a batch; see `Translator.search_limit`. Encoded lengths 3, 5, 3 with
    limits 16, 20, 16: [[1], [0, 2]].
    """
    groups: dict[int, list[int]] = {}
    for index, limit in enumerate(limits):
        groups.setdefault(limit, []).append(index)
    batches: list[list[int]] = []
    for limit in sorted(groups):
        lengths = np.array([(len(encoded[i]), len(encoded[i])) for i in groups[limit]]).reshape(-1, 2)
        batches += [[groups[limit][i] for i in batch] for batch in token_batches(lengths, max_tokens)]
    return batches[::-1]


def prepared(sources: Sequence[str], config: DecodingConfig) -> list[str]:
    """The sources with inline terms and the domain's tag in front, where `config` has them."""
    with_their_terms = with_terms(sources, config.terminology)
    return [f"{config.tag} {source}" for source in with_their_terms] if config.tag else with_their_terms


def encode_within_limits(
    translator: Translator,
    sources: Sequence[str],
    config: DecodingConfig,
    progress: str | None = None,
    origins: Sequence[str] | None = None,
) -> tuple[list[list[int]], list[int]]:
    """(token ids of each source, cut to the model's positions; the maximum length of each hypothesis in tokens).

    The log says how many sources were cut and, for a job with a name (`progress`), which ones, by their `origins`.
    """
    encoded = translator.encode_sources(prepared(sources, config))
    if progress is None:
        _count_too_long(translator, encoded)
    else:
        _name_too_long(translator, encoded, progress, origins)
    encoded = [translator.within_limit(ids) for ids in encoded]
    return encoded, [math.ceil(translator.text_tokens(ids) * config.max_length_ratio) + 10 for ids in encoded]


def _count_too_long(translator: Translator, encoded: list[list[int]]) -> None:
    limit = translator.max_tokens
    too_long = sum(len(ids) > limit for ids in encoded)
    if too_long:
        logger.warning(
            "%s longer than the model's limit of %d tokens and cut: split long sources into sentences",
            *("1 source is" if too_long == 1 else f"{too_long} sources are", limit),
        )


def _name_too_long(translator: Translator, encoded: list[list[int]], job: str, origins: Sequence[str] | None) -> None:
    limit = translator.max_tokens
    too_long = [index for index, ids in enumerate(encoded) if len(ids) > limit]
    for index in too_long[:_MAX_NAMED]:
        source = f"sentence {index + 1}" if origins is None else origins[index]
        logger.warning(
            "%s: %s has %d tokens and is cut to the %d that the model can read; split it into sentences",
            *(job, source, len(encoded[index]), limit),
        )
    if len(too_long) > _MAX_NAMED:
        logger.warning("%s: %d more are cut, too", job, len(too_long) - _MAX_NAMED)
