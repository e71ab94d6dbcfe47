"""Two runs side by side: what differs in their options, data and scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mt.files import printable
from mt.report.leaderboard import make_board
from mt.report.leaderboard_columns import Cell, score_cell
from mt.report.leaderboard_options import ABSENT, differing, section_of
from mt.report.leaderboard_reading import Entry, Score
from mt.runs import RunDirectory
from mt.wording import shorten

_SPLITS = ("train", "dev", "test")
_FACTS = ("read", "train", "dev", "test", "in an epoch")


@dataclass
class Section:
    """One table of the comparison, with what is said below it."""

    title: str
    header: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    none: str = ""
    """What is said instead of an empty table."""
    notes: list[str] = field(default_factory=list)


def compare_runs(first: Entry, second: Entry, metrics: Sequence[str]) -> list[Section]:
    """What differs between two runs: options, what they were made with, data, and scores on common test sets."""
    pair = (first, second)
    return [_options(pair), _making(pair), _data(pair), _scores(pair, metrics)]


def _header(what: str, pair: Sequence[Entry]) -> list[str]:
    return [what, *(entry.name for entry in pair)]


def _options(pair: Sequence[Entry]) -> Section:
    found = differing([(entry.options, entry.manifest) for entry in pair])
    section = Section("Options that differ", _header("option", pair), none="All options are the same.")
    section.rows = [[Cell(key), *(Cell(value.text) for value in values)] for key, values in found.items()]
    for entry in pair:
        if not entry.options:
            section.notes.append(f"the config of {entry.name} cannot be read")
            section.none = "The options cannot be compared."
            section.rows = []
    return section


def _making(pair: Sequence[Entry]) -> Section:
    """Versions, machines and the course of training, as far as they differ."""
    facts = [dict(_facts(entry)) for entry in pair]
    section = Section("How they were made", _header("fact", pair), none="With the same versions, on the same machine.")
    for name in dict.fromkeys(name for each in facts for name in each):
        values = [each.get(name, ABSENT) for each in facts]
        if values[0] != values[1]:
            section.rows.append([Cell(name), *map(Cell, values)])
    return section


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    manifest = entry.manifest
    yield "state", entry.state
    yield "method", entry.method
    base = section_of(manifest, "base_model")
    yield "base model", f"{entry.base} ({base['family']})" if base.get("family") else entry.base
    for package, version in section_of(manifest, "versions").items():
        yield package, str(version)
    yield "commit of mt", str(manifest.get("git_commit") or ABSENT)[:12]
    hardware = section_of(manifest, "hardware")
    cores = f"{hardware['cpus']} CPU cores" if "cpus" in hardware else ABSENT
    gpus = hardware.get("gpus")
    yield "processors", ", ".join(map(str, gpus)) if isinstance(gpus, list) and gpus else cores
    for name, key in (("processes", "processes"), ("updates", "updates"), ("best update", "best_update")):
        yield name, str(manifest.get(key, ABSENT))
    yield "target tokens seen", str(section_of(manifest, "tokens_seen").get("target", ABSENT))
    yield "wall time in seconds", ABSENT if entry.seconds is None else f"{entry.seconds:g}"


def _data(pair: Sequence[Entry]) -> Section:
    """Counts by corpus, and whether files and splits are the same by their SHA-256."""
    section = Section(
        "Data", _header("what", pair), none="The data are the same: every file and every split by its SHA-256."
    )
    reports = [_report(entry) for entry in pair]
    names = dict.fromkeys(name for report in reports for name in report)
    for name in names:
        counts = [_counts(report.get(name)) for report in reports]
        for fact in _FACTS:
            values = [count.get(fact, ABSENT) for count in counts]
            if values[0] != values[1]:
                section.rows.append([Cell(f"{name}: {fact}"), *map(Cell, values)])
    splits = [section_of(entry.manifest, "splits") for entry in pair]
    for split in _SPLITS:
        known = [section_of(each, split) for each in splits]
        if known[0] != known[1]:
            section.rows.append([Cell(f"split {split}"), *(Cell(_split_in_words(each)) for each in known)])
    inputs = [section_of(entry.manifest, "inputs") for entry in pair]
    digests = [{str(digest): path for path, digest in each.items()} for each in inputs]
    for digest in sorted(digests[0].keys() ^ digests[1].keys()):
        files = [f"{shorten(printable(each[digest]))} ({digest[:6]})" if digest in each else ABSENT for each in digests]
        section.rows.append([Cell("file only one has read"), *map(Cell, files)])
    if not all(splits):
        section.none = "One of the runs has not built its data, or its manifest is gone: nothing can be compared."
    elif splits[0].get("test") != splits[1].get("test"):
        section.notes.append(
            "the test splits differ, so one run may have trained on the other's test sentences: compare them on a test "
            "set of its own"
        )
    return section


def _split_in_words(split: Mapping[str, Any]) -> str:
    return f"{split['pairs']} pairs ({str(split.get('sha256'))[:6]})" if "pairs" in split else ABSENT


def _report(entry: Entry) -> dict[str, Any]:
    """What `data_report.json` says of each corpus; empty if it cannot be read."""
    try:
        content = json.loads(RunDirectory(entry.path).data_report.read_text(encoding="utf-8"))
        corpora = content["corpora"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return corpora if isinstance(corpora, dict) else {}


def _counts(report: Any) -> dict[str, str]:
    if not isinstance(report, dict):
        return {}
    kept = section_of(report, "kept")
    values = {"read": report.get("read"), **{split: kept.get(split) for split in _SPLITS}}
    values["in an epoch"] = report.get("epoch_pairs")
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()}


def _scores(pair: Sequence[Entry], metrics: Sequence[str]) -> Section:
    """Scores on the test sets that both have, and the second's difference from the first; nothing is tested."""
    first, second = (entry.name for entry in pair)
    section = Section(
        "Scores on common test sets",
        [*_header("score", pair), f"{second} minus {first}"],
        none="They were scored on no common test set.",
        notes=[
            f"not compared by a paired test here: `evaluate.py {' '.join(printable(e.path) for e in pair)}` does that"
        ],
    )
    board = make_board(pair, metrics)
    alone: dict[str, None] = {}
    for number, column in enumerate(board.columns):
        if column.group not in ("scores", "forgetting"):
            continue
        cells = [row[number] for row in board.rows]
        if any(cell.value is None for cell in cells):
            alone[column.title] = None
            continue
        change = Score("", "", cells[1].value - cells[0].value, None, None, 0, "")
        section.rows.append([Cell(column.title), *cells, score_cell(change, is_difference=True)])
    if alone:
        section.notes.append(f"only one of them has {', '.join(alone)}")
    return section
