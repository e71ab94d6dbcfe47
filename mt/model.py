"""Load a pretrained model with its tokenizer: languages set or refused, weights whole, settings savable."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.languages import LanguageContract, agree_on_languages, family_of
from mt.translator import AnyTranslator

logger = logging.getLogger(__name__)

EMBEDDED_MODELS = Path(__file__).parent / "assets"
# Recomputed from the config, so a checkpoint may leave them out.
_REBUILT_WEIGHTS = ("embed_positions.weight", "final_logits_bias")


@dataclass(kw_only=True)
class Translator(AnyTranslator):
    """A model of transformers, to train and to decode with."""

    model: PreTrainedModel

    @property
    def max_tokens(self) -> int:
        """The longest source or target, in tokens, that the model's positions allow."""
        return int(self.model.config.max_position_embeddings)

    @property
    def decoder_prefix(self) -> list[int]:
        """The ids that every hypothesis begins with: the start token and, for most families, the language."""
        settings = self.model.generation_config
        first = (settings.decoder_start_token_id, settings.forced_bos_token_id)
        return [index for index in first if index is not None]

    def search(self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig) -> list[list[int]]:
        """See `AnyTranslator`. The model is left in the mode, train or eval, it was in."""
        rows = [torch.tensor(ids, device=self.model.device) for ids in sources]
        padding = self.model.generation_config.pad_token_id
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=pad_sequence(rows, batch_first=True, padding_value=padding),
                attention_mask=pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
                max_length=min(max(limits), self.max_tokens),
                num_beams=config.num_beams,
                early_stopping=config.num_beams > 1,
                length_penalty=config.length_penalty if config.num_beams > 1 else None,
                no_repeat_ngram_size=config.no_repeat_ngram_size,
            )
        self.model.train(was_training)
        # To its own limit each, not to the longest one's: what a sentence becomes must not depend on its neighbours.
        # M2M-100's tokenizer does not know its language tokens for special ones, and would decode them as text.
        start = len(self.decoder_prefix)
        return [row[start:limit] for row, limit in zip(output.tolist(), limits, strict=True)]

    def save(self, directory: Path) -> None:
        """Write model and tokenizer so that `AutoModelForSeq2SeqLM.from_pretrained` and this module load them."""
        self.model.save_pretrained(directory)
        self.tokenizer.save_pretrained(directory)


def load_translator(config: ModelConfig, decoding: DecodingConfig | None = None) -> Translator:
    """Load the model that `config` names, in float32, ready to train and to decode.

    Raises `ModelError`: no such model, no network, a kind or language that is not supported, weights missing.
    """
    path = check_model_name(config.name)
    if is_converted(path):
        raise ModelError(
            f"{config.name}: a CTranslate2 model, which `mt translate` and `mt evaluate` take and nothing else can "
            "use; name the model that it was made from"
        )
    # A directory has no revision, and hub models are cached by it.
    revision = None if Path(path).is_dir() else config.revision
    model_config, tokenizer = _load_config_and_tokenizer(config.name, path, revision)
    family = family_of(model_config, tokenizer)
    languages = agree_on_languages(tokenizer, family, config.source_language, config.target_language)
    if config.dropout is not None:
        model_config.dropout = config.dropout
    # Not "auto", the default of transformers 5: a checkpoint in float16 would be trained in float16.
    weights, weights_revision, adapter = _weights_of(config.name, path, revision)
    try:
        model, loading = AutoModelForSeq2SeqLM.from_pretrained(
            weights, revision=weights_revision, config=model_config, dtype=torch.float32, output_loading_info=True
        )
        if adapter is not None:
            model = _merged(model, adapter)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{config.name}: the weights cannot be loaded ({_first_line(error)}); fetch it again"
        ) from error
    _refuse_missing_weights(config.name, loading)
    _freeze_fixed_positions(model)
    model.generation_config = generation_config(model, languages, decoding or DecodingConfig())
    commit = None if revision is None else getattr(model_config, "_commit_hash", None) or revision
    return Translator(
        model=model, tokenizer=tokenizer, languages=languages, name=config.name, location=path, revision=commit
    )


def _weights_of(name: str, path: str, revision: str | None) -> tuple[str, str | None, Path | None]:
    """(where the weights are, their revision, the directory of a LoRA adapter that belongs on them, if any)."""
    try:
        adapter = json.loads((Path(path) / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return path, revision, None
    if find_spec("peft") is None:
        raise ModelError(
            f"{name}: holds a LoRA adapter, which needs the extra `lora`: pip install 'mt-conflict-news[lora]'"
        )
    base = str(adapter["base_model_name_or_path"])
    if Path(base).is_absolute() and not Path(base).is_dir():
        raise ModelError(f"{name}: holds a LoRA adapter for {base}, which is not there; use the run's model/ instead")
    return base, adapter.get("revision"), Path(path)


def _merged(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    import peft

    merged: PreTrainedModel = peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    return merged


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer alone, set to the config's languages. Raises `ModelError` likewise."""
    path = check_model_name(config.name)
    model_config, tokenizer = _load_config_and_tokenizer(
        config.name, path, None if Path(path).is_dir() else config.revision
    )
    agree_on_languages(tokenizer, family_of(model_config, tokenizer), config.source_language, config.target_language)
    return tokenizer


def generation_config(
    model: PreTrainedModel, languages: LanguageContract, decoding: DecodingConfig
) -> GenerationConfig:
    """The settings a model decodes with and is saved with: its own token ids, our search.

    Whatever else a checkpoint carries is left behind: old ones hold settings that `save_pretrained` refuses
    at the end of a run, and a default `max_length` that cuts long hypotheses.
    """
    own, config = model.generation_config, model.config
    start = next(
        value
        for value in (languages.decoder_start_token_id, own.decoder_start_token_id, config.decoder_start_token_id)
        if value is not None
    )
    settings = GenerationConfig(
        decoder_start_token_id=start,
        pad_token_id=own.pad_token_id if own.pad_token_id is not None else config.pad_token_id,
        eos_token_id=own.eos_token_id if own.eos_token_id is not None else config.eos_token_id,
        forced_bos_token_id=languages.forced_bos_token_id,
        # Marian starts from <pad> and must never write it.
        bad_words_ids=[[config.pad_token_id]] if languages.family == "marian" else None,
        no_repeat_ngram_size=decoding.no_repeat_ngram_size,
        num_beams=decoding.num_beams,
        length_penalty=decoding.length_penalty if decoding.num_beams > 1 else None,
        early_stopping=decoding.num_beams > 1,
        max_length=model.config.max_position_embeddings,
    )
    settings.validate(strict=True)
    return settings


def check_model_name(name: str) -> str:
    """A directory or hub name that `from_pretrained` takes for `name`; cheap, so call it before slow work.

    A name that has the form of a hub name is believed. Raises `ModelError` for a path with no model.
    """
    if (EMBEDDED_MODELS / name / "config.json").is_file():
        return str(EMBEDDED_MODELS / name)
    path = Path(name)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{name}: no config.json in the directory, so it holds no model")
        return name
    # On the hub, every model of the supported kinds is owner/name.
    if name.startswith((".", "/", "~")) or name.count("/") != 1 or path.exists():
        raise ModelError(f"{name}: no such model directory; check the path (seen from {Path.cwd()})")
    return name


def is_converted(path: str | Path) -> bool:
    """Whether `path` is a directory with a CTranslate2 model."""
    return (Path(path) / "model.bin").is_file()


def _load_config_and_tokenizer(name: str, path: str, revision: str | None) -> tuple[Any, Any]:
    try:
        config = AutoConfig.from_pretrained(path, revision=revision)
        with warnings.catch_warnings():
            # sacremoses is not used: mt.text normalises.
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            return config, AutoTokenizer.from_pretrained(path, revision=revision)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:  # a file missing, in various ways
        if revision is None:
            raise ModelError(f"{name}: the model cannot be loaded ({_first_line(error)})") from error
        raise ModelError(
            f"{name}: neither a directory here nor a model that could be fetched from the hub at revision "
            f"`{revision}`; check the name, the revision and the network ({_first_line(error)})"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _freeze_fixed_positions(model: PreTrainedModel) -> None:
    """Sinusoidal positions come out of loading as trainable and never get a gradient, for which DDP would wait."""
    for module in model.modules():
        if "Sinusoidal" in type(module).__name__:
            module.requires_grad_(False)


def _refuse_missing_weights(name: str, loading: dict[str, Any]) -> None:
    """Weights that the checkpoint lacks were just filled with random numbers; say so instead of training on."""
    missing = [key for key in loading["missing_keys"] if not key.endswith(_REBUILT_WEIGHTS)]
    mismatched = [key if isinstance(key, str) else key[0] for key in loading.get("mismatched_keys", ())]
    for keys, what in ((missing, "lacks"), (mismatched, "has other shapes for")):
        if keys:
            raise ModelError(
                f"{name}: the checkpoint {what} {len(keys)} weights of its architecture, such as {sorted(keys)[0]}; "
                "it is damaged or made for another architecture"
            )
