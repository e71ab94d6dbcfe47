"""Minimum Bayes risk decoding: of many samples the one that is most like all others (Freitag et al., 2022)."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from mt.config import DecodingConfig

EPSILON = 0.02
"""Tokens that are less likely are never drawn (epsilon sampling; Hewitt et al., 2022)."""
_ORDERS = range(1, 7)
_BETA_SQUARED = 4


def draw_samples(
    translator: Any, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig
) -> list[list[list[int]]]:
    """`config.mbr` samples of each source as token ids, as `TransformersTranslator.generate` returns them.

    A source gets the same samples every time, whatever is beside it, because they are drawn source by source. On a CPU
    that takes no longer than in batches; a GPU would be faster with batches. The state of torch's random numbers is
    left as it was.
    """
    model = translator.model
    was_training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    # In float32: a distribution that has overflowed cannot be drawn from.
    with torch.random.fork_rng(devices), torch.inference_mode():
        found = [_draw(translator, ids, limit, config) for ids, limit in zip(sources, limits, strict=True)]
    model.train(was_training)
    return found


def _draw(translator: Any, ids: list[int], limit: int, config: DecodingConfig) -> list[list[int]]:
    torch.manual_seed(zlib.crc32(json.dumps(list(ids)).encode()))
    samples: list[list[int]] = translator.search(
        [ids],
        limit,
        do_sample=True,
        num_beams=1,
        early_stopping=False,
        length_penalty=None,
        top_k=0,
        epsilon_cutoff=EPSILON,
        num_return_sequences=config.mbr,
        no_repeat_ngram_size=config.no_repeat_ngram_size,
    )
    return samples


def choose(samples: Sequence[str]) -> str:
    """The sample whose mean chrF against all samples is the highest; of equals the first.

    A text that was drawn twice counts twice: it is likelier.
    """
    counts = [_ngrams(sample) for sample in samples]
    utilities = [sum(_chrf(hypothesis, reference) for reference in counts) for hypothesis in counts]
    return samples[max(range(len(samples)), key=lambda index: utilities[index])]


def _ngrams(text: str) -> list[Counter[str]]:
    """The character n-grams of each order, spaces left out, as chrF counts them."""
    letters = "".join(text.split())
    return [Counter(letters[i : i + order] for i in range(len(letters) - order + 1)) for order in _ORDERS]


def _chrf(hypothesis: list[Counter[str]], reference: list[Counter[str]]) -> float:
    """chrF2, 0 to 1, as sacreBLEU computes it for a sentence."""
    shares = [
        ((ours & theirs).total() / ours.total(), (ours & theirs).total() / theirs.total())
        for ours, theirs in zip(hypothesis, reference, strict=True)
        if ours and theirs
    ]
    if not shares:
        return 0.0
    precision, recall = (sum(values) / len(shares) for values in zip(*shares, strict=True))
    weighted = _BETA_SQUARED * precision + recall
    return (1 + _BETA_SQUARED) * precision * recall / weighted if weighted else 0.0
