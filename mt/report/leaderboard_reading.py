"""Runs and evaluations as `mt leaderboard` reads them: small files only, nothing loaded, nothing computed again.

Whatever a directory holds, it becomes an `Entry`: one that is unfinished, damaged or being written says so in `state`.
"""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mt.config.yaml_files import parse_yaml
from mt.errors import RunError
from mt.input_files import is_file
from mt.manifest import read_manifest
from mt.outputs import MARK, read_mark
from mt.report.leaderboard_directories import begun, is_in_use, kind_of, size_of
from mt.report.leaderboard_options import method_of, section_of, with_defaults
from mt.runs import EVALUATION, TRAINING_RUN, RunDirectory, read_metrics

FINISHED = "finished"
_RUN, _EVALUATION = TRAINING_RUN.name, EVALUATION.name
_BASE, _FINETUNED = "base", "finetuned"
_OWN_TEST_SET = "test"
# Resamples and their seed move the interval, not the score.
_OF_THE_INTERVAL = re.compile(r"\|(?:bs|rs|seed):[^|]*")


@dataclass(frozen=True)
class Score:
    """One number of a `scores.json`, with its 95 % interval."""

    test_set: str
    metric: str
    value: float
    low: float | None
    high: float | None
    sentences: int
    signature: str
    """sacreBLEU's, without what concerns the interval alone."""
    doubt: str = ""
    """Why no verdict may rest on it, as a clause; empty if nothing is known."""


@dataclass
class Entry:
    """One line of the leaderboard: a system that was scored, or a directory that has no scores to show."""

    name: str
    path: Path
    kind: str
    """`training run`, `evaluation` or `base model`."""
    state: str = FINISHED
    system: str = ""
    base: str = ""
    method: str = ""
    started: str = ""
    """ISO 8601 with zone; empty if unknown."""
    seconds: float | None = None
    """Wall time of all starts together."""
    size: int | None = None
    """Bytes on disk of the whole directory."""
    options: dict[str, Any] = field(default_factory=dict)
    """The layered config as it was resolved, with today's defaults for options that it lacks; empty if unknown."""
    manifest: dict[str, Any] = field(default_factory=dict)
    scores: list[Score] = field(default_factory=list)
    forgotten: list[Score] = field(default_factory=list)
    """Differences of the fine-tuned model from its base on general test sets; below 0, something was lost."""
    contents: dict[str, frozenset[str]] = field(default_factory=dict)
    """By test set: fingerprints of its sentences. Two test sets are the same if they share one."""


def read_entries(directory: Path, name: str) -> list[Entry]:
    """The lines of one directory: a run and its base, or every system of an evaluation. Never raises for its content.

    name: what the directory is called on the board.
    """
    kind = kind_of(directory) or _EVALUATION
    entry = Entry(name, directory, kind, size=size_of(directory))
    faults: list[str] = []
    if kind == _RUN:
        _read_run(entry, faults)
    entry.started = entry.started or begun(directory)
    content = _read_scores(directory, faults)
    entry.state = f"damaged: {'; '.join(faults)}" if faults else _state(entry, content is not None)
    if content is None:
        return [entry]
    try:
        return _scored(entry, content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        entry.state = f"of another version: its scores.json cannot be read ({type(error).__name__}: {error})"[:200]
        return [entry]


def _read_run(entry: Entry, faults: list[str]) -> None:
    run = RunDirectory(entry.path)
    try:
        entry.manifest = read_manifest(run.manifest)
    except (RunError, RecursionError):
        faults.append("manifest.json is not readable")
    try:
        config = parse_yaml(run.config.read_text(encoding="utf-8"))
        entry.options = with_defaults(config if isinstance(config, dict) else {})
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        faults.append("config.yaml is not readable")
    started, seconds = entry.manifest.get("started"), entry.manifest.get("wall_seconds")
    entry.started = started if isinstance(started, str) else ""
    entry.seconds = float(seconds) if isinstance(seconds, int | float) else None
    entry.base = _base_name(entry)
    entry.method = method_of(entry.options, entry.manifest) if entry.options else ""
    entry.system = _FINETUNED


def _base_name(entry: Entry) -> str:
    model = section_of(entry.options, "model")
    if model.get("scratch"):
        return "none"
    name = section_of(entry.manifest, "base_model").get("name") or model.get("name") or ""
    # Of a path, enough to know it by: `runs/a/model` and not what is above.
    return "/".join(Path(str(name)).parts[-3:]) if str(name).startswith(("/", ".")) else str(name)


def _read_scores(directory: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        content = json.loads((directory / "scores.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        faults.append("scores.json is not readable")
        return None
    if not isinstance(content, dict):
        faults.append("scores.json is not a JSON object")
        return None
    return content


def _scored(entry: Entry, content: Mapping[str, Any]) -> list[Entry]:
    """An entry per system of a `scores.json`. Raises what a content of another form raises."""
    doubts = content.get("cautions") or []
    general = set(content.get("general_test_sets") or [])
    systems: dict[str, list[Score]] = {}
    for each in content["scores"]:
        score = _score(each, doubts)
        if score is not None:
            systems.setdefault(str(each["system"]), []).append(score)
    entry.contents = _contents(entry, content, {score.test_set for scores in systems.values() for score in scores})
    if entry.kind == _EVALUATION:
        return [_part(entry, name, scores, entry.kind) for name, scores in systems.items()] or [entry]
    entry.scores = systems.get(_FINETUNED, [])
    entry.forgotten = [each for each in _changes(content) if each.test_set in general]
    # Of a damaged run it is not known what the base was, or on what it was scored.
    base = systems.get(_BASE) if entry.state.startswith(FINISHED) else None
    return [entry, *([_part(entry, _BASE, base, "base model")] if base else [])]


def _part(entry: Entry, system: str, scores: list[Score], kind: str) -> Entry:
    """A system beside a run's own: its base, or one of an evaluation."""
    name = f"{entry.base} (base)" if kind == "base model" else f"{entry.name}: {system}"
    facts = {"base_model": entry.manifest.get("base_model")} if kind == "base model" else {}
    size = entry.size if kind == _EVALUATION else None
    started = entry.started if kind == _EVALUATION else ""
    return Entry(
        *(name, entry.path, kind, entry.state if kind == _EVALUATION else FINISHED, system, entry.base),
        started=started,
        size=size,
        manifest=facts,
        scores=scores,
        contents=entry.contents,
    )


def _score(each: Mapping[str, Any], doubts: Sequence[Mapping[str, Any]]) -> Score | None:
    if each["score"] is None or not math.isfinite(each["score"]):
        return None
    test_set, system = str(each["test_set"]), each["system"]
    about = (d for d in doubts if d["forbids"] and d["test_set"] == test_set and d["system"] in (None, system))
    low, high = (None if each.get(end) is None else float(each[end]) for end in ("ci_low", "ci_high"))
    signature = _OF_THE_INTERVAL.sub("", str(each.get("signature", "")))
    doubt = "; ".join(str(caution["text"]) for caution in about)
    size = int(each.get("sentences") or 0)
    return Score(test_set, str(each["metric"]), float(each["score"]), low, high, size, signature, doubt)


def _changes(content: Mapping[str, Any]) -> list[Score]:
    """The fine-tuned model's differences from its base, one per test set and metric; both tests have the same one."""
    found: dict[tuple[str, str], Score] = {}
    signatures = {(each["test_set"], each["metric"]): str(each.get("signature", "")) for each in content["scores"]}
    for each in content.get("comparisons") or []:
        key = (str(each["test_set"]), str(each["metric"]))
        if (each["system"], each["baseline"]) == (_FINETUNED, _BASE) and each["difference"] is not None:
            low, high = (None if each.get(end) is None else float(each[end]) for end in ("ci_low", "ci_high"))
            signature = _OF_THE_INTERVAL.sub("", signatures.get(key, ""))
            size = int(each.get("sentences") or 0)
            found[key] = Score(
                *key, float(each["difference"]), low, high, size, signature, str(each.get("refused", ""))
            )
    return list(found.values())


def _contents(entry: Entry, content: Mapping[str, Any], names: set[str]) -> dict[str, frozenset[str]]:
    """By test set, what is known of its content; where nothing is, it equals no other one."""
    hashes = section_of(content, "test_set_sha256")
    found: dict[str, set[str]] = {name: {f"pairs {hashes[name]}"} if name in hashes else set() for name in names}
    split = section_of(section_of(entry.manifest, "splits"), _OWN_TEST_SET).get("sha256")
    if split and _OWN_TEST_SET in found:
        # Earlier versions recorded nothing else; a run of today has both, and so links the two.
        found[_OWN_TEST_SET].add(f"rows {split}")
    return {name: frozenset(known or {f"unknown {entry.path.resolve()} {name}"}) for name, known in found.items()}


def _state(entry: Entry, has_scores: bool) -> str:
    """One word, or a few, on how far the directory has come."""
    user = read_mark(entry.path).get("used_by") or {}
    if is_in_use(entry.path, user):
        return f"being written{_progress(entry)}"
    if not has_scores:
        elsewhere = str(user.get("host") or "")
        if elsewhere and elsewhere != socket.gethostname():
            return f"unfinished, or being written on {elsewhere}{_progress(entry)}"
        return f"unfinished{_progress(entry)}"
    return FINISHED if is_file(entry.path / MARK) else "finished, earlier version"


def _progress(entry: Entry) -> str:
    metrics = read_metrics(RunDirectory(entry.path)) if entry.kind == _RUN else []
    if not metrics:
        return ""
    planned = entry.manifest.get("updates_planned")
    return f", update {metrics[-1]['update']:g}" + (f" of {planned}" if isinstance(planned, int) else "")
