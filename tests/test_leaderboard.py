"""The leaderboard: what is read of runs in any state, which scores share a column, what differs between two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mt.evaluation.results import Evaluation
from mt.evaluation.test_set import TestSet
from mt.outputs import claim
from mt.report.leaderboard import Board, make_board
from mt.report.leaderboard_columns import date_cell, size_cell, time_cell
from mt.report.leaderboard_options import method_of, with_defaults
from mt.report.leaderboard_reading import read_entries
from mt.report.scores_json import as_json
from mt.runs import EVALUATION, claim_run
from tests.helpers import run

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
        ({"adaptation": {"lora": {"rank": 16, "base_precision": "4bit"}}}, {}, "QLoRA 16"),
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
