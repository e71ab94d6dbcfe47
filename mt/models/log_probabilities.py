"""How probable a model finds given translations: the mean log-probability per token, by one forward pass.

The translations need not be the model's own, and which engine made them does not matter: they are text that is encoded
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mt.config import DecodingConfig
from mt.length_batches import token_batches
from mt.models.ctranslate2_model import CTranslate2Translator
from mt.models.decoding import prepared
from mt.models.families import family_of_model
from mt.models.model_files import library_errors
from mt.models.transformers_model import TransformersTranslator
from mt.models.translator import Translator

BATCH_TOKENS = 4096
"""Padded tokens of a batch, counted on the longer side."""

_LOGITS_BYTES = 2**28  # most bytes of logits at once: 4,096 tokens by NLLB's 256,206 entries would be 4.2 GB
_Ids = Sequence[list[int]]


def mean_log_probabilities(
    translator: Translator,
    sources: Sequence[str],
    hypotheses: Sequence[str],
    decoding: DecodingConfig,
    *,
    batch_tokens: int = BATCH_TOKENS,
) -> list[float]:
    """The mean natural logarithm of the probability of a hypothesis's tokens, for each; 0 is certain.

    The end token counts, the token of the language, which no model chooses, does not. decoding: only tag and terms
    matter, which are put into the sources as they are for translating. A source or hypothesis longer than the model's
    positions is cut. The model stays in the mode, training or evaluation, that it was in. Raises `ValueError` if
    sources and hypotheses differ in number.
    """
    if len(sources) != len(hypotheses):
        raise ValueError(f"{len(sources)} sources and {len(hypotheses)} hypotheses")
    encoded = [translator.within_limit(ids) for ids in translator.encode_sources(prepared(sources, decoding))]
    targets = [ids[: translator.max_tokens] for ids in translator.encode_targets(list(hypotheses))]
    if isinstance(translator, CTranslate2Translator):
        return _by_ctranslate2(translator, encoded, targets, batch_tokens)
    assert isinstance(translator, TransformersTranslator)
    is_joined = family_of_model(translator.model).is_prompted
    lengths = np.array([(len(s), len(t)) for s, t in zip(encoded, targets, strict=True)]).reshape(-1, 2)
    means = [0.0] * len(encoded)
    was_training = translator.model.training
    translator.model.eval()
    # The longest come first: running out of memory shows at once.
    for batch in token_batches(lengths, batch_tokens, is_joined=is_joined)[::-1]:
        found = _of_batch(translator, [encoded[i] for i in batch], [targets[i] for i in batch])
        for index, mean in zip(batch, found, strict=True):
            means[index] = mean
    translator.model.train(was_training)
    return means


def counted_tokens(translator: Translator, hypotheses: Sequence[str]) -> list[int]:
    """Over how many tokens `mean_log_probabilities` takes the mean of each hypothesis."""
    languages = _language_ids(translator)
    targets = translator.encode_targets(list(hypotheses))
    return [sum(index not in languages for index in ids[: translator.max_tokens]) for ids in targets]


def _language_ids(translator: Translator) -> set[int | None]:
    return {translator.languages.forced_bos_token_id, translator.languages.decoder_start_token_id}


def _of_batch(translator: TransformersTranslator, sources: _Ids, targets: _Ids) -> list[float]:
    """The means of one batch; if a GPU's memory is too small for it, of its halves."""
    try:
        return _at_once(translator, sources, targets)
    except torch.OutOfMemoryError:
        if len(sources) == 1:
            raise
    # Not in the handler: the error would keep the memory.
    torch.cuda.empty_cache()
    half = len(sources) // 2
    parts = (slice(half), slice(half, None))
    return [mean for part in parts for mean in _of_batch(translator, sources[part], targets[part])]


@torch.inference_mode()
def _at_once(translator: TransformersTranslator, sources: _Ids, targets: _Ids) -> list[float]:
    model: Any = translator.model
    family, device, padding = family_of_model(model), model.device, translator.padding_id
    start, languages = translator.decoder_prefix[0], _language_ids(translator)
    # Decoder-only models go on from the prompt's end, so their sources are padded on the left.
    on_left = family.is_prompted
    inputs = {
        "input_ids": _padded(sources, padding, on_left=on_left).to(device),
        "attention_mask": _padded([[1] * len(ids) for ids in sources], 0, on_left=on_left).to(device),
        "decoder_input_ids": _padded([[start, *ids[:-1]] for ids in targets], padding).to(device),
    }
    counted = [[index not in languages for index in ids] for ids in targets]
    hidden = family.hidden_states(model, inputs)[_padded(counted, 0).bool().to(device)]
    labels = torch.tensor([index for ids in targets for index in ids if index not in languages], device=device)
    rows = max(1, _LOGITS_BYTES // (4 * model.config.get_text_config().vocab_size))
    of_tokens = torch.cat(
        [
            family.logits(model, part).float().log_softmax(dim=-1).gather(1, ids[:, None])[:, 0]
            for part, ids in zip(torch.split(hidden, rows), torch.split(labels, rows), strict=True)
        ]
    )
    return [float(part.mean()) for part in torch.split(of_tokens.cpu(), list(map(sum, counted)))]


def _padded(rows: Sequence[Sequence[int]], padding: int, *, on_left: bool = False) -> Tensor:
    """int64 (rows, longest row). [[5, 6], [7]] with padding 0: [[5, 6], [7, 0]], on the left [[5, 6], [0, 7]]."""
    width = max(map(len, rows))
    fill = [[padding] * (width - len(row)) for row in rows]
    both = [[*more, *row] if on_left else [*row, *more] for row, more in zip(rows, fill, strict=True)]
    return torch.tensor(both, dtype=torch.int64)


def _by_ctranslate2(translator: CTranslate2Translator, sources: _Ids, targets: _Ids, batch_tokens: int) -> list[float]:
    """The means by the engine itself, which makes the batches, adds end tokens and leaves out the language's."""
    end, languages, prefix = (
        -1 if translator.adds_end_token else None,
        _language_ids(translator),
        translator.target_prefix,
    )
    ended = translator.tokenizer.eos_token_id
    texts = [[index for index in ids if index not in languages and index != ended] for ids in targets]
    with library_errors(f"{translator.name}: CTranslate2 cannot score with this model; convert it again"):
        results = translator.engine.score_batch(
            [[translator.vocabulary[index] for index in ids[:end]] for ids in sources],
            [[*prefix, *(translator.vocabulary[index] for index in ids)] for ids in texts],
            max_batch_size=batch_tokens,
            batch_type="tokens",
            max_input_length=0,
            offset=len(prefix),
        )
    return [float(np.mean(result.log_probs)) for result in results]
