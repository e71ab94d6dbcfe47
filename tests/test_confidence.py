"""Confidence: scores equal to the libraries' own, a calibration worked out by hand, and what it finds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import RunError
from mt.evaluation.confidence import (
    Calibration,
    calibrate,
    calibration_as_json,
    confidences_of,
    conformal_quantile,
    isotonic_knots,
    read_calibration,
)
from mt.evaluation.confidence_check import bins_of, check_confidence, confidence_in_words, found_share
from mt.evaluation.test_set import TestSet
from mt.files import write_json
from mt.models.ctranslate2_export import convert
from mt.models.ctranslate2_model import load_ctranslate2
from mt.models.log_probabilities import mean_log_probabilities
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.runs import RunDirectory
from tests.conftest import news_pairs, news_sentences
from tests.llm_models import make_llm

PLAIN = DecodingConfig()
FAMILIES = [f"{family}_directory" for family in ("marian", "nllb", "m2m", "mbart50", "mbart", "t5")]


def pairs(count: int) -> tuple[list[str], list[str]]:
    sources, targets = news_pairs()
    return sources[:count], targets[:count]


def library_loss(translator: TransformersTranslator, source: str, target: str, *, without: Sequence[int] = ()) -> float:
    """transformers' own mean loss of one pair; tokens of `without` are no labels."""
    [ids], [labels] = translator.encode_sources([source]), translator.encode_targets([target])
    given = {"input_ids": torch.tensor([ids]), "decoder_input_ids": None}
    given["decoder_input_ids"] = torch.tensor([[translator.decoder_prefix[0], *labels[:-1]]])
    counted = torch.tensor([[-100 if index in without else index for index in labels]])
    return float(translator.model.eval()(**given, labels=counted).loss.detach())


@pytest.mark.parametrize("family", ["marian_directory", "nllb_directory"])
def test_means_are_the_loss_of_transformers(family: str, request: pytest.FixtureRequest):
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(family))))
    if family == "marian_directory":
        # It is zero in a new model, and not in a trained one.
        translator.model.final_logits_bias.normal_(generator=torch.Generator().manual_seed(3))
    sources, targets = pairs(5)
    language = [index for index in (translator.languages.forced_bos_token_id,) if index is not None]
    assert len(language) == (family == "nllb_directory")
    found = mean_log_probabilities(translator, sources, targets, PLAIN)
    expected = [-library_loss(translator, s, t, without=language) for s, t in zip(sources, targets, strict=True)]
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_means_are_the_loss_of_a_decoder_only_model(kind: str, tmp_path: Path):
    translator = load_translator(ModelConfig(name=str(make_llm(kind, tmp_path, news_sentences()))))
    sources, targets = pairs(4)
    expected = []
    for source, target in zip(translator.encode_sources(sources), translator.encode_targets(targets), strict=True):
        row = [*source, *translator.decoder_prefix, *target]
        labels = [-100] * (len(row) - len(target)) + target
        loss = translator.model.eval()(input_ids=torch.tensor([row]), labels=torch.tensor([labels])).loss
        expected.append(-float(loss.detach()))
    assert mean_log_probabilities(translator, sources, targets, PLAIN) == pytest.approx(expected, abs=1e-5)
    alone = mean_log_probabilities(translator, sources, targets, PLAIN, batch_tokens=1)
    assert alone == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_ctranslate2_finds_the_same_means(family: str, tmp_path: Path, request: pytest.FixtureRequest):
    name = str(request.getfixturevalue(family))
    if family == "marian_directory":
        # In a model that was never trained <pad>, which the conversion never writes, is as probable as any token.
        name = "tiny-en-ar"
    sources, targets = pairs(6)
    found = mean_log_probabilities(load_translator(ModelConfig(name=name)), sources, targets, PLAIN)
    convert(load_translator(ModelConfig(name=name)), tmp_path / "converted", "float32")
    converted = load_ctranslate2(ModelConfig(name=str(tmp_path / "converted")))
    for batch_tokens in (4096, 1):
        theirs = mean_log_probabilities(converted, sources, targets, PLAIN, batch_tokens=batch_tokens)
        assert theirs == pytest.approx(found, abs=1e-3)


def test_batches_and_their_order_change_nothing(marian: TransformersTranslator):
    sources, targets = pairs(30)
    marian.model.train()
    found = mean_log_probabilities(marian, sources, targets, PLAIN)
    assert marian.model.training
    assert mean_log_probabilities(marian, sources, targets, PLAIN, batch_tokens=1) == pytest.approx(found, abs=1e-5)
    back = mean_log_probabilities(marian, sources[::-1], targets[::-1], PLAIN)
    assert back[::-1] == pytest.approx(found, abs=1e-5)
    assert len({round(mean, 4) for mean in found}) > 25


def test_parts_of_the_logits_change_nothing(marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    sources, targets = pairs(5)
    found = mean_log_probabilities(marian, sources, targets, PLAIN)
    monkeypatch.setattr("mt.models.log_probabilities._LOGITS_BYTES", 4 * 300 * 7)
    assert mean_log_probabilities(marian, sources, targets, PLAIN) == pytest.approx(found, abs=1e-6)


def test_a_batch_too_large_for_the_device_is_halved(marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    sources, targets = pairs(5)
    found = mean_log_probabilities(marian, sources, targets, PLAIN)
    from mt.models import log_probabilities

    own = log_probabilities._at_once

    def small_device(translator: Any, sources: Any, targets: Any) -> list[float]:
        if len(sources) > 1:
            raise torch.OutOfMemoryError
        return own(translator, sources, targets)

    monkeypatch.setattr(log_probabilities, "_at_once", small_device)
    assert mean_log_probabilities(marian, sources, targets, PLAIN) == pytest.approx(found, abs=1e-5)


def test_empty_and_too_long_texts(marian: TransformersTranslator):
    assert mean_log_probabilities(marian, [], [], PLAIN) == []
    long = "word " * 2000
    found = mean_log_probabilities(marian, ["", long, "War."], ["", "", long], PLAIN)
    assert all(math.isfinite(mean) and mean < 0 for mean in found)
    with pytest.raises(ValueError, match="1 sources and 2 hypotheses"):
        mean_log_probabilities(marian, ["War."], ["", ""], PLAIN)


def test_tag_and_terms_are_in_the_source(marian: TransformersTranslator):
    sources, targets = pairs(1)
    tagged = mean_log_probabilities(marian, sources, targets, DecodingConfig(tag="<news>"))
    assert tagged == mean_log_probabilities(marian, [f"<news> {sources[0]}"], targets, PLAIN)
    assert tagged != mean_log_probabilities(marian, sources, targets, PLAIN)


def test_knots():
    """30 20 falls and becomes 25; the two points at 7 count as their mean, 60, twice."""
    x, y = np.array([4.0, 1, 2, 3, 5]), np.array([40.0, 10, 30, 20, 40])
    assert isotonic_knots(x, y) == [(1, 10), (2, 25), (3, 25), (4, 40), (5, 40)]
    # (2 * 60 + 30) / 3 = 50
    assert isotonic_knots(np.array([7.0, 7, 8]), np.array([50.0, 70, 30])) == [(7, 50), (8, 50)]
    # Points inside a step are no knots.
    assert isotonic_knots(np.array([1.0, 2, 3, 4]), np.array([9.0, 9, 9, 9])) == [(1, 9), (4, 9)]


def test_quantile():
    """(9 + 1) * 0.8 = 8, (4 + 1) * 0.8 = 4, and (3 + 1) * 0.8 = 3.2, of three errors none."""
    assert conformal_quantile(np.arange(9.0, 0, -1), 0.8) == 8
    assert conformal_quantile(np.array([3.0, 1, 4, 2]), 0.8) == 4
    assert conformal_quantile(np.array([3.0, 1, 2]), 0.8) == math.inf


def test_expected_chrf_and_interval():
    calibration = Calibration([(-2.0, 10.0), (-1.0, 50.0), (-0.5, 50.0), (0.0, 95.0)], 15.0, 60)
    found = calibration.confidences([-3.0, -1.5, -0.75, -0.1])
    assert [each.expected_chrf for each in found] == pytest.approx([10, 30, 50, 86])
    assert [each.low for each in found] == pytest.approx([0, 15, 35, 71])
    assert [each.high for each in found] == pytest.approx([25, 45, 65, 100])
    assert [each.mean_log_probability for each in found] == [-3.0, -1.5, -0.75, -0.1]


def test_halves_are_fitted_and_held_out():
    """On a straight line, shifted by 7 where the sentence is in the second half, the knots lack the shift."""
    order = np.random.default_rng(0).permutation(100)
    x = np.linspace(-2, 0, 100)
    y = 50 + 20 * x
    y[order[50:]] += 7
    calibration = calibrate(x.tolist(), y.tolist(), engine="torch")
    assert calibration.sentences == 100
    for place, chrf in calibration.knots:
        assert chrf == pytest.approx(50 + 20 * place)
    # Near the ends, beyond the last knot, the error is not exactly the shift.
    assert calibration.half_width == pytest.approx(7, abs=0.1)
    with pytest.raises(ValueError, match="49 sentences"):
        calibrate([0.0] * 49, [1.0] * 49)


def test_intervals_cover_what_they_say():
    """Of 20,000 new sentences with noise of every size, by each of 40 calibrations: 80 % and a little more."""
    generator = np.random.default_rng(1)

    def drawn(count: int) -> tuple[Any, Any]:
        x = generator.uniform(-2, 0, count)
        return x, 50 + 20 * x + generator.normal(0, 10 * (1 - x))

    shares = []
    for _ in range(40):
        calibration = calibrate(*map(list, drawn(200)))
        x, y = drawn(500)
        shares.append(float((np.abs(y - calibration.expected(x)) <= calibration.half_width).mean()))
    # ceil(101 * 0.8) / 101 = 0.802
    assert np.mean(shares) == pytest.approx(0.802, abs=0.02)


def test_what_is_found():
    """Of 20 sentences the worst two are those with chrF 1 and 2; the four least sure ones are 0, 1, 2, 3."""
    scores = np.array([50.0, 1, 60, 70, 2, *range(20, 35)])
    assert found_share(np.arange(20.0), scores) == 0.5
    assert found_share(np.arange(20.0), np.arange(20.0)) == 1
    assert found_share(np.arange(20.0), -np.arange(20.0)) == 0
    # Of eleven, two are a tenth and three a fifth, both rounded up.
    assert found_share(np.arange(11.0), np.array([9.0, 9, 1, 9, 2, 9, 9, 9, 9, 9, 9])) == 0.5


def test_bins():
    """45 sentences make two bins, of 23 and 22."""
    [low, high] = bins_of(np.arange(45.0), np.full(45, 7.0))
    assert (low.expected, low.observed, low.sentences) == (11, 7, 23)
    assert (high.expected, high.observed, high.sentences) == (33.5, 7, 22)


def the_check(count: int = 100, *, is_useless: bool = False) -> Any:
    """Of sentences that get better and surer one by one, and are expected exactly; or the least sure is the best."""
    scores = np.arange(float(count))
    values = -scores if is_useless else scores
    sources = [f"Sentence {'x' * number}" for number in range(count)]
    test_set = TestSet("test", sources, sources)
    calibration = Calibration([(0.0, 0.0), (100.0, 100.0)], 5.0, 80)
    return check_confidence("finetuned", test_set, calibration, values.tolist(), scores.tolist(), 200)


def test_check():
    check = the_check()
    assert check.found.share == 1
    assert check.coverage.share == 1
    assert (check.coverage.ci_low, check.coverage.ci_high) == (1, 1)
    assert [(each.expected, each.observed) for each in check.bins] == [
        (4.5 + 20 * i + 5, 4.5 + 20 * i + 5) for i in range(5)
    ]
    assert [each.sentence for each in check.doubtful] == list(range(1, 11))
    assert (check.doubtful[7].expected_chrf, check.doubtful[7].low, check.doubtful[7].high) == (7, 2, 12)
    words = confidence_in_words(check)
    assert "contains 100 % of its worst tenth by chrF" in words
    assert "a random fifth would contain 20 %. The chrF of 100 % of the translations" in words
    assert "learnt from 80 sentences" in words


def test_confidence_that_finds_nothing_says_so():
    words = confidence_in_words(the_check(is_useless=True))
    assert "contains 0 % of its worst tenth" in words
    assert "20 %, so it may find no more than chance does." in words


def test_few_test_sentences_are_only_listed():
    check = the_check(49)
    assert check.found is check.coverage is None
    assert check.bins == []
    assert len(check.doubtful) == 10
    assert "test has 49, too few to say" in confidence_in_words(check)
    assert the_check(50).found is not None


def test_what_is_kept_is_read_again(tmp_path: Path, marian: TransformersTranslator):
    run = RunDirectory(tmp_path)
    sources, targets = pairs(3)
    values = mean_log_probabilities(marian, sources, targets, PLAIN)
    assert read_calibration(run.confidence) is None
    for each, value in zip(confidences_of(None, values), values, strict=True):
        assert (each.expected_chrf, each.low, each.high, each.mean_log_probability) == (None, None, None, value)
    write_json(run.confidence, calibration_as_json(Calibration([(-1.0, 0.0), (0.0, 100.00000000000001)], 0.0, 60)))
    assert read_calibration(run.confidence) is not None
    calibration = Calibration([(-9.0, 20.0), (0.0, 20.0)], 6.5, 60, 0.8, {"num_beams": 4}, "torch 2.13.0 in float32")
    write_json(run.confidence, calibration_as_json(calibration))
    assert read_calibration(run.confidence) == calibration
    for each in confidences_of(read_calibration(run.confidence), values):
        assert (each.expected_chrf, each.low, each.high) == (20, 13.5, 26.5)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"knots": []},
        {"knots": [[0.0, 2.0], [-1.0, 3.0]]},
        {"knots": [[0.0, "x"]]},
        {"half_width": None},
        {"half_width": math.nan},
        {"half_width": -1.0},
        {"half_width": True},
        {"version": True},
        {"knots": [[-1.0, 90.0], [0.0, 10.0]]},
        {"knots": [[-1.0, -1.0], [0.0, 10.0]]},
        {"knots": [[-1.0, 10.0], [0.0, 101.0]]},
        {"knots": [[-(10**400), 10.0]]},
        {"knots": ["12"]},
        {"level": 1.5},
        {"level": "0.8"},
        {"sentences": "x"},
        {"engine": None},
        {"decoding": ["num_beams"]},
        {"decoding": {"terminology": 7}},
        {"decoding": {"terminology": "a\0b"}},
        {"sentences": ...},
    ],
)
def test_a_damaged_file_is_refused(change: dict[str, Any], tmp_path: Path):
    content = calibration_as_json(Calibration([(-1.0, 20.0)], 6.5, 60)) | change
    content = {key: value for key, value in content.items() if value is not ...}
    file = tmp_path / "confidence.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError, match=r"confidence\.json: cannot be read .* train\.py with --resume"):
        read_calibration(file)
    for text in ("[" * 10, "[" * 100_000):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(RunError, match=r"confidence\.json: cannot be read"):
            read_calibration(file)
