"""Converts a transformers model to a CTranslate2 directory, and refuses it if the two translate differently."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from ctranslate2.converters import Converter, transformers
from ctranslate2.converters.transformers import BartLoader, MarianMTLoader
from sacrebleu import corpus_chrf

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.files import new_directory
from mt.models.ctranslate2_model import CTranslate2Translator, load_ctranslate2
from mt.models.decoding import encode_within_limits
from mt.models.doctor import SENTENCES
from mt.models.families import family_by_name
from mt.models.transformers_model import TransformersTranslator

logger = logging.getLogger(__name__)

_GREEDY = DecodingConfig(num_beams=1)
# Logits that differ by less are a tie, which rounding can decide either way.
_TIE = 1e-3
# Added to the logit of <pad>; float16 can hold it.
_NEVER = -1e4
# Lowest accepted chrF between the translations of a model and of its conversion. `tiny-en-ar`, whose tokens are often
# close to a tie, reaches 91 in int8 (75 on 200 sentences of news), and 33 if decoding starts from a wrong embedding.
MIN_AGREEMENT = {"float16": 90.0, "int8": 50.0}
_USUAL, _SAME = 70.0, 99.0


def convert(
    translator: TransformersTranslator, directory: Path, precision: Literal["int8", "float16", "float32"]
) -> None:
    """Write the model to `directory`, new or empty, for `load_ctranslate2`; all of it or nothing.

    Do not use `translator` afterwards: CTranslate2 quantises its weights in place. Raises `ModelError` if CTranslate2
    does not support the model, or translates differently.
    """
    refuse_unconvertible(translator)
    trial = translate_trial(translator)
    with new_directory(directory) as work:
        _convert(translator, work, precision)
        tokenizer, languages = translator.tokenizer, translator.languages
        # CTranslate2's config does not give the number of positions.
        tokenizer.model_max_length = translator.max_tokens
        tokenizer.save_pretrained(work)
        options = ModelConfig(
            name=str(work),
            source_language=languages.source_code,
            target_language=languages.target_code,
        )
        check_parity(translator, load_ctranslate2(options), trial, precision)


def refuse_unconvertible(translator: TransformersTranslator) -> None:
    """Raise `ModelError` for a model of a family that is not converted."""
    if not family_by_name(translator.languages.family).ctranslate2_loader:
        raise ModelError(f"{translator.name}: decoder-only models are not converted for CTranslate2; use it as it is")


@dataclass(frozen=True)
class Trial:
    """A model's greedy translations of the doctor's sentences, as token ids."""

    sources: list[list[int]]
    limits: list[int]
    hypotheses: list[list[int]]


def translate_trial(translator: TransformersTranslator) -> Trial:
    """Translate the doctor's sentences, before the model is converted."""
    sources, limits = encode_within_limits(translator, SENTENCES, _GREEDY)
    return Trial(sources, limits, translator.generate(sources, limits, _GREEDY))


def check_parity(
    translator: TransformersTranslator, converted: CTranslate2Translator, trial: Trial, precision: str
) -> None:
    """Raise `ModelError` if the conversion does not translate the trial's sentences as the model did.

    In float32 every token must be the same up to the first tie. In lower precisions the chrF between the two must
    reach `MIN_AGREEMENT`.
    """
    after = converted.generate(trial.sources, trial.limits, _GREEDY)
    texts, converted_texts = translator.decode(trial.hypotheses), converted.decode(after)
    agreement = corpus_chrf(converted_texts, [texts]).score
    logger.info("chrF between the model and its conversion to %s: %.1f; %s", precision, agreement, _said_of(agreement))
    if precision != "float32":
        alike = [agreement >= MIN_AGREEMENT[precision]]
        bound = f"chrF between them is {agreement:.1f}, below {MIN_AGREEMENT[precision]:g}"
    else:
        alike = [_same_up_to_ties(translator, *ids) for ids in zip(trial.sources, trial.hypotheses, after, strict=True)]
        bound = f"{alike.count(False)} of {len(alike)} sentences differ by more than rounding"
    if not all(alike):
        first = next((i for i, text in enumerate(texts) if text != converted_texts[i]), 0)
        raise ModelError(
            f"{translator.name}: converted to {precision}, the model translates differently ({bound}; "
            f"`{texts[first]}` became `{converted_texts[first]}`); nothing was written"
        )


def _said_of(agreement: float) -> str:
    """What the chrF between a model and its conversion means, in words."""
    if agreement >= _SAME:
        return "they translate the same"
    is_usual = (
        f"{_USUAL:g} or more is usual, and shows that nothing broke, not what the lower precision costs (`tiny-en-ar` "
        "and its int8 conversion agree by 73 on FLORES-200 and score 27.1 and 26.9 chrF there, with beam 4 and "
        "no_repeat_ngram_size 3)"
    )
    is_low = f"{_USUAL:g} or more is usual, so read some of its translations before you use it"
    return f"{is_usual if agreement >= _USUAL else is_low}; --test_set NAME=FILE compares the two on your sentences"


def _same_up_to_ties(
    translator: TransformersTranslator, source: list[int], before: list[int], after: list[int]
) -> bool:
    """Whether the hypotheses are the same, or first differ at a tie. Only `before` may have an end token."""
    ended = [*after, translator.model.generation_config.eos_token_id]
    for index, (ours, theirs) in enumerate(zip(before, ended, strict=False)):
        if ours != theirs:
            return _gap(translator, source, before[:index], ours, theirs) < _TIE
    return True


def _gap(translator: TransformersTranslator, source: list[int], hypothesis: list[int], ours: int, theirs: int) -> float:
    """The absolute difference between the model's logits of two possible next tokens."""
    device = translator.model.device
    with torch.inference_mode():
        logits = translator.model(
            input_ids=torch.tensor([source], device=device),
            decoder_input_ids=torch.tensor([[*translator.decoder_prefix, *hypothesis]], device=device),
        ).logits[0, -1]
    return abs(float(logits[ours] - logits[theirs]))


class _LoadedConverter(Converter):
    """Converts a model that is already loaded, so that LoRA, revisions and half precision are handled in one place."""

    def __init__(self, translator: TransformersTranslator) -> None:
        self.translator = translator

    def _load(self) -> Any:
        name = family_by_name(self.translator.languages.family).ctranslate2_loader
        loader = (_LOADERS.get(name) or getattr(transformers, name))()
        with torch.no_grad():
            spec = loader(self.translator.model, _WholeVocabulary(self.translator))
        # Not every tokenizer has one. CTranslate2 does not use it here, but cannot read a null.
        spec.config.bos_token = spec.config.bos_token or spec.config.eos_token
        return spec


class _MarianLoader(MarianMTLoader):
    """Keeps <pad>, from whose embedding transformers starts decoding.

    CTranslate2's own loader drops <pad> and starts from zeros, as the Marian program does. Training moves that
    embedding away from zero: the output layer shares it, and learns with every token not to write <pad>. Started from
    zeros, a fine-tuned model would translate to something else.
    """

    def get_model_spec(self, model: Any) -> Any:
        model.config.normalize_before = model.config.normalize_embedding = False
        spec = BartLoader.get_model_spec(self, model)
        bias = model.final_logits_bias.squeeze(0).clone()
        bias[model.config.pad_token_id] = _NEVER
        spec.decoder.projection.bias = bias
        return spec

    def set_decoder(self, spec: Any, decoder: Any) -> None:
        BartLoader.set_decoder(self, spec, decoder)

    def set_config(self, config: Any, model: Any, tokenizer: Any) -> None:
        super().set_config(config, model, tokenizer)
        config.decoder_start_token = tokenizer.pad_token

    def get_vocabulary(self, model: Any, tokenizer: Any) -> Any:
        return BartLoader.get_vocabulary(self, model, tokenizer)


class _WholeVocabulary:
    """A tokenizer with a token for every row of the embeddings.

    Some rows have no token: in transformers 5 those of M2M-100's languages, in other models rows that are never used.
    """

    num_madeup_words = 0

    def __init__(self, translator: TransformersTranslator) -> None:
        self._tokenizer = translator.tokenizer
        self._size = translator.model.config.vocab_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def get_vocab(self) -> dict[str, int]:
        """Ids by token."""
        vocabulary: dict[str, int] = {}
        for index, token in enumerate(self._tokenizer.convert_ids_to_tokens(list(range(self._size)))):
            is_new = token is not None and token not in vocabulary
            vocabulary[token if is_new else f"<unused {index}>"] = index
        return vocabulary


# In place of CTranslate2's own.
_LOADERS: dict[str, Any] = {"MarianMTLoader": _MarianLoader}


def _convert(translator: TransformersTranslator, directory: Path, precision: str) -> None:
    config = translator.model.config
    if translator.languages.family.startswith("mbart"):
        # The loader distinguishes the two generations of mBART by this name: they start decoding differently.
        config.tokenizer_class = type(translator.tokenizer).__name__
        config.normalize_before = config.normalize_embedding = True
    try:
        _LoadedConverter(translator).convert(str(directory), quantization=precision, force=True)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"{translator.name}: CTranslate2 does not support this model ({error})") from error
