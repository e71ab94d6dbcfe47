"""Hypotheses from a model."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from mt.config import DecodingConfig
from mt.model import Translator
from mt.training.batching import token_batches

logger = logging.getLogger(__name__)


def translate(
    translator: Translator, sources: Sequence[str], config: DecodingConfig, progress: str | None = None
) -> list[str]:
    """One hypothesis a source, in the order of the sources.

    Sentences of like length are decoded together, longest first, `config.batch_tokens` padded source tokens at a
    time. `progress` labels a progress bar on stderr. The model is left in the mode, train or eval, it was in.
    """
    encoded = _within_positions(translator, translator.encode_sources(tagged(sources, config.tag)))
    lengths = np.array([(len(ids), len(ids)) for ids in encoded]).reshape(-1, 2)
    hypotheses = [""] * len(encoded)
    was_training = translator.model.training
    translator.model.eval()
    with tqdm(total=len(encoded), desc=progress, unit="sentence", disable=None if progress else True) as bar:
        for batch in reversed(token_batches(lengths, max(1, config.batch_tokens // config.num_beams))):
            for index, ids in zip(batch, _generate(translator, [encoded[i] for i in batch], config), strict=True):
                hypotheses[index] = ids
            bar.update(len(batch))
    translator.model.train(was_training)
    return hypotheses


def tagged(sources: Sequence[str], tag: str) -> list[str]:
    """The sources behind a domain's tag, if there is one."""
    return [f"{tag} {source}" for source in sources] if tag else list(sources)


def _generate(translator: Translator, sources: list[list[int]], config: DecodingConfig) -> list[str]:
    device = translator.model.device
    padding = translator.model.generation_config.pad_token_id
    rows = [torch.tensor(ids, device=device) for ids in sources]
    input_ids = pad_sequence(rows, batch_first=True, padding_value=padding)
    attention_mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    limits = [math.ceil(len(ids) * config.max_length_ratio) + 10 for ids in sources]
    with torch.inference_mode():
        output = translator.model.generate(
            input_ids=input_ids,
            attention_mask=attention_mask,
            max_length=min(max(limits), translator.max_tokens),
            num_beams=config.num_beams,
            early_stopping=config.num_beams > 1,
            length_penalty=config.length_penalty if config.num_beams > 1 else None,
        )
    # To its own limit each, not to the longest one's: what a sentence becomes must not depend on its neighbours.
    return translator.decode([row[:limit] for row, limit in zip(output.tolist(), limits, strict=True)])


def _within_positions(translator: Translator, encoded: list[list[int]]) -> list[list[int]]:
    limit = translator.max_tokens
    too_long = sum(len(ids) > limit for ids in encoded)
    if too_long:
        # Marian and M2M-100 have no positions beyond the limit; the end token must stay the last one.
        logger.warning("%d sources are longer than the model's %d tokens and are cut: split them", too_long, limit)
    return [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in encoded]
