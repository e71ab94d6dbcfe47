"""Minimum Bayes risk decoding: of many samples the one that is most like all others (Freitag et al., 2022)."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from mt.config import DecodingConfig
from mt.models.gpu_decoding import fast_decoding

EPSILON = 0.02
"""Tokens that are less likely are never drawn (epsilon sampling; Hewitt et al., 2022)."""
_ORDERS = range(1, 7)
_BETA_SQUARED = 4


def draw_samples(
    translator: Any, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig
) -> list[list[list[int]]]:
    """`config.mbr` samples of each source as token ids, as `TransformersTranslator.generate` returns them.

    The same batch gets the same samples every time; the state of torch's random numbers is left as it was.
    """
    model, prefix = translator.model, len(translator.decoder_prefix)
    rows = [torch.tensor(ids, device=model.device) for ids in sources]
    was_training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), fast_decoding(model), torch.inference_mode():
        torch.manual_seed(zlib.crc32(json.dumps([list(ids) for ids in sources]).encode()))
        output = model.generate(
            input_ids=pad_sequence(rows, batch_first=True, padding_value=model.generation_config.pad_token_id),
            attention_mask=pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            max_length=min(max(limits), translator.max_tokens),
            do_sample=True,
            num_beams=1,
            early_stopping=False,
            length_penalty=None,
            top_k=0,
            epsilon_cutoff=EPSILON,
            num_return_sequences=config.mbr,
            no_repeat_ngram_size=config.no_repeat_ngram_size,
        )
    model.train(was_training)
    found = [row[prefix:] for row in output.tolist()]
    return [
        [row[: limit - prefix] for row in found[index * config.mbr : (index + 1) * config.mbr]]
        for index, limit in enumerate(limits)
    ]


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
