"""Both paired tests are sacreBLEU's, p-value for p-value, but for ties; Holm and power by hand."""

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from mt.evaluation.metrics import collect_statistics
from mt.evaluation.significance import detectable_difference, holm, interval, paired_test
from mt.evaluation.test_set import TestSet
from tests.helpers import BAD, GOOD, REFERENCES, sacrebleu_cli


def test_bootstrap_is_sacrebleus(tmp_path: Path):
    # As text: sacreBLEU 2.6 cannot write chrF's float32 as JSON.
    options = ["-i", "good", "bad", "-m", "bleu", "chrf", "ter", "--paired-bs", "--paired-bs-n", "300"]
    printed = sacrebleu_cli(tmp_path, *options, "--format", "text")
    scores = re.findall(r"(\d+\.\d+) \(\d", printed)
    p_values = re.findall(r"\(p = (\d\.\d+)\)", printed)
    for column, each in enumerate(
        collect_statistics("news", {"good": GOOD, "bad": BAD}, REFERENCES, ["BLEU", "chrF", "TER"])
    ):
        ours = paired_test(each, "bad", "good", 300)
        assert f"{ours.p_bootstrap:.4f}" == p_values[column]
        difference = float(scores[3 + column]) - float(scores[column])
        assert ours.difference == pytest.approx(difference, abs=2e-6)


def many(sentences: int) -> tuple[list[str], list[str], list[str]]:
    """References and two systems that are about as good, by words drawn at random."""
    generator = random.Random(3)
    words = " ".join(REFERENCES).split()
    references = [" ".join(generator.choices(words, k=12)) for _ in range(sentences)]

    def noisy(reference: str) -> str:
        return " ".join(word if generator.random() < 0.7 else generator.choice(words) for word in reference.split())

    return references, [noisy(line) for line in references], [noisy(line) for line in references]


def test_both_tests_are_sacrebleus_where_no_trial_ties():
    references, first, second = many(60)
    systems = [("first", first), ("second", second)]
    for name, scorer in (("BLEU", BLEU()), ("chrF", CHRF()), ("TER", TER())):
        (ours,) = collect_statistics("news", dict(systems), references, [name])
        result = paired_test(ours, "second", "first", 500)
        for option, found in (("bs", result.p_bootstrap), ("ar", result.p_randomisation)):
            theirs = PairedTest(systems, {name: scorer}, [references], test_type=option, n_samples=500)()[1]
            p_value = next(value for key, value in theirs.items() if key != "System")[1].p_value
            # TER counts edits, few enough that some trials tie; there ours is the more cautious.
            assert found == p_value if name != "TER" else p_value <= found <= p_value + 0.1
            assert found > 0.02


@pytest.mark.parametrize(("differing", "least"), [(1, 1.0), (2, 0.4), (3, 0.2), (4, 0.1), (5, 0.05)])
def test_few_differing_sentences_are_no_evidence(differing: int, least: float):
    # Of k sentences that differ, all in one direction, 2 of the 2^k ways to swap come out as far: p = 2 / 2^k.
    references, first, _ = many(60)
    second = ["كلمة"] * differing + first[differing:]
    (ours,) = collect_statistics("news", {"first": first, "second": second}, references, ["chrF"])
    result = paired_test(ours, "second", "first", 1000)
    assert result.p_randomisation >= least
    assert result.p_randomisation == pytest.approx(2 / 2**differing, abs=0.05)


def test_equal_translations_are_no_evidence():
    # sacreBLEU itself gives p = 1 / (resamples + 1) to systems that never differ.
    (ours,) = collect_statistics("news", {"good": GOOD, "twin": list(GOOD)}, REFERENCES, ["chrF"])
    result = paired_test(ours, "twin", "good", 200)
    assert (result.difference, result.p_bootstrap, result.p_randomisation) == (0.0, 1.0, 1.0)


def test_ten_sentences_six_times_are_ten():
    references, first, second = many(10)
    clusters = np.tile(np.arange(10), 6)
    (once,) = collect_statistics("news", {"first": first, "second": second}, references, ["chrF"])
    (often,) = collect_statistics("news", {"first": first * 6, "second": second * 6}, references * 6, ["chrF"])
    together = often.clustered(clusters)
    assert together.score("first") == pytest.approx(once.score("first"))
    ours, single, naive = (paired_test(each, "second", "first", 500) for each in (together, once, often))
    assert (ours.p_bootstrap, ours.p_randomisation) == pytest.approx((single.p_bootstrap, single.p_randomisation))
    assert (ours.ci_low, ours.ci_high, ours.detectable) == pytest.approx(
        (single.ci_low, single.ci_high, single.detectable)
    )
    assert interval(together, "first", 500) == pytest.approx(interval(once, "first", 500))
    # What it was before: 2.4 times as sure, the square root of six.
    assert naive.ci_high - naive.ci_low < 0.6 * (ours.ci_high - ours.ci_low)


def test_part_of_repeated_sentences():
    (measured,) = collect_statistics("news", {"good": GOOD}, REFERENCES, ["chrF"])
    part = measured.clustered(np.array([0, 1, 2, 0, 3, 1])).part(np.array([1, 3, 5]))
    assert part.clusters.tolist() == [1, 0, 1]
    assert part.of_clusters("good").tolist()[0] == measured.statistics["good"][3].tolist()


def test_interval_of_the_difference_holds_the_difference():
    (ours,) = collect_statistics("news", {"good": GOOD, "bad": BAD}, REFERENCES, ["chrF"])
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


def documents_of(count: int, **options: Any) -> TestSet:
    """Two sentences of each document, all of them different."""
    sources = [
        f"Sentence {'abcdefghijklmnopqrstuvwxyz'[n % 26] * (1 + n // 26)} was written." for n in range(2 * count)
    ]
    names = [f"document {number // 2}" for number in range(2 * count)]
    return TestSet("news", sources, sources, documents=names, **options)


def test_what_is_drawn_together():
    assert documents_of(20).drawn_together.tolist()[:4] == [0, 0, 1, 1]
    assert documents_of(20).is_drawn_by_document
    assert documents_of(19).drawn_together.tolist() == list(range(38))
    assert documents_of(19, resampling="document").drawn_together[:4].tolist() == [0, 0, 1, 1]
    assert documents_of(20, resampling="sentence").drawn_together.tolist() == list(range(40))
    assert TestSet("news", ["a b", "c d"], ["x", "y"]).drawn_together.tolist() == [0, 1]


def test_documents_are_known_only_if_nearly_all_sentences_name_theirs():
    whole = documents_of(40)
    assert whole.known_documents == 40
    one = replace(whole, documents=["", *whole.documents[1:]])
    # A sentence of no document is drawn by itself.
    assert one.known_documents == 40
    assert len(set(one.drawn_together.tolist())) == 41
    assert replace(whole, documents=["", "", "", "", "", *whole.documents[5:]]).known_documents == 0


def test_sentences_of_a_document_that_fare_alike_widen_the_interval():
    # Both sentences of a document are right, or both wrong: 100 sentences say as much as 50, so the interval is wider
    # by the square root of two.
    test_set = documents_of(50)
    hypotheses = [line if number // 2 % 2 else "x" for number, line in enumerate(test_set.references)]
    (measured,) = collect_statistics("news", {"system": hypotheses}, test_set.references, ["chrF"])
    widths = []
    for each in (test_set, replace(test_set, resampling="sentence")):
        low, high = interval(measured.clustered(each.drawn_together), "system", 2000)
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(2**0.5, rel=0.06)
