"""The options of runs side by side: what differs, without what says only where a file lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mt.config import Config, CorpusConfig
from mt.config.config_files import CORPUS_MAPS, config_as_yaml
from mt.files import sha256_of_json
from mt.wording import shorten

NOISE = frozenset(
    {"name", "output_dir", "data.workers", "data.cache_dir", "training.report_to", "training.log_every_updates"}
)
"""Options that change nothing in a model or its scores."""

ABSENT = "—"
"""What is shown for an option, or a corpus, that a run does not have."""

_FILES = frozenset({"model.name", "decoding.terminology", "evaluation.glossary"})
_SINGLE_CORPUS = "training.general_dev"
_OF_CORPORA = frozenset({"path", "target_path"})
# How recipes name the text that is replayed so that nothing is forgotten.
_REPLAYED = ("general", "replay")


class Value(NamedTuple):
    """The value of an option in one run."""

    identity: str
    """Equal for values that mean the same: a file counts by its content, where that is known."""
    text: str
    is_unknown_file: bool = False
    """Whether it is a file, and its content is not known: then it equals one of its name."""


def with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as a run keeps it; an option that an earlier version did not have gets its default."""
    merged = _over(_defaults(), config)
    for section, name in (key.split(".") for key in CORPUS_MAPS):
        corpora = section_of(section_of(merged, section), name)
        for corpus, options in corpora.items():
            if isinstance(options, dict):
                corpora[corpus] = _corpus_defaults() | options
    general = section_of(section_of(merged, "training"), "general_dev")
    if general:
        merged["training"]["general_dev"] = _corpus_defaults() | general
    return merged


def differing(runs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, list[Value]]:
    """{option: its value in each run} for the options that differ. runs: config and manifest of each.

    A corpus that only some runs have is one option; of those that all have, each option counts by itself.
    """
    flat = [_flat(options, _hashes(manifest)) for options, manifest in runs]
    keys = list(dict.fromkeys(key for values in flat for key in values))
    # A section that is null in one run is one option in all, not one per key.
    folded = {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    folded |= _partly_there([options for options, _ in runs])
    keys = list(dict.fromkeys(next((s for s in folded if key.startswith(f"{s}.")), key) for key in keys))
    found: dict[str, list[Value]] = {}
    for key in keys:
        values = _with_known_files([each.get(key) or _folded(each, key) for each in flat])
        if key not in NOISE and len({value.identity for value in values}) > 1:
            found[key] = _told_apart(values)
    return found


def _partly_there(configs: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys of corpora and test sets that some of the configs lack."""
    found: set[str] = set()
    for key in CORPUS_MAPS:
        section, name = key.split(".")
        names = [set(section_of(section_of(config, section), name)) for config in configs]
        found |= {f"{key}.{corpus}" for corpus in set().union(*names) if not all(corpus in each for each in names)}
    return found


def _with_known_files(values: Sequence[Value]) -> list[Value]:
    """The values; a file whose content no manifest tells counts as the first one of its name."""
    known: dict[str, str] = {}
    for value in values:
        if not value.is_unknown_file:
            known.setdefault(value.text, value.identity)
    return [v._replace(identity=known.get(v.text, v.identity)) if v.is_unknown_file else v for v in values]


def _told_apart(values: Sequence[Value]) -> list[Value]:
    """The values; what differs and looks alike, as two files of one name, gets the beginning of its SHA-256."""
    identities: dict[str, set[str]] = {}
    for value in values:
        identities.setdefault(value.text, set()).add(value.identity)
    return [v._replace(text=f"{v.text} ({v.identity[:6]})") if len(identities[v.text]) > 1 else v for v in values]


def method_of(options: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """How the model was adapted, in a few words: `full, replay, average of 3`."""
    model, data, adaptation = (section_of(options, name) for name in ("model", "data", "adaptation"))
    lora = adaptation.get("lora")
    frozen = adaptation.get("freeze") or []
    words = ["from scratch" if model.get("scratch") else _lora_in_words(lora) if isinstance(lora, dict) else ""]
    words += [f"frozen {'+'.join(map(str, frozen))}"] if isinstance(frozen, list) and frozen else []
    words = list(filter(None, words)) or ["full"]
    corpora = [str(name).casefold() for name in section_of(data, "corpora")]
    words += ["replay"] if any(name.startswith(_REPLAYED) for name in corpora) else []
    words += ["KL"] if adaptation.get("kl_weight") else []
    average = adaptation.get("average")
    words += [f"average of {average}"] if isinstance(average, int) and average > 1 else []
    share = manifest.get("tuned_share")
    words += [f"{share:.0%} tuned"] if isinstance(share, int | float) and share < 1 else []
    words += ["terms inline"] if section_of(options, "decoding").get("terminology") else []
    return ", ".join([*words, *(["base kept"] if manifest.get("model_is_base") else [])])


def _lora_in_words(lora: Mapping[str, Any]) -> str:
    kind = "QLoRA" if lora.get("base_precision") == "4bit" else "LoRA"
    return f"{kind} {lora.get('rank')}"


def _flat(options: Mapping[str, Any], hashes: Mapping[str, str], key: str = "") -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in options.items():
        inside = f"{key}.{name}".lstrip(".")
        if isinstance(value, Mapping):
            found |= _flat(value, hashes, inside)
        else:
            is_of_corpus = key == _SINGLE_CORPUS or key.rpartition(".")[0] in CORPUS_MAPS
            is_file = inside in _FILES or (is_of_corpus and name in _OF_CORPORA)
            found[inside] = _file(value, hashes) if is_file and isinstance(value, str) else _value(value)
    return found


def _folded(flat: Mapping[str, Value], key: str) -> Value:
    """A section as one value: a corpus by its file, another one by all its options."""
    inside = {name.removeprefix(f"{key}."): value for name, value in flat.items() if name.startswith(f"{key}.")}
    if not inside:
        return Value("", ABSENT)
    if "path" in inside:
        return inside["path"]
    text = ", ".join(f"{name} {value.text}" for name, value in inside.items())
    return Value(json.dumps({name: value.identity for name, value in inside.items()}), shorten(text, 60))


def _value(value: Any) -> Value:
    identity = json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, float) and value.is_integer():
        identity = json.dumps(int(value))  # 4 and 4.0 are one value
    if isinstance(value, list):
        return Value(identity, shorten(", ".join(map(str, value)) or "none", 60))
    words = {None: "none", True: "true", False: "false"}
    is_word = value is None or isinstance(value, bool)
    return Value(
        identity, words[value] if is_word else shorten(f"{value:g}" if isinstance(value, float) else str(value), 60)
    )


def _file(path: str, hashes: Mapping[str, str]) -> Value:
    known = hashes.get(path)
    parts = Path(path).parts
    is_path = path.startswith((".", "/")) or known is not None or bool(Path(path).suffix)
    # `a/model` says more than `model`; a name on the hub is shown whole.
    name = path if not is_path or not parts else "/".join(parts[-2:]) if parts[-1] == "model" else parts[-1]
    return Value(known or name, shorten(name, 60), known is None)


def _hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 by path, as the manifest recorded the inputs; of the base model, that of all its files together."""
    inputs, base = section_of(manifest, "inputs"), section_of(manifest, "base_model")
    known = {path: digest for path, digest in inputs.items() if isinstance(digest, str)}
    if base.get("identity") and isinstance(base.get("name"), str):
        known[base["name"]] = sha256_of_json(base["identity"])
    return known


def section_of(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The mapping under a key; empty if there is something else, or nothing."""
    value = options.get(name)
    return value if isinstance(value, dict) else {}


def _over(below: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for name, value in over.items():
        before = result.get(name)
        result[name] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


@cache
def _defaults() -> dict[str, Any]:
    defaults: dict[str, Any] = yaml.safe_load(config_as_yaml(Config(name="run")))
    return defaults


@cache
def _corpus_defaults() -> dict[str, Any]:
    fields = CorpusConfig(path="?").__dict__
    return {name: value for name, value in fields.items() if name != "path"}
