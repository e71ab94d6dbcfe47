"""A model's settings, validated: a supported type, plausible sizes, ids inside the vocabulary."""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Any

from transformers import GenerationConfig, PreTrainedConfig

from mt.config import DecodingConfig
from mt.errors import ModelError
from mt.models.families import LanguageContract, families_of_type, family_by_name, usable
from mt.models.model_files import ModelFiles, is_index, library_errors

logger = logging.getLogger(__name__)

_IDS = ("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id", "forced_eos_token_id")
# Set by us, or of no use for translation.
_NOT_TAKEN = frozenset({"dtype", "architectures", "id2label", "label2id", "problem_type", "chunk_size_feed_forward"})
TOKEN_IDS = ("decoder_start_token_id", "pad_token_id", "eos_token_id")


def read_model_config(files: ModelFiles) -> PreTrainedConfig:
    """The known settings in `config.json`; all other keys are ignored. Raises `ModelError`."""
    found = files.read_json("config.json")
    if found is None:
        raise ModelError(f"{files.name}: no config.json in the directory, so it holds no model")
    origin = f"{files.path}/config.json"
    kind = found.get("model_type")
    families = families_of_type(kind)
    refuse_own_code(origin, found, is_needed=not families)
    if not families:
        raise ModelError(f"{origin}: models of type `{kind!s:.40}` are not supported; {usable()}")
    _refuse_quantised(origin, found)
    config_class = families[0].config_class
    found = dict(families[0].settings_of(origin, found))
    known = {field.name for field in fields(config_class)} - _NOT_TAKEN
    settings = {key: value for key, value in found.items() if key in known} | families[0].settings_in(found)
    with library_errors(f"{origin}: a setting is not valid"):
        config = config_class(**settings)
    _check_sizes(origin, config)
    return config


def model_class(config: PreTrainedConfig) -> Any:
    """The transformers class of models with these settings."""
    return families_of_type(config.model_type)[0].model_class


def vocabulary_size(config: PreTrainedConfig) -> int:
    """Rows of the embedding matrix, or of the larger of the two where Marian has one each for source and target."""
    sizes = [int(config.vocab_size)]
    if not getattr(config, "share_encoder_decoder_embeddings", True):
        sizes.append(int(config.decoder_vocab_size or 0))
    return max(sizes)


def refuse_own_code(origin: str, settings: dict[str, Any], *, is_needed: bool) -> None:
    """Raise `ModelError` if a model comes with code (`auto_map`) that it needs; warn if it does not need it."""
    if not settings.get("auto_map"):
        return
    if is_needed:
        raise ModelError(
            f"{origin}: the model needs code of its own (`auto_map`), and code that comes with a model is never run; "
            f"{usable()}"
        )
    logger.warning("%s: names code of its own (`auto_map`), which is not run", origin)


def _refuse_quantised(origin: str, settings: dict[str, Any]) -> None:
    """Raise `ModelError` for weights in a format of few bits (GPTQ, AWQ, FP8, bitsandbytes), as config.json says."""
    for key in ("quantization_config", "compression_config"):
        if settings.get(key):
            method = settings[key].get("quant_method") if isinstance(settings[key], dict) else None
            raise ModelError(
                f"{origin}: a quantised model ({method or key!s:.40}), which can be neither trained nor read here; use "
                "the model that it was made from"
            )


def _check_sizes(origin: str, config: Any) -> None:
    family = families_of_type(config.model_type)[0]
    for key, most in family.max_sizes.items():
        value = getattr(config, key, None)
        if key == "decoder_vocab_size" and value is None:
            continue
        least = family.min_sizes.get(key, 1)
        if not is_index(value) or not least <= value <= most:  # type: ignore[operator]
            raise ModelError(f"{origin}: {key} must be a whole number from {least} to {most:,}, not {value!r:.40}")
    for key in family.shares:
        if not 0 <= getattr(config, key) <= 1:
            raise ModelError(f"{origin}: {key} must be from 0 to 1, not {getattr(config, key)!r:.40}")
    family.check_config(origin, config)
    is_decoder = not config.is_encoder_decoder or getattr(config, "is_decoder", False)
    if is_decoder and not family.is_prompted:
        raise ModelError(f"{origin}: is_encoder_decoder and is_decoder say that it is not a translation model")
    for key in _IDS:
        value, size = getattr(config, key, None), vocabulary_size(config)
        if family.is_prompted and key == "eos_token_id":
            check_stop_ids(origin, value, size)
        else:
            _check_id(origin, key, value, size)


def check_stop_ids(origin: str, value: object, size: int) -> list[int]:
    """The end tokens of a decoder-only model, which may have none, one, or a list. Raises `ModelError`."""
    ids: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    for index in ids:
        _check_id(origin, "eos_token_id", index, size)
    return ids


def _check_id(origin: str, key: str, value: object, size: int) -> None:
    """Refuse a value that is no id. An id may be missing, and an end token may be a list of one."""
    value = _unwrapped(value)
    if value is not None and not (is_index(value) and value < size):  # type: ignore[operator]
        raise ModelError(f"{origin}: {key} must be one id below the vocabulary's {size}, not {value!r:.40}")


def _unwrapped(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def read_token_ids(files: ModelFiles, config: PreTrainedConfig) -> dict[str, int]:
    """The ids of `TOKEN_IDS`, from generation_config.json or else from `config`, in which missing ones are filled in.

    Raises `ModelError` for an id that is in neither, or beyond the vocabulary.
    """
    own = files.read_json("generation_config.json") or {}
    ids = {}
    for key in TOKEN_IDS:
        _check_id(f"{files.path}/generation_config.json", key, own.get(key), vocabulary_size(config))
        found = [_unwrapped(settings.get(key)) for settings in (own, vars(config))]
        value = next((value for value in found if value is not None), None)
        if value is None:
            raise ModelError(f"{files.path}/config.json: no {key}, without which nothing can be decoded; add it")
        ids[key] = value
        if getattr(config, key, None) is None:
            setattr(config, key, value)  # the model's layers read it, too
    return ids


def generation_config(
    config: PreTrainedConfig, ids: dict[str, int], languages: LanguageContract, decoding: DecodingConfig
) -> GenerationConfig:
    """The settings a model decodes with and is saved with: its own token ids, our search.

    Nothing else is taken from a checkpoint: old ones contain settings that `save_pretrained` refuses at the end of a
    run, and a default `max_length` that cuts long hypotheses.
    """
    start, family = languages.decoder_start_token_id, family_by_name(languages.family)
    settings = GenerationConfig(
        decoder_start_token_id=ids["decoder_start_token_id"] if start is None else start,
        pad_token_id=ids["pad_token_id"],
        eos_token_id=ids["eos_token_id"],
        forced_bos_token_id=languages.forced_bos_token_id,
        bad_words_ids=family.unwritten(ids),
        no_repeat_ngram_size=decoding.no_repeat_ngram_size,
        num_beams=decoding.num_beams,
        length_penalty=decoding.length_penalty if decoding.num_beams > 1 else None,
        early_stopping=decoding.num_beams > 1,
        max_length=family.max_tokens(config),
    )
    settings.validate(strict=True)
    return settings
