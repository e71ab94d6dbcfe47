"""The folder that `mt publish` uploads: the model, its cards and its scores, without any sentence of the corpora."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mt.config import Config
from mt.config.parsing import read_config
from mt.data.report import DataReport
from mt.errors import RunError, UserError
from mt.files import write_json, write_text, writing
from mt.manifest import read_manifest
from mt.report.data_card import as_markdown
from mt.report.leaderboard_directories import kind_of
from mt.report.leaderboard_options import section_of, with_defaults
from mt.report.leaderboard_reading import FINISHED, read_entries
from mt.report.publishing_card import Publication, render_published_card, without_paths
from mt.report.publishing_licences import corpus_licences, licence_chain, licence_of_model
from mt.runs import TRAINING_RUN, RunDirectory

_OF_A_MODEL = ("*.json", "*.safetensors", "*.spm", "*.model", "*.jinja", "vocab.txt", "merges.txt")
"""Everything that transformers loads a model from, and nothing that is run when it is loaded."""

_OF_THIS_MACHINE = frozenset({"_name_or_path", "name_or_path", "tokenizer_file", "special_tokens_map_file"})
"""Keys under which libraries note where they have loaded a model from; nothing reads them."""

_KEPT_SCORES = (
    *("scores", "comparisons", "fidelity", "baseline", "advice", "verdicts", "general_test_sets", "drawn_by"),
    *("distinct_sentences", "test_set_sha256", "decoding", "engines"),
)
"""The keys of `scores.json` without words of the test sets; `ngrams` and `fidelity_failures` quote them."""

_REPORT = ("report.html", "report.md")
MAY_BE_REPLACED = [*_REPORT, "model*.safetensors", "model.safetensors.index.json"]
"""What an earlier upload may have left that this one does not have."""


def read_publication(root: Path, repo: str, licence: str | None, *, with_report: bool = False) -> Publication:
    """What is to be published of a run, once all is found in order; nothing is written.

    licence: for the card; None: what the licence chain comes to. Raises `UserError` for a run that is not finished or
    damaged, weights that are not whole, code inside the model, and a licence that the chain forbids.
    """
    if not root.is_dir():
        raise RunError(f"{root}: no such directory; name a finished run")
    if kind_of(root) != TRAINING_RUN.name:
        raise RunError(f"{root}: is no training run; name the directory that `train.py` has written")
    entry = read_entries(root, root.name)[0]
    if not entry.state.startswith(FINISHED):
        raise RunError(f"{root}: the run is {entry.state}; let it finish with --resume, then publish it")
    run = RunDirectory(root)
    check_model(run.model)
    config = read_config(run.config)
    manifest = read_manifest(run.manifest)
    for file in _REPORT if with_report else ():
        if not (root / file).is_file():
            raise RunError(f"{root / file}: is missing; leave out --with_report, or resume the run to write it again")
    chain = licence_chain(config, section_of(manifest, "inputs"), section_of(manifest, "back_translations"))
    return Publication(
        repo,
        config,
        entry.options or with_defaults({}),
        manifest,
        json.loads(run.scores.read_text(encoding="utf-8")),
        chain,
        licence_of_model(chain, licence),
        _json_of(run.model / "config.json"),
        with_report,
    )


def check_model(model: Path) -> None:
    """Raise `RunError` unless the directory holds a whole model that loads without running code of its own."""
    weights = sorted(model.glob("*.safetensors"))
    if not weights:
        raise RunError(f"{model}: holds no weights in safetensors; resume the run to save its model again")
    for file in weights:
        try:
            with safe_open(file, framework="numpy") as opened:
                opened.keys()
        except (SafetensorError, OSError) as error:
            raise RunError(f"{file}: is not whole ({error}); resume the run to save its model again") from error
    index = model / "model.safetensors.index.json"
    shards = set(section_of(_json_of(index), "weight_map").values()) if index.is_file() else set()
    for name in sorted(shards - {file.name for file in weights}):
        raise RunError(
            f"{model / name}: is missing, though {index.name} lists it; resume the run to save its model again"
        )
    for file in model.glob("*config.json"):
        if "auto_map" in _json_of(file):
            raise RunError(f"{file}: names code to run when the model is loaded (auto_map), which is never published")
    if "model_type" not in _json_of(model / "config.json"):
        raise RunError(f"{model / 'config.json'}: names no model_type; resume the run to save its model again")


def _json_of(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{file}: cannot be read ({error}); resume the run to save its model again") from error
    return content if isinstance(content, dict) else {}


def fill_folder(
    folder: Path, root: Path, publication: Publication, copy: Callable[[Path, Path], object] = shutil.copyfile
) -> list[str]:
    """Write everything that is published of a run into an empty folder; returns the names of model files left out.

    copy: how a file of the model gets there; an upload needs a link only. Raises `RunError`.
    """
    run, config = RunDirectory(root), publication.config
    card = render_published_card(run.model / "README.md", publication)
    files = sorted(file for pattern in _OF_A_MODEL for file in run.model.glob(pattern) if file.is_file())
    with writing(folder):
        for file in files:
            _take(file.resolve(), folder / file.name, copy)
        for name in _REPORT if publication.with_report else ():
            copy((root / name).resolve(), folder / name)
    write_text(folder / "README.md", card)
    write_text(folder / "data_card.md", _data_card(run, config, publication))
    scores = {key: publication.scores[key] for key in _KEPT_SCORES if key in publication.scores}
    write_json(folder / "scores.json", _without_paths(scores, config))
    known = {file.name for file in files} | {"README.md"}
    # What is left out is named: it may be what the owner was looking for.
    return sorted(file.name for file in run.model.iterdir() if file.name not in known)


def _take(file: Path, taken: Path, copy: Callable[[Path, Path], object]) -> None:
    content = _json_of(file) if file.name.endswith("config.json") else {}
    if _OF_THIS_MACHINE & content.keys():
        write_json(taken, {key: value for key, value in content.items() if key not in _OF_THIS_MACHINE})
    else:
        copy(file, taken)


def _data_card(run: RunDirectory, config: Config, publication: Publication) -> str:
    try:
        report = DataReport.read(run.data_report)
    except UserError as error:
        raise RunError(f"{error}; without it there is no data card to publish") from error
    licences = corpus_licences(config, section_of(publication.manifest, "inputs"))
    # Where no licence is known, that is what a stranger must read.
    named = {name: licence or "unknown" for name, licence in licences.items()}
    return without_paths(as_markdown(report, config.model.languages, named, with_sentences=False), config)


def _without_paths(value: Any, config: Config) -> Any:
    if isinstance(value, dict):
        return {key: _without_paths(item, config) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item, config) for item in value]
    return without_paths(value, config) if isinstance(value, str) else value
