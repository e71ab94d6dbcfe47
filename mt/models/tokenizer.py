"""A model's tokenizer: of the class of a known family, its files validated, every id inside the vocabulary."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from mt.config import ModelConfig
from mt.errors import ModelError
from mt.models.families import Family, LanguageContract, families_of_type, family_by_name, tokenizer_families
from mt.models.languages import agree_on_languages
from mt.models.missing_files import origin_of
from mt.models.model_config import refuse_own_code
from mt.models.model_files import ModelFiles, is_index, library_errors

_CLASS_KEY = "tokenizer_class"
TOKENIZER_FILES = ("source.spm", "sentencepiece.bpe.model", "tokenizer.json", "spiece.model")
"""At least one of them is in every tokenizer's directory."""
_VOCABULARIES = ("vocab.json", "target_vocab.json", "added_tokens.json")
_TRIAL = "The war in Syria, 2011."
_MAX_TOKENIZER_BYTES = 2**28


def load_tokenizer_files(files: ModelFiles, kind: str, size: int) -> Any:
    """The tokenizer of a model whose vocabulary has `size` ids.

    kind: the model_type in config.json, or "" if there is none. Raises `ModelError` if files are missing or damaged.
    """
    family = next((family for family in families_of_type(kind) if family.is_prompted), None)
    if family is None:
        family = tokenizer_families()[_class_name(files, kind)]
    else:
        origin = f"{files.path}/tokenizer_config.json"
        refuse_own_code(origin, files.read_json("tokenizer_config.json") or {}, is_needed=False)
    _check_files(files, family, size)
    with warnings.catch_warnings(), library_errors(f"{files.name}: the tokenizer cannot be loaded; fetch it again"):
        # Marian's tokenizer recommends sacremoses for normalising; `mt.text.normalise` does that here.
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        options = {} if files.revision is None else {"revision": files.revision}
        tokenizer = family.tokenizer_class.from_pretrained(files.path, **options, trust_remote_code=False)
        stored = files.read_json("tokenizer.json", _MAX_TOKENIZER_BYTES) or {}
        return family.repaired_tokenizer(tokenizer, stored)


def set_languages(files: ModelFiles, tokenizer: Any, family: str, options: ModelConfig, size: int) -> LanguageContract:
    """Set a tokenizer to its languages, and try it on a sentence: some damage only shows then.

    Raises `ModelError` for a language that it does not know, and if it is damaged or produces ids of `size` or more,
    for which the model has no embeddings.
    """
    with library_errors(f"{files.name}: the tokenizer cannot be used; fetch it again"):
        languages = agree_on_languages(tokenizer, family, options.source_language, options.target_language)
        [ids] = tokenizer([_TRIAL], split_special_tokens=True)["input_ids"]
        [target_ids] = tokenizer(text_target=[_TRIAL], split_special_tokens=True)["input_ids"]
        tokenizer.batch_decode([ids, target_ids], skip_special_tokens=True)
        # Special tokens beyond the vocabulary do no harm in a prompt, in which texts cannot contain them.
        added, is_prompted = tokenizer.added_tokens_decoder, family_by_name(family).is_prompted
        unwritten = {index for index, token in added.items() if token.special and is_prompted}
        largest = max({*ids, *target_ids, *tokenizer.get_vocab().values(), *added} - unwritten, default=0)
        needed = family_by_name(family).needed_tokens
        missing = [key for key in needed if not (getattr(tokenizer, key) and is_index(getattr(tokenizer, f"{key}_id")))]
    if missing or not all(tokenizer.all_special_tokens):
        what = f"no {missing[0]}" if missing else "an empty special token"
        raise ModelError(f"{files.name}: the tokenizer has {what}; copy its files there again")
    _refuse_beyond(files, largest, size)
    return languages


def _refuse_beyond(files: ModelFiles, largest: int, size: int) -> None:
    if largest >= size:
        raise ModelError(
            f"{files.name}: the tokenizer has the id {largest}, and the model's vocabulary ends at {size - 1}; one of "
            "them is damaged or another model's"
        )


def _class_name(files: ModelFiles, kind: str) -> str:
    settings = files.read_json("tokenizer_config.json") or {}
    origin = f"{files.path}/tokenizer_config.json"
    # mBART-50 names its tokenizer's class in the model's config.json.
    in_model = (files.read_json("config.json") or {}).get(_CLASS_KEY)
    stated = settings.get(_CLASS_KEY) or in_model or _guessed(files, kind)
    name = stated.removesuffix("Fast") if isinstance(stated, str) else ""
    known = tokenizer_families()
    refuse_own_code(origin, settings, is_needed=name not in known)
    if name not in known:
        raise ModelError(f"{origin}: tokenizers of class {stated!r:.40} are not supported; use {', '.join(known)}")
    return name


def _guessed(files: ModelFiles, kind: str) -> str | None:
    """The usual class for a model type: old models do not name the class, a CTranslate2 directory not even the type."""
    if kind == "m2m_100" and files.find("vocab.json") is None and files.find("tokenizer.json") is not None:
        return "NllbTokenizer"  # which, unlike M2M-100's, is one file
    usual = next((family.tokenizer_class.__name__ for family in families_of_type(kind)), None)
    return usual or ("MarianTokenizer" if files.find("source.spm") is not None else None)


def _check_files(files: ModelFiles, family: Family, size: int) -> None:
    needed = family.tokenizer_files
    if (files.read_json("tokenizer_config.json") or {}).get("separate_vocabs") is True:
        needed = (*needed, ("target_vocab.json",))
    missing = [" or ".join(choice) for choice in needed if all(files.find(file) is None for file in choice)]
    if missing:
        listed = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise ModelError(
            f"{files.name}: the tokenizer's {listed} {'is' if len(missing) == 1 else 'are'} missing; copy the "
            f"tokenizer's files there, tokenizer_config.json too, from {origin_of(Path(files.path))}"
        )
    for vocabulary in () if family.is_prompted else _VOCABULARIES:
        _refuse_beyond(files, max((files.read_vocabulary(vocabulary) or {"": 0}).values(), default=0), size)
    files.read_json("special_tokens_map.json")
    files.read_json("tokenizer.json", _MAX_TOKENIZER_BYTES)
