"""The licences of everything a model was made from: its base, that one's base, and the corpora.

A licence is taken from where it is written on this machine, and no network is asked: from the config, from a model
card, or from the table of models in docs/models.md. What is written nowhere is unknown, and is said to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from mt.config import Config, CorpusConfig, ModelConfig
from mt.config.parsing import read_config
from mt.errors import ConfigError, UserError
from mt.files import printable, sha256_of
from mt.manifest import read_manifest
from mt.models.model_files import EMBEDDED_MODELS, shown_name
from mt.report.data_card import Licences
from mt.report.leaderboard_options import section_of
from mt.runs import RunDirectory

OWN = "apache-2.0"
"""The licence of this project, of its small model and of its corpora."""

KNOWN = {
    "tiny-en-ar": OWN,
    "Helsinki-NLP/opus-mt-tc-big-en-ar": "cc-by-4.0",
    "facebook/m2m100_418M": "mit",
    "facebook/nllb-200-distilled-600M": "cc-by-nc-4.0",
    "facebook/nllb-200-distilled-1.3B": "cc-by-nc-4.0",
    "facebook/nllb-200-1.3B": "cc-by-nc-4.0",
    "facebook/nllb-200-3.3B": "cc-by-nc-4.0",
    "google/madlad400-3b-mt": "apache-2.0",
    "tencent/Hy-MT2-1.8B": "apache-2.0",
    "tencent/HY-MT1.5-1.8B": "Tencent HY: not for the European Union, the United Kingdom and South Korea",
    "google/translategemma-4b-it": "gemma",
    "google/gemma-2b-it": "gemma",
    "Qwen/Qwen3-1.7B": "apache-2.0",
    "Qwen/Qwen2.5-1.5B-Instruct": "apache-2.0",
    "meta-llama/Llama-3.2-1B-Instruct": "llama3.2",
    "mistralai/Mistral-7B-Instruct-v0.3": "apache-2.0",
}
"""Models of docs/models.md, for machines that hold one without its card. mBART's page names no licence."""

_NONCOMMERCIAL = re.compile(r"(?:^|[^a-z])nc(?:[^a-z]|$)|non-? ?commercial|research[- ]only|academic[- ]only")
_UNNAMED = frozenset({"", "unknown", "other", "none"})
_MAX_BASES = 5


@dataclass(frozen=True)
class Part:
    """Something that the model was made from."""

    kind: str
    """`base model`, `corpus` or `model of back-translations`."""
    name: str
    licence: str | None
    """As the hub writes it, or as its owner does; None: unknown."""
    origin: str
    """Where the licence is written."""
    is_in_model: bool = True
    """Whether the model learnt from it; a corpus may be there to test on alone."""

    @property
    def what(self) -> str:
        """Such as: base model `facebook/m2m100_418M`."""
        return f"{self.kind} `{self.name}`"

    @property
    def is_noncommercial(self) -> bool:
        """Whether commercial use is forbidden, as far as the licence's name tells."""
        return self.is_in_model and is_noncommercial(self.licence)


def is_noncommercial(licence: str | None) -> bool:
    """Whether the name of a licence says that commercial use is forbidden."""
    return licence is not None and _NONCOMMERCIAL.search(licence.casefold()) is not None


def licence_chain(
    config: Config, inputs: Mapping[str, str], back_translations: Mapping[str, Any] | None = None
) -> list[Part]:
    """Base models and corpora, with their licences, and the models that wrote sources of the corpora.

    inputs: SHA-256 by path, back_translations: how they were made, by corpus; both are in the run's manifest.
    """
    return [*_bases(config.model, _MAX_BASES), *_corpora(config, inputs), *_translators(back_translations or {})]


def _translators(back_translations: Mapping[str, Any]) -> Iterator[Part]:
    """Each model once, in the order of the corpora."""
    made = [each.get("model") for tables in back_translations.values() for each in tables]
    for name, revision in dict.fromkeys((model["name"], model["revision"]) for model in made if model):
        licence, origin = _licence_of_base(ModelConfig(name=name, revision=revision))
        yield Part("model of back-translations", shown_name(name), licence, origin)


def licence_of_model(chain: Sequence[Part], wanted: str | None = None) -> str:
    """The licence for the card: `wanted`, else the one that all parts share, else `other`, or `unknown`.

    Raises `ConfigError` if `wanted` permits what a part forbids.
    """
    parts = [part for part in chain if part.is_in_model]
    forbidding = [part for part in parts if part.is_noncommercial]
    if wanted is not None:
        if forbidding and not is_noncommercial(wanted):
            raise ConfigError(
                f"--licence {wanted} permits commercial use, but the {forbidding[0].what} is {forbidding[0].licence}; "
                f"give the model that licence, or train it from another base and corpora"
            )
        return wanted
    names = {part.licence for part in parts}
    if None in names:
        return "unknown"
    return next(iter(names)) or "unknown" if len(names) == 1 else "other"


def corpus_licences(config: Config, inputs: Mapping[str, str]) -> Licences:
    """The licence of each corpus: from the config, or that of this project for the corpora that come with it."""
    return {name: part.licence for name, part in zip(config.data.corpora, _corpora(config, inputs), strict=True)}


def _bases(model: ModelConfig, depth: int) -> Iterator[Part]:
    """The base and, if it is the model of a run that is still there, what that one was made from."""
    if model.scratch is not None:
        return
    licence, origin = _licence_of_base(model)
    yield Part("base model", shown_name(model.name), licence, origin)
    run = RunDirectory(Path(model.name).parent if Path(model.name).name == "model" else Path(model.name))
    if licence is None and depth and run.config.is_file():
        try:
            config, inputs = read_config(run.config), section_of(read_manifest(run.manifest), "inputs")
        except UserError:
            return
        yield from _bases(config.model, depth - 1)
        yield from _corpora(config, inputs, f" of {run.root.name}")


def _licence_of_base(model: ModelConfig) -> tuple[str | None, str]:
    card = Path(model.name) / "README.md"
    if not card.is_file() and model.name not in KNOWN:
        card = _cached_card(model) or card
    licence = _in_card(card)
    if licence is None and Path(model.name).is_dir():
        # A run: its card is that of its model.
        licence = _in_card(Path(model.name) / "model" / "README.md")
    if licence is not None:
        return licence, "its model card"
    if model.name in KNOWN and not Path(model.name).is_dir():
        return KNOWN[model.name], "known to mt"
    return None, "no model card on this machine names one"


def _cached_card(model: ModelConfig) -> Path | None:
    """The model card in the hub's cache, if it was fetched with the model."""
    try:
        found = try_to_load_from_cache(model.name, "README.md", revision=model.revision)
    except HFValidationError:  # a path
        return None
    return Path(found) if isinstance(found, str) else None


def _in_card(card: Path) -> str | None:
    """The licence that a card's metadata name; None also for a card that is damaged."""
    try:
        data = ModelCard.load(card, ignore_metadata_errors=True).data if card.is_file() else None
    except (OSError, ValueError, yaml.YAMLError):
        return None
    named = None if data is None else data.get("license")
    name = "" if data is None else data.get("license_name") or ""
    licence = ", ".join(map(str, named)) if isinstance(named, list) else str(named or "")
    licence = str(name) if licence == "other" and name else licence
    return None if licence.casefold() in _UNNAMED else licence


def _corpora(config: Config, inputs: Mapping[str, str], of: str = "") -> list[Part]:
    parts = []
    for name, corpus in config.data.corpora.items():
        licence, origin = corpus.licence, "the config"
        if licence is None:
            licence, origin = (OWN, "comes with mt") if _is_ours(corpus, inputs) else (None, "the config names none")
        is_in_model = corpus.own_split in (None, "train")
        parts.append(Part("corpus", f"{name}{of}", licence, origin, is_in_model))
    return parts


def _is_ours(corpus: CorpusConfig, inputs: Mapping[str, str]) -> bool:
    """Whether a corpus is a file that comes with this project, by the SHA-256 of what the run has read."""
    return inputs.get(printable(corpus.path)) in _our_hashes()


@cache
def _our_hashes() -> frozenset[str]:
    folder = EMBEDDED_MODELS / "data"
    return frozenset(sha256_of(file) for file in folder.rglob("*") if file.is_file())
