"""From a model of transformers to a CTranslate2 directory, refused if the two do not translate alike."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from ctranslate2.converters import Converter
from ctranslate2.converters.transformers import BartLoader, M2M100Loader, MarianMTLoader, MBartLoader
from sacrebleu import corpus_chrf

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.files import new_directory
from mt.models.ctranslate2_model import CTranslate2Translator, load_converted
from mt.models.decoding import encode_within_limits
from mt.models.doctor import SENTENCES
from mt.models.transformers_model import TransformersTranslator

logger = logging.getLogger(__name__)

_GREEDY = DecodingConfig(num_beams=1)
# Logits that differ by less are a tie, which rounding breaks one way or the other.
_TIE = 1e-3
# Added to the logit of <pad>; float16 can hold it.
_NEVER = -1e4
# chrF between the translations of a model and of its conversion. `tiny-en-ar`, which is often undecided, comes to 91
# in int8 (75 over 200 sentences of news), and to 33 if decoding starts from a wrong embedding.
MIN_AGREEMENT = {"float16": 90.0, "int8": 50.0}
_USUAL, _SAME = 70.0, 99.0


def convert(
    translator: TransformersTranslator, directory: Path, precision: Literal["int8", "float16", "float32"]
) -> None:
    """Write the model to `directory`, new or empty, for `load_converted`; all of it or nothing.

    `translator` is of no use afterwards: CTranslate2 quantises in place. Raises `ModelError` if CTranslate2 cannot
    take the model, or translates otherwise than it.
    """
    trial = translate_trial(translator)
    with new_directory(directory) as work:
        _convert(translator, work, precision)
        tokenizer, languages = translator.tokenizer, translator.languages
        # CTranslate2's config does not say how many positions there are.
        tokenizer.model_max_length = translator.max_tokens
        tokenizer.save_pretrained(work)
        options = ModelConfig(
            name=str(work),
            source_language=languages.source_code,
            target_language=languages.target_code,
        )
        check_parity(translator, load_converted(options), trial, precision)


@dataclass(frozen=True)
class Trial:
    """What a model makes of the doctor's sentences, greedily."""

    sources: list[list[int]]
    limits: list[int]
    hypotheses: list[list[int]]


def translate_trial(translator: TransformersTranslator) -> Trial:
    """The trial of a model before it is converted."""
    sources, limits = encode_within_limits(translator, SENTENCES, _GREEDY)
    return Trial(sources, limits, translator.search(sources, limits, _GREEDY))


def check_parity(
    translator: TransformersTranslator, converted: CTranslate2Translator, trial: Trial, precision: str
) -> None:
    """Raise `ModelError` if the conversion does not translate the trial's sentences as the model did.

    In float32 every token must be the same up to the first tie; below, chrF between the two be `MIN_AGREEMENT`.
    """
    after = converted.search(trial.sources, trial.limits, _GREEDY)
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
            f"{translator.name}: converted to {precision}, the model translates otherwise ({bound}; "
            f"`{texts[first]}` became `{converted_texts[first]}`); nothing was written"
        )


def _said_of(agreement: float) -> str:
    """What an agreement means, for who has no test set at hand."""
    if agreement >= _SAME:
        return "they translate alike"
    is_usual = (
        f"{_USUAL:g} and more is usual, and shows that nothing was lost on the way, not what it costs (`tiny-en-ar` "
        "and its int8 conversion agree by 73 on FLORES-200 and score 27.1 and 26.9 chrF there)"
    )
    is_low = f"{_USUAL:g} and more is usual, so look at what it translates before you use it"
    return f"{is_usual if agreement >= _USUAL else is_low}; --test_set NAME=FILE compares the two on your sentences"


def _same_up_to_ties(
    translator: TransformersTranslator, source: list[int], before: list[int], after: list[int]
) -> bool:
    """Whether the hypotheses part, if at all, at a tie. Only `before` may say its end."""
    ended = [*after, translator.model.generation_config.eos_token_id]
    for place, (ours, theirs) in enumerate(zip(before, ended, strict=False)):
        if ours != theirs:
            return _gap(translator, source, before[:place], ours, theirs) < _TIE
    return True


def _gap(translator: TransformersTranslator, source: list[int], hypothesis: list[int], ours: int, theirs: int) -> float:
    """By how much the model prefers one next token over another."""
    device = translator.model.device
    with torch.inference_mode():
        logits = translator.model(
            input_ids=torch.tensor([source], device=device),
            decoder_input_ids=torch.tensor([[*translator.decoder_prefix, *hypothesis]], device=device),
        ).logits[0, -1]
    return abs(float(logits[ours] - logits[theirs]))


class _LoadedConverter(Converter):
    """Converts what is loaded already, so that LoRA, revisions and half precision are dealt with in one place."""

    def __init__(self, translator: TransformersTranslator) -> None:
        self.translator = translator

    def _load(self) -> Any:
        loader = _LOADERS[self.translator.languages.family]()
        with torch.no_grad():
            spec = loader(self.translator.model, _WholeVocabulary(self.translator))
        # Not every tokenizer has one, and CTranslate2, which does not use it here, cannot read a null.
        spec.config.bos_token = spec.config.bos_token or spec.config.eos_token
        return spec


class _MarianLoader(MarianMTLoader):
    """Keeps <pad>, from whose embedding transformers starts decoding.

    CTranslate2's own loader leaves it out and starts from zeros, as Marian does. Training moves it away from zero,
    because the output layer, which shares it, learns from every token never to write <pad>; a fine-tuned model then
    translates to something else.
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

    Tokenizers leave out some: M2M-100's of transformers 5 the languages, others what is never used.
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


_LOADERS = {
    "marian": _MarianLoader,
    "m2m_100": M2M100Loader,
    "nllb": M2M100Loader,
    "mbart": MBartLoader,
    "mbart50": MBartLoader,
}


def _convert(translator: TransformersTranslator, directory: Path, precision: str) -> None:
    config = translator.model.config
    if translator.languages.family.startswith("mbart"):
        # By its name the loader tells the two generations, which start decoding differently; the layers are alike.
        config.tokenizer_class = type(translator.tokenizer).__name__
        config.normalize_before = config.normalize_embedding = True
    try:
        _LoadedConverter(translator).convert(str(directory), quantization=precision, force=True)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"{translator.name}: CTranslate2 cannot take this model ({error})") from error
