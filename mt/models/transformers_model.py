"""Loads a pretrained model with its tokenizer: languages set, weights complete, settings that can be saved."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models import gpu_decoding
from mt.models.adapters import Adapter, find_adapter, merge_adapter
from mt.models.families import LanguageContract, family_by_name, family_of
from mt.models.gpu_decoding import fast_decoding, use_precompiled_attention, wide_decoding_dtype
from mt.models.identity import check_base
from mt.models.model_config import generation_config, read_model_config, read_token_ids, vocabulary_size
from mt.models.model_files import ModelFiles, check_model_name, files_of, is_ctranslate2
from mt.models.tokenizer import TOKENIZER_FILES, load_tokenizer_files, set_languages
from mt.models.translator import Translator
from mt.models.weights import find_weights, load_model

__all__ = [
    "TransformersTranslator",
    "check_model",
    "check_model_name",
    "load_tokenizer",
    "load_translator",
]

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class TransformersTranslator(Translator):
    """A transformers model, to train and to decode with."""

    model: PreTrainedModel

    @property
    def max_tokens(self) -> int:
        """The longest source or target, in tokens, that the model's positions allow."""
        return family_by_name(self.languages.family).max_tokens(self.model.config)

    @property
    def decoder_prefix(self) -> list[int]:
        """The ids that every hypothesis begins with: the start token and, for most families, the target language."""
        settings = self.model.generation_config
        first = (settings.decoder_start_token_id, settings.forced_bos_token_id)
        return [index for index in first if index is not None]

    @property
    def padding_id(self) -> int:
        """The id that sources are padded with in training."""
        padding: int = self.model.config.pad_token_id
        return padding

    def batch_tokens(self, config: DecodingConfig) -> int:
        """See `Translator`; on a GPU by its free memory."""
        if config.batch_tokens is None and self.model.device.type == "cuda":
            return gpu_decoding.batch_tokens(self.model, max(config.num_beams, config.mbr))
        return super().batch_tokens(config)

    def generate(self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig) -> list[list[int]]:
        """See `Translator`. The model stays in the mode, training or evaluation, that it was in.

        A batch for which a GPU's memory is too small is halved; one that overflows in half precision is decoded again.
        """
        try:
            rows = self._generate(sources, limits, config)
        except torch.OutOfMemoryError:
            if len(sources) == 1:
                raise
            rows = None
        if rows is None:
            # Not in the handler: the error would keep the memory.
            torch.cuda.empty_cache()
            half = len(sources) // 2
            first, second = slice(half), slice(half, None)
            return [ids for part in (first, second) for ids in self.generate(sources[part], limits[part], config)]
        # Each row is cut to its own limit, not the longest of the batch: a translation must not depend on the sentences
        # beside it.
        start = len(self.decoder_prefix)
        return [row[: max(0, limit - start)] for row, limit in zip(rows, limits, strict=True)]

    def _generate(self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig) -> list[list[int]]:
        if self.overflows or config.precision == "float32":
            return self._generate_as_is(sources, limits, config)
        with fast_decoding(self.model) as half:
            rows = self._generate_as_is(sources, limits, config)
        if half is None or not half.has_overflowed():
            return rows
        logger.warning("%s: float16 overflows, so it is decoded in float32, which is slower", self.name)
        self.overflows = True
        return self._generate_as_is(sources, limits, config)

    def _generate_as_is(
        self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig
    ) -> list[list[int]]:
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode():
            rows = self.search(
                sources,
                max(limits),
                num_beams=config.num_beams,
                early_stopping=config.num_beams > 1,
                length_penalty=config.length_penalty if config.num_beams > 1 else None,
                no_repeat_ngram_size=config.no_repeat_ngram_size,
            )
        self.model.train(was_training)
        return rows

    def search(self, sources: Sequence[list[int]], longest: int, **options: Any) -> list[list[int]]:
        """The hypotheses that the library's `generate` finds with these options, as token ids without `decoder_prefix`.

        Several for each source if the options ask for it. longest: the most tokens of a hypothesis, `decoder_prefix`
        included. The caller has put the model into evaluation mode.
        """
        rows = [torch.tensor(ids, device=self.model.device) for ids in sources]
        padding = self.model.generation_config.pad_token_id
        output = self.model.generate(
            input_ids=pad_sequence(rows, batch_first=True, padding_value=padding),
            attention_mask=pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            max_length=min(longest, self.max_tokens),
            **options,
        )
        # The language token is cut off, because M2M-100's tokenizer would decode it as text.
        start = len(self.decoder_prefix)
        return [row[start:] for row in output.tolist()]

    def save(self, directory: Path) -> None:
        """Write model and tokenizer so that `AutoModelForSeq2SeqLM.from_pretrained` and this module load them."""
        self.model.save_pretrained(directory)
        self.tokenizer.save_pretrained(directory)


def load_translator(
    config: ModelConfig,
    decoding: DecodingConfig | None = None,
    dtype: torch.dtype = torch.float32,
    *,
    only_decodes: bool = False,
) -> TransformersTranslator:
    """Load the model that `config` names, in `dtype`, ready to train and to decode.

    only_decodes: on a GPU a decoder-only model is loaded in the precision that it is decoded in, as its weights in
    float32 as well would take three times the memory.
    Raises `ModelError` if there is no such model or no network, its type or a language is not supported, or files are
    missing, damaged or do not belong together. Code that comes with a model is never run.
    """
    if is_ctranslate2(config.name):
        raise ModelError(
            f"{config.name}: a CTranslate2 model, which only `mt translate` and `mt evaluate` can use; name the model "
            "that it was made from"
        )
    files = files_of(config.name, config.revision)
    adapter = find_adapter(files)
    model_config, tokenizer, languages = _load_tokenizer(files, adapter, config)
    family, home = family_by_name(languages.family), _settings_files(files, adapter)
    if config.dropout is not None:
        setattr(model_config, family.dropout, config.dropout)
    known: dict[str, Any] = {"tokenizer": tokenizer, "languages": languages, "name": config.name}
    known |= {"location": files.path, "revision": files.commit}
    if adapter is not None:
        check_base(adapter)
    if only_decodes and family.is_prompted and (decoding is None or decoding.precision != "float32"):
        dtype = wide_decoding_dtype(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    load = partial(_load_model, files, adapter, model_config, dtype=dtype)
    if family.is_prompted:
        # Not at the top: it builds on this module.
        from mt.models.prompted_model import load_prompted

        return load_prompted(home, model_config, config, decoding or DecodingConfig(), load, known)
    if config.prompt is not None:
        raise ModelError(f"{config.name}: model.prompt is for decoder-only models, and this is a {family.title} model")
    ids = read_token_ids(home, model_config)
    settings = generation_config(model_config, ids, languages, decoding or DecodingConfig())
    return TransformersTranslator(model=load(settings), **known)


def _load_model(
    files: ModelFiles,
    adapter: Adapter | None,
    config: PreTrainedConfig,
    settings: GenerationConfig,
    dtype: torch.dtype,
) -> Any:
    model = load_model(files if adapter is None else adapter.base, config, settings, dtype)
    if adapter is not None:
        model = merge_adapter(model, files)
    _freeze_fixed_positions(model)
    use_precompiled_attention()
    return model


def check_model(name: str) -> None:
    """Raise `ModelError` for a model that cannot be used, as far as that shows without loading it or a network."""
    files = files_of(name, "main")
    if files.revision is None:
        adapter = find_adapter(files)
        read_model_config(_settings_files(files, adapter))
        base = files if adapter is None else adapter.base
        if base.revision is None:
            find_weights(base)


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """Only the tokenizer of the model, set to the config's languages. Raises `ModelError` as `load_translator` does."""
    files = files_of(config.name, config.revision)
    tokenizer: PreTrainedTokenizerBase = _load_tokenizer(files, find_adapter(files), config)[1]
    return tokenizer


def _settings_files(files: ModelFiles, adapter: Adapter | None) -> ModelFiles:
    """The files with config.json and generation_config.json; an adapter without them uses those of its base."""
    return files if adapter is None else adapter.home_of("config.json")


def _load_tokenizer(
    files: ModelFiles, adapter: Adapter | None, config: ModelConfig
) -> tuple[PreTrainedConfig, Any, LanguageContract]:
    settings = read_model_config(_settings_files(files, adapter))
    home = files if adapter is None else adapter.home_of(*TOKENIZER_FILES)
    size = vocabulary_size(settings)
    tokenizer = load_tokenizer_files(home, settings.model_type, size)
    return settings, tokenizer, set_languages(home, tokenizer, family_of(settings, tokenizer).name, config, size)


def _freeze_fixed_positions(model: PreTrainedModel) -> None:
    """Freeze sinusoidal positions: they are loaded as trainable but never get a gradient, for which DDP would wait."""
    for module in model.modules():
        if "Sinusoidal" in type(module).__name__:
            module.requires_grad_(False)
