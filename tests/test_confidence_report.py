"""What the report, scores.json and a run directory say of confidence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from datasets import Dataset, DatasetDict

from mt.config import Config, EvaluationConfig
from mt.evaluation.confidence import Calibration, read_calibration
from mt.evaluation.confidence_check import check_confidence
from mt.evaluation.results import Evaluation
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.test_set import TestSet
from mt.experiment.confidence import add_confidence, translate_dev
from mt.experiment.translations import FINETUNED, systems_of_run
from mt.files import write_text
from mt.report.comparison_report import render_markdown, render_report
from mt.report.scores_json import as_json, read_scores
from mt.runs import RunDirectory
from tests.commands import write_small_config
from tests.conftest import STARTER, news_pairs
from tests.helpers import BAD, GOOD, REFERENCES, run, varied

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """60 sentences, of which the second half is bad and unsure."""
    references = varied(REFERENCES, 6) + [f"{line} ثم" for line in varied(REFERENCES, 4)]
    lines = varied(GOOD, 6) + BAD * 4
    sources = [f"Sentence number {number} & <b>." for number in range(60)]
    test_set = TestSet("test", sources, references)
    found = evaluate_hypotheses([test_set], {"test": {"base": BAD * 10, FINETUNED: lines}}, 100)
    values = [-0.2 - 0.001 * number for number in range(36)] + [-1.0 - 0.01 * number for number in range(24)]
    calibration = Calibration([(-2.0, 10.0), (0.0, 90.0)], 12.5, 70)
    scores = found.sentence_scores["test"][FINETUNED]
    found.confidence = check_confidence(FINETUNED, test_set, calibration, values, scores, 100)
    return found


@pytest.fixture
def report(evaluation: Evaluation, tmp_path: Path, page: Page) -> Page:
    write_text(tmp_path / "report.html", render_report("Run", evaluation, {}))
    page.goto(f"file://{tmp_path / 'report.html'}")
    return page


def test_scores_json_has_every_number(evaluation: Evaluation, tmp_path: Path):
    content = json.loads(json.dumps(as_json(evaluation)))["confidence"]
    assert (content["system"], content["test_set"], content["sentences"]) == (FINETUNED, "test", 60)
    assert (content["dev_sentences"], content["half_width"], content["at_random"], content["level"]) == (
        70,
        12.5,
        0.2,
        0.8,
    )
    assert set(content["found"]) == set(content["coverage"]) == {"share", "ci_low", "ci_high"}
    assert sum(each["sentences"] for each in content["bins"]) == 60
    assert [each["sentence"] for each in content["doubtful"]] == list(range(60, 50, -1))
    assert content["doubtful"][0]["expected_chrf"] == pytest.approx(10 + 40 * (2 - 1.23))
    assert content["text"].startswith("The fifth of test in which finetuned is least sure contains ")
    write_text(tmp_path / "scores.json", json.dumps(as_json(evaluation)))
    assert read_scores(tmp_path / "scores.json").systems == ["base", FINETUNED]
    assert as_json(replace(evaluation, confidence=None))["confidence"] is None


def test_report_without_confidence_has_no_such_part(evaluation: Evaluation):
    html = render_report("Run", replace(evaluation, confidence=None), {})
    assert "check first" not in html.lower()
    assert "check first" not in render_markdown("Run", replace(evaluation, confidence=None), {})
    assert "## What to check first" in render_markdown("Run", evaluation, {})


@pytest.mark.browser
def test_what_to_check_first(report: Page, evaluation: Evaluation):
    part = report.locator("section[aria-labelledby=confidence]")
    assert "a random fifth would contain 20 %" in part.inner_text()
    rows = part.locator("tbody tr")
    assert rows.count() == 10
    cells = rows.first.locator("td")
    assert rows.first.locator("th").inner_text() == "60"
    assert cells.nth(0).inner_text() == "Sentence number 59 & <b>."
    assert cells.nth(1).inner_text() == BAD[-1]
    assert [cells.nth(i).evaluate("(c) => getComputedStyle(c).direction") for i in (0, 1)] == ["ltr", "rtl"]
    assert cells.nth(1).get_attribute("lang") == "ar"
    assert part.locator("svg.chart").count() == 1
    known = set(numbers_in(json.loads(json.dumps(as_json(evaluation)))))
    shown = part.evaluate("(p) => [...p.querySelectorAll('data')].map((d) => d.value)")
    assert len(shown) == 40
    assert {float(value) for value in shown} <= known
    part.evaluate("(p) => p.querySelectorAll('data, svg, td[lang]').forEach((d) => d.remove())")
    assert not re.findall(r"\d+\.\d+", part.inner_text())


def numbers_in(value: Any) -> set[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {number for item in value for number in numbers_in(item)}
    return {float(value)} if isinstance(value, int | float) else set()


@pytest.mark.slow
def test_a_run_calibrates_and_can_leave_it_out(tmp_path: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "news.tsv"
    file.write_text("".join(STARTER.read_text(encoding="utf-8").splitlines(keepends=True)[:401]), encoding="utf-8")
    config = write_small_config(tmp_path, marian_directory, file, max_updates=2)
    splits = ("--data.dev_share", "0.3", "--data.test_share", "0.1", "--evaluation.resamples", "100")
    assert run(monkeypatch, "train", str(config), *splits) == 0
    directory = RunDirectory(tmp_path / "run")
    calibration = read_calibration(directory.confidence)
    assert calibration is not None
    assert calibration.sentences >= 50
    assert calibration.engine.startswith("torch")
    kept, scores = directory.confidence.read_bytes(), directory.scores.read_bytes()
    check = json.loads(scores)["confidence"]
    assert check["system"] == FINETUNED
    assert len(check["doubtful"]) == 10
    assert "What to check first" in directory.report.read_text(encoding="utf-8")
    # Nothing of the dev split is kept beside the test sets' translations.
    assert [path.name for path in (directory.root / "translations").iterdir()] == ["test"]
    assert run(monkeypatch, "train", str(config), *splits, "--resume") == 0
    assert (directory.confidence.read_bytes(), directory.scores.read_bytes()) == (kept, scores)
    assert run(monkeypatch, "train", str(config), *splits, "--resume", "--evaluation.confidence", "false") == 0
    assert not directory.confidence.exists()
    assert json.loads(directory.scores.read_bytes())["confidence"] is None
    assert run(monkeypatch, "train", str(config), *splits, "--resume", "--evaluation.confidence", "true") == 0
    assert directory.confidence.read_bytes() == kept


def test_a_small_dev_split_is_not_translated(evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config, directory = Config(), RunDirectory(tmp_path)
    directory.confidence.write_text("{}", encoding="utf-8")
    sources, targets = news_pairs()
    data = DatasetDict(dev=Dataset.from_dict({"source": sources[:49], "target": targets[:49]}))
    system = systems_of_run(config, directory)[-1]
    dev = translate_dev(config, data, system, evaluation.test_sets)
    assert dev is not None
    assert dev.lines == []
    small = replace(evaluation, confidence=None, notes=[])
    add_confidence(small, config, directory, system, dev)
    assert small.confidence is None
    [note] = small.notes
    assert note == (
        "No translation gets an expected chrF: the dev split has 49 sentences to learn it from, and 50 are needed."
    )
    assert not directory.confidence.exists()
    off = Config(evaluation=EvaluationConfig(confidence=False))
    assert translate_dev(off, data, system, evaluation.test_sets) is None
    add_confidence(small, off, directory, system, None)
    assert len(small.notes) == 1
