"""The leaderboard: what is read of runs in any state, which scores share a column, what differs between two runs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mt.evaluation.results import Evaluation
from mt.evaluation.test_set import TestSet
from mt.outputs import claim
from mt.report.leaderboard import Board, make_board
from mt.report.leaderboard_columns import date_cell, size_cell, time_cell
from mt.report.leaderboard_options import differing, method_of, with_defaults
from mt.report.leaderboard_reading import read_entries
from mt.report.scores_json import as_json
from mt.runs import EVALUATION, claim_run
from tests.conftest import ROOT
from tests.helpers import only_line, run

CHRF = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"
SPLIT = "5" * 64
MANIFEST: dict[str, Any] = {
    "started": "2026-11-26T17:34:31+00:00",
    "versions": {"mt": "0.1.0", "torch": "2.13.0"},
    "inputs": {"news.tsv": "a" * 64},
    "base_model": {"name": "tiny-en-ar", "identity": {"config.json": "f" * 64}, "family": "marian"},
    "wall_seconds": 288.1,
    "splits": {"train": {"pairs": 4612, "sha256": "7" * 64}, "test": {"pairs": 232, "sha256": SPLIT}},
    "tuned_share": 1.0,
    "model_is_base": False,
}
CONFIG = "name: demo\ndata: {corpora: {news: {path: news.tsv}}}\nmodel: {name: tiny-en-ar}\n"


def score(system: str, value: float, test_set: str = "test", **more: Any) -> dict[str, Any]:
    entry = {"system": system, "test_set": test_set, "metric": "chrF", "score": value, "sentences": 232}
    entry |= {"ci_low": value - 1, "ci_high": value + 1, "signature": f"{CHRF}|bs:1000"}
    return entry | more


def scores_of(*scores: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"scores": list(scores), "comparisons": [], "general_test_sets": [], "cautions": [], **more}


def make_run(root: Path, tuned: float | None = 40.0, config: str = CONFIG, scores: Any = None, **manifest: Any) -> Path:
    """A run directory as `train.py` leaves it, as far as the leaderboard reads it; without a score it is unfinished."""
    with claim_run(root, {}) as made:
        made.begin(config)
        made.manifest.write_text(json.dumps(MANIFEST | manifest))
        if scores is None and tuned is not None:
            scores = scores_of(score("base", 30.0), score("finetuned", tuned))
        if scores is not None:
            made.scores.write_text(json.dumps(scores))
    return root


def make_evaluation(root: Path, scores: Any) -> Path:
    with claim(root, EVALUATION, {}):
        (root / "scores.json").write_text(json.dumps(scores))
    return root


def board_of(*directories: Path, metrics: tuple[str, ...] = ("chrF",)) -> Board:
    return make_board([e for each in directories for e in read_entries(each, each.name)], metrics)


def columns_of(board: Board, group: str) -> dict[str, list[Any]]:
    """Values by title, in the order of rows."""
    numbers = [(n, column.title) for n, column in enumerate(board.columns) if column.group == group]
    return {title: [row[n].value for row in board.rows] for n, title in numbers}


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert run(monkeypatch, "mt", "leaderboard", *argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


# Which scores share a column


def test_runs_with_one_split_share_a_column_and_their_base(tmp_path: Path):
    board = board_of(make_run(tmp_path / "a", 40.0), make_run(tmp_path / "b", 41.5))
    assert [entry.name for entry in board.entries] == ["a", "tiny-en-ar (base)", "b"]
    assert columns_of(board, "scores") == {"chrF on test": [40.0, 30.0, 41.5]}


def test_a_base_keeps_the_interval_that_came_first(tmp_path: Path):
    few = scores_of(score("base", 30.0, ci_low=28.0, signature=f"{CHRF}|bs:100"), score("finetuned", 41.0))
    board = board_of(make_run(tmp_path / "a"), make_run(tmp_path / "b", scores=few))
    assert [(row[0].text, row[1].interval) for row in board.rows][1] == ("tiny-en-ar (base)", "[29.0, 31.0]")


def test_other_sentences_have_a_column_of_their_own(tmp_path: Path):
    other = {"test": {"pairs": 250, "sha256": "6" * 64}}
    board = board_of(make_run(tmp_path / "a", 40.0), make_run(tmp_path / "b", 50.0, splits=other))
    assert [entry.name for entry in board.entries] == ["a", "tiny-en-ar (base)", "b", "tiny-en-ar (base) of b"]
    assert columns_of(board, "scores") == {
        "chrF on test (555555)": [40.0, 30.0, None, None],
        "chrF on test (666666)": [None, None, 50.0, 30.0],
    }


def test_the_name_says_nothing_and_the_fingerprint_all(tmp_path: Path):
    def evaluation(name: str, test_set: str, digest: str | None) -> Path:
        known = {} if digest is None else {"test_set_sha256": {test_set: digest}}
        return make_evaluation(tmp_path / name, scores_of(score("x", 20.0, test_set), **known))

    board = board_of(
        *(evaluation("a", "desk", "1" * 64), evaluation("b", "the desk's", "1" * 64)),
        *(evaluation("c", "desk", "2" * 64), evaluation("d", "desk", None), evaluation("e", "desk", None)),
    )
    found = columns_of(board, "scores")
    assert sorted(map(str, found.values())) == sorted(
        map(
            str,
            [
                [20.0, 20.0, None, None, None],
                *[[20.0 if n == place else None for n in range(5)] for place in (2, 3, 4)],
            ],
        )
    )
    assert len(found) == 4


def test_a_run_of_today_links_split_and_sentences(tmp_path: Path):
    """An evaluation names the sentences, an older run the rows of its split; a run that has both is the bridge."""
    known = {"test_set_sha256": {"test": "1" * 64}}
    today = make_run(tmp_path / "today", scores=scores_of(score("finetuned", 41.0), **known))
    evaluation = make_evaluation(tmp_path / "evaluation", scores_of(score("vendor", 45.0), **known))
    board = board_of(make_run(tmp_path / "older", 40.0), today, evaluation)
    assert columns_of(board, "scores") == {"chrF on test": [40.0, 30.0, 41.0, 45.0]}


def test_another_signature_is_another_column_but_resamples_are_not(tmp_path: Path):
    few = score("finetuned", 41.0, signature=f"{CHRF}|bs:100")
    other = score("finetuned", 42.0, signature=f"{CHRF.replace('2.6.0', '2.7.0')}|bs:1000")
    board = board_of(
        make_run(tmp_path / "a", scores=scores_of(score("finetuned", 40.0))),
        make_run(tmp_path / "b", scores=scores_of(few)),
        make_run(tmp_path / "c", scores=scores_of(other)),
    )
    assert columns_of(board, "scores") == {
        "chrF on test (version:2.6.0)": [40.0, 41.0, None],
        "chrF on test (version:2.7.0)": [None, None, 42.0],
    }


def test_scores_json_records_the_sentences():
    test_sets = [TestSet("a", ["one"], ["واحد"]), TestSet("b", ["one"], ["واحد"]), TestSet("c", ["one"], ["اثنان"])]
    found = as_json(Evaluation("base", test_sets))["test_set_sha256"]
    # printf '[["one"], ["\\u0648\\u0627\\u062d\\u062f"]]' | sha256sum
    assert found["a"] == found["b"] == "58c26ca6a99aeaac6be61b4037940e052338a953e350384f03f1248e5fcaa723"
    assert found["c"] != found["a"]


# What is in a row


def test_forgetting_is_the_difference_on_general_text(tmp_path: Path):
    def change(test_set: str) -> dict[str, Any]:
        facts = {"system": "finetuned", "baseline": "base", "test_set": test_set, "metric": "chrF"}
        return facts | {"difference": -2.5, "ci_low": -3.1, "ci_high": -1.9, "sentences": 1012}

    scores = scores_of(
        *(score(system, 50.0, name) for system in ("base", "finetuned") for name in ("test", "flores")),
        comparisons=[change("flores"), change("test")],
        general_test_sets=["flores"],
    )
    board = board_of(make_run(tmp_path / "a", scores=scores))
    assert columns_of(board, "forgetting") == {"forgetting: chrF on flores": [-2.5, None]}
    number = next(n for n, column in enumerate(board.columns) if column.group == "forgetting")
    cell = board.rows[0][number]
    assert (cell.text, cell.interval) == ("−2.50", "[−3.1, −1.9]")


def test_a_score_that_no_verdict_may_rest_on_is_marked(tmp_path: Path):
    caution = {"test_set": "desk", "system": "b", "forbids": True, "text": "b has seen 31 of the 232 sentences"}
    scores = scores_of(score("a", 40.0, "desk"), score("b", 60.0, "desk"), cautions=[caution])
    board = board_of(make_evaluation(tmp_path / "e", scores))
    assert [row[1].note for row in board.rows] == ["", "b has seen 31 of the 232 sentences"]
    assert board.notes == ["! e: b, chrF on desk: b has seen 31 of the 232 sentences"]


@pytest.mark.parametrize(
    ("config", "manifest", "words"),
    [
        ({}, {}, "full"),
        ({"adaptation": {"lora": {"rank": 8}}}, {}, "LoRA 8"),
        ({"adaptation": {"freeze": ["embeddings", "encoder"]}}, {}, "frozen embeddings+encoder"),
        ({"model": {"scratch": {"d_model": 64}}}, {}, "from scratch"),
        ({"data": {"corpora": {"General": {"path": "un.tsv"}}}}, {}, "full, replay"),
        ({"adaptation": {"average": 3}}, {}, "full, average of 3"),
        ({"adaptation": {"kl_weight": 0.5, "interpolate": [0.5]}}, {"tuned_share": 0.5}, "full, KL, 50% tuned"),
        ({"decoding": {"terminology": "terms.tsv"}}, {"model_is_base": True}, "full, terms inline, base kept"),
    ],
)  # fmt: skip
def test_the_method_in_words(config: dict[str, Any], manifest: dict[str, Any], words: str):
    assert method_of(with_defaults(config), manifest) == words


def test_dates_durations_and_sizes():
    assert [time_cell(s).text for s in (0.4, 288.1, 3599.7, 7500.0, None)] == [
        *("0 s", "4 min 48 s", "1 h 00 min", "2 h 05 min", "")
    ]
    assert [size_cell(s).text for s in (0, 26_000_000, 3 * 2**30, None)] == ["0.0 MiB", "24.8 MiB", "3.0 GiB", ""]
    assert [date_cell(s).text for s in ("2026-11-26T17:34:31+00:00", "", "yesterday")] == ["2026-11-26 17:34", "", ""]


# Which options differ


def differences(*runs: tuple[dict[str, Any], dict[str, str]]) -> dict[str, list[str]]:
    found = differing([(with_defaults(config), {"inputs": inputs}) for config, inputs in runs])
    return {key: [value.text for value in values] for key, values in found.items()}


def test_options_that_differ_without_noise():
    a = {"name": "a", "output_dir": "x", "seed": 1, "data": {"workers": 4}, "training": {"epochs": 4.0}}
    b = {"name": "b", "seed": 2, "data": {"cache_dir": "/y"}, "training": {"epochs": 4, "report_to": ["wandb"]}}
    assert differences((a, {}), (b, {})) == {"seed": ["1", "2"]}
    # A version that lacked the option had its default.
    assert differences(({"adaptation": {"average": 3}}, {}), ({}, {})) == {"adaptation.average": ["3", "1"]}


def test_files_count_by_their_content():
    def corpus(path: str, **more: Any) -> dict[str, Any]:
        return {"data": {"corpora": {"news": {"path": path, **more}}}}

    a, b = corpus("/home/a/news.tsv"), corpus("b/news.tsv")
    assert differences((a, {"/home/a/news.tsv": "1" * 64}), (b, {"b/news.tsv": "1" * 64})) == {}
    assert differences((a, {"/home/a/news.tsv": "1" * 64}), (b, {"b/news.tsv": "2" * 64})) == {
        "data.corpora.news.path": ["news.tsv (111111)", "news.tsv (222222)"]
    }
    # Of a damaged manifest nothing is known, so nothing is claimed.
    assert differences((a, {"/home/a/news.tsv": "1" * 64}), (b, {})) == {}
    assert differences((corpus("n.tsv", weight=3), {}), (corpus("n.tsv"), {})) == {
        "data.corpora.news.weight": ["3", "1"]
    }


def test_a_corpus_or_section_that_one_lacks_is_one_option():
    a = {"data": {"corpora": {"news": {"path": "n.tsv"}, "general": {"path": "un.tsv", "weight": 0.1}}}}
    b = {"data": {"corpora": {"news": {"path": "n.tsv"}}}, "adaptation": {"lora": {"rank": 8, "alpha": 16}}}
    assert differences((a, {}), (b, {})) == {
        "data.corpora.general": ["un.tsv", "—"],
        "adaptation.lora": ["none", "rank 8, alpha 16"],
    }


# Runs in any state


def test_unfinished_and_damaged_runs_are_listed_with_a_word(tmp_path: Path):
    make_run(tmp_path / "whole")
    half = make_run(tmp_path / "half", None, updates_planned=790)
    (half / "metrics.jsonl").write_text('{"update": 100, "loss": 5.0}\n{"update": 105, "lo')
    for name, file in (("a", "manifest.json"), ("b", "scores.json"), ("c", "config.yaml")):
        (make_run(tmp_path / name) / file).write_text('{"torn": [')
    earlier = make_run(tmp_path / "earlier")
    (earlier / ".mt-output.json").unlink()
    far = make_run(tmp_path / "far", None)
    mark = json.loads((far / ".mt-output.json").read_text())
    mark["used_by"]["host"] = "gpu-7"
    (far / ".mt-output.json").write_text(json.dumps(mark))
    states = {entry.name: entry.state for each in tmp_path.iterdir() for entry in read_entries(each, each.name)}
    assert states == {
        "whole": "finished",
        "tiny-en-ar (base)": "finished",
        "half": "unfinished, update 100 of 790",
        "a": "damaged: manifest.json is not readable",
        "b": "damaged: scores.json is not readable",
        "c": "damaged: config.yaml is not readable",
        "earlier": "finished, earlier version",
        "far": "unfinished, or being written on gpu-7",
    }


def test_a_run_that_is_being_written(tmp_path: Path):
    with claim_run(tmp_path / "a", {}) as made:
        made.begin(CONFIG)
        made.manifest.write_text(json.dumps(MANIFEST))
        assert [entry.state for entry in read_entries(made.root, "a")] == ["being written"]
    # The process lives on, as that of a sweep does, but has let go.
    assert [entry.state for entry in read_entries(made.root, "a")] == ["unfinished"]


STRANGE = [
    *("[]", "null", "7", '"x"', "{}", "[" * 100_000, "\x00", '{"scores": [1]}', '{"scores": {"a": 1}}'),
    '{"scores": [{"system": 1}]}',
    '{"scores": [{"system": {}, "test_set": [], "metric": null, "score": 1e999, "sentences": "x"}], "cautions": 5}',
    '{"scores": [{"system": "finetuned", "test_set": "t", "metric": "chrF", "score": 1, "ci_low": []}]}',
    '{"scores": [{"system": "finetuned", "test_set": "t", "metric": "chrF", "score": NaN}], "test_set_sha256": 3}',
    '{"started": 5, "wall_seconds": "x", "base_model": 7, "splits": [], "inputs": 3, "versions": 1, "hardware": []}',
    '{"base_model": {"identity": 3, "name": 4}, "splits": {"test": {"sha256": {}}}, "tuned_share": "a"}',
    '{"inputs": {"news.tsv": 1}, "tokens_seen": 4, "splits": {"test": 5}, "updates_planned": "x"}',
    '{"training": {"epochs": .inf, "learning_rate": .nan}, "seed": 1.0e300}',
    '{"data": 5, "adaptation": {"lora": 3, "freeze": 7, "average": "x"}, "model": [], "decoding": null}',
    '{"data": {"corpora": {"a": 5, "b": null}}, "training": {"general_dev": 3}, "new": {"deep": {"er": [{}]}}}',
    '{"kind": "training run", "files": [], "used_by": {"host": 5, "process": "x", "since": []}}',
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("file", ["scores.json", "manifest.json", "config.yaml", ".mt-output.json", "data_report.json"])
def test_no_content_is_too_strange(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    make_run(tmp_path / "good")
    for number, text in enumerate(STRANGE):
        (make_run(tmp_path / f"run{number}") / file).write_text(text)
        (make_evaluation(tmp_path / f"evaluation{number}", scores_of(score("a", 1.0))) / file).write_text(text)
        for style in ("text", "json"):
            shown(monkeypatch, capsys, str(tmp_path / "good"), str(tmp_path / f"run{number}"), "--format", style)
    for style in ("text", "markdown", "csv", "json"):
        assert "good" in shown(monkeypatch, capsys, str(tmp_path), "--format", style, "--metric", "chrF")


def test_directories_are_found_once_and_others_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    make_run(tmp_path / "sweep" / "trial-1", 41.0)
    make_run(tmp_path / "a")
    (tmp_path / "a" / "model" / "b").mkdir(parents=True)
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "notes").mkdir()
    found = json.loads(shown(monkeypatch, capsys, str(tmp_path), str(tmp_path / "a"), "--format", "json"))
    names = [Path(row["name"]).name for row in found["rows"] if row["kind"] == "training run"]
    assert sorted(names) == ["a", "trial-1"]


# The command


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs below the folder `runs` of the current directory."""
    make_run(tmp_path / "runs" / "a", 40.0)
    slower = CONFIG + "training: {learning_rate: 3.0e-5}\n"
    make_run(tmp_path / "runs" / "b", 42.0, slower, started="2026-11-20T08:00:00+00:00", wall_seconds=90.0)
    make_run(tmp_path / "runs" / "\x1b[31mج", 38.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def names_of(text: str) -> list[str]:
    lines = text.split("\n\n")[0].splitlines()[2:]
    return [line.split("  ")[0] for line in lines]


@pytest.mark.usefixtures("runs")
def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    text = shown(monkeypatch, capsys, "runs")
    assert " ".join(text.splitlines()[0].split()) == (
        "name chrF on test base model method learning_rate started (UTC) wall time on disk"
    )
    assert names_of(text) == ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]
    assert "42.00 [41.0, 43.0]" in text
    assert "\x1b" not in text
    assert "note: rows are not compared by a paired test here: `evaluate.py A B` does that" in text


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("options", "order"),
    [
        (["--sort", "name"], ["\\x1b[31mج", "a", "b", "tiny-en-ar (base)"]),
        (["--sort", "date"], ["a", "\\x1b[31mج", "b", "tiny-en-ar (base)"]),
        (["--sort", "time"], ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]),
        (["--sort", "learning_rate", "--reverse"], ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]),
        (["--sort", "test", "--reverse"], ["tiny-en-ar (base)", "\\x1b[31mج", "a", "b"]),
        (["--sort", "chrF on test"], ["b", "a", "\\x1b[31mج", "tiny-en-ar (base)"]),
    ],
)
def test_sorting(
    options: list[str], order: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    found = names_of(shown(monkeypatch, capsys, "runs", *options))
    ties = {"a", "\\x1b[31mج"} if options[1] in ("date", "time", "learning_rate") else set()
    assert [("tie" if name in ties else name) for name in found] == [("tie" if n in ties else n) for n in order]


@pytest.mark.usefixtures("runs")
def test_tables_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    rows = list(csv.DictReader(io.StringIO(shown(monkeypatch, capsys, "runs", "--format", "csv"))))
    best = {key: rows[0][key] for key in ("path", "name", "chrF on test", "chrF on test, low", "wall time")}
    assert best == {
        "path": "runs/b",
        "name": "b",
        "chrF on test": "42.0",
        "chrF on test, low": "41.0",
        "wall time": "90.0",
    }
    assert [row["training.learning_rate"] for row in rows[:2]] == ["3e-05", "2e-05"]
    found = json.loads(shown(monkeypatch, capsys, "runs", "--format", "json"))["rows"][0]
    assert found["scores"]["chrF on test"] == {
        "test_set": "test",
        "value": 42.0,
        "ci_low": 41.0,
        "ci_high": 43.0,
        "doubt": "",
        "about": f"232 sentences; {CHRF}",
    }
    assert found["options"] == {"training.learning_rate": "3e-05"}
    markdown = shown(monkeypatch, capsys, "runs", "--format", "markdown").splitlines()
    assert markdown[2].startswith("| b ")


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["lost"], 1, "lost: no such directory; name folders of runs, or runs"),
        (["empty"], 1, "empty: no run and no evaluation there"),
        (["runs", "--metric", "COMET"], 1, "--metric COMET: no run has scores by that name; there are chrF"),
        (["runs", "--test_set", "desk"], 1, "--test_set desk: no run has scores by that name; there are test"),
        (["runs", "--sort", "beauty"], 2, "--sort beauty: there is no such column; choose one of name, chrF on test, "),
        (["runs", "--output", "board.txt"], 2, "--output takes the name of a page, such as leaderboard.html"),
        (["runs", "--output", "there.html"], 1, "there.html: exists; replace it with --overwrite or choose another"),
        (["runs", "--output", "empty.html"], 1, "empty.html: is a directory; name a file with --output FILE.html"),
        ([], 2, "mt leaderboard"),
    ],
)  # fmt: skip
def test_mistakes_in_one_sentence(
    argv: list[str], status: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    Path("empty").mkdir()
    Path("empty.html").mkdir()
    Path("there.html").write_text("mine")
    assert run(monkeypatch, "mt", "leaderboard", *argv) == status
    assert message in only_line(capsys)
    assert Path("there.html").read_text() == "mine"


def test_many_columns_are_cut_in_the_terminal_but_not_in_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    for number in range(7):
        make_run(tmp_path / str(number), splits={"test": {"pairs": 1, "sha256": f"{number}" * 64}})
    text = shown(monkeypatch, capsys, str(tmp_path))
    assert text.splitlines()[0].count("chrF on test") == 4
    assert "note: not shown: 3 columns of scores; --test_set and --metric choose, --format csv has all" in text
    header = shown(monkeypatch, capsys, str(tmp_path), "--format", "csv").splitlines()[0]
    assert header.count(", low") == 7


# Two runs


def test_two_runs_side_by_side(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    counts = {"read": 5000, "kept": {"train": 4612, "dev": 135, "test": 232}, "epoch_pairs": 4612.0}
    for name, more in (("a", {}), ("b", {"read": 5100})):
        (runs / name / "data_report.json").write_text(json.dumps({"corpora": {"news": counts | more}}))
    found = json.loads(shown(monkeypatch, capsys, "runs/a", "runs/b", "--format", "json"))
    assert found["Options that differ"]["rows"] == [["training.learning_rate", "2e-05", "3e-05"]]
    assert found["How they were made"]["rows"] == [["wall time in seconds", "288.1", "90"]]
    assert found["Data"]["rows"] == [["news: read", "5000", "5100"]]
    assert found["Scores on common test sets"]["rows"] == [["chrF on test", 40.0, 42.0, 2.0]]
    text = shown(monkeypatch, capsys, "runs/a", "runs/b")
    assert "chrF on test  40.00 [39.0, 41.0]  42.00 [41.0, 43.0]  +2.00" in text
    assert "note: not compared by a paired test here: `evaluate.py runs/a runs/b` does that" in text


def test_two_runs_with_other_data(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    other = {"test": {"pairs": 250, "sha256": "6" * 64}}
    make_run(runs / "c", 50.0, splits=other, inputs={"/home/me/news.tsv": "b" * 64})
    found = json.loads(shown(monkeypatch, capsys, "runs/a", "runs/c", "--format", "json"))
    assert found["Data"]["rows"] == [
        ["split train", "4612 pairs (777777)", "—"],
        ["split test", "232 pairs (555555)", "250 pairs (666666)"],
        ["file only one has read", "news.tsv (aaaaaa)", "—"],
        ["file only one has read", "—", "/home/me/news.tsv (bbbbbb)"],
    ]
    assert found["Data"]["notes"] == [
        "the test splits differ, so one run may have trained on the other's test sentences: compare them on a test set "
        "of its own"
    ]
    assert found["Scores on common test sets"]["rows"] == []
    same = json.loads(shown(monkeypatch, capsys, "runs/a", str(runs / "a"), "--format", "json"))
    assert [len(section["rows"]) for section in same.values()] == [0, 0, 0, 1]


@pytest.mark.slow
def test_200_runs_take_seconds_and_no_torch(tmp_path: Path):
    make_run(tmp_path / "0")
    for number in range(1, 200):
        shutil.copytree(tmp_path / "0", tmp_path / str(number))
    code = (
        "import sys; from mt.commands.leaderboard import run; run(sys.argv[1:], 'mt leaderboard'); "
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules), 'a heavy import'"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    # A second and a half on one core; a machine that is busy takes longer.
    subprocess.run(command, check=True, timeout=20, env=environment, stdout=subprocess.DEVNULL)
