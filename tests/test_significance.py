"""Both paired tests are sacreBLEU's, p-value for p-value; Holm and power by hand."""

import re
from pathlib import Path

import pytest
from sacrebleu.metrics import TER
from sacrebleu.significance import PairedTest

from mt.evaluation.metrics import measure
from mt.evaluation.significance import detectable_difference, holm, paired_test
from tests.test_metrics import BAD, GOOD, REFERENCES, sacrebleu_cli


@pytest.mark.parametrize(("option", "test"), [("bs", "p_bootstrap"), ("ar", "p_randomisation")])
def test_p_values_are_sacrebleus(option: str, test: str, tmp_path: Path):
    # As text: sacreBLEU 2.6 cannot write chrF's float32 as JSON.
    options = ["-i", "good", "bad", "-m", "bleu", "chrf", "ter", f"--paired-{option}", f"--paired-{option}-n", "300"]
    printed = sacrebleu_cli(tmp_path, *options, "--format", "text")
    scores = re.findall(r"(\d+\.\d+)(?: \(\d|\n|\s+\(p|\s+\|)", printed)
    p_values = re.findall(r"\(p = (\d\.\d+)\)", printed)
    assert len(p_values) == 3, printed
    for column, each in enumerate(measure("news", {"good": GOOD, "bad": BAD}, REFERENCES, ["BLEU", "chrF", "TER"])):
        ours = paired_test(each, "bad", "good", 300)
        assert f"{getattr(ours, test):.4f}" == p_values[column]
        if option == "bs":
            difference = float(scores[3 + column]) - float(scores[column])
            assert ours.difference == pytest.approx(difference, abs=2e-6)


def test_p_values_of_close_systems_are_sacrebleus():
    close = [REFERENCES[0], "قتل مدنيون قرب الميادين.", *GOOD[2:]]
    (ours,) = measure("news", {"good": GOOD, "close": close}, REFERENCES, ["TER"])
    result = paired_test(ours, "close", "good", 500)
    for option, found in (("bs", result.p_bootstrap), ("ar", result.p_randomisation)):
        systems = [("good", GOOD), ("close", close)]
        theirs = PairedTest(systems, {"TER": TER()}, [REFERENCES], test_type=option, n_samples=500)()[1]["TER"][1]
        assert found == theirs.p_value
        assert 0.05 < found < 0.9


def test_equal_translations_are_no_evidence():
    # sacreBLEU itself gives p = 1 / (resamples + 1) to systems that never differ.
    (ours,) = measure("news", {"good": GOOD, "twin": list(GOOD)}, REFERENCES, ["chrF"])
    result = paired_test(ours, "twin", "good", 200)
    assert (result.difference, result.p_bootstrap, result.p_randomisation) == (0.0, 1.0, 1.0)


def test_interval_of_the_difference_holds_the_difference():
    (ours,) = measure("news", {"good": GOOD, "bad": BAD}, REFERENCES, ["chrF"])
    result = paired_test(ours, "bad", "good", 500)
    assert result.ci_low < result.difference < result.ci_high < 0


def test_detectable_difference():
    # z of 0.975 and of 0.8: 1.959964 + 0.841621 standard errors.
    assert detectable_difference(1.0) == pytest.approx(2.801585, abs=1e-6)
    assert detectable_difference(0.5) == pytest.approx(1.400793, abs=1e-6)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04: 4 x .01 = .04; 3 x .02 = .06; 2 x .03 = .06; 1 x .04 -> not below .06.
    adjusted = holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert adjusted == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.06, "d": 0.06})
    assert holm({"a": 0.7, "b": 0.6}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
