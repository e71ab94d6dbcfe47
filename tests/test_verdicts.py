"""What is said in words follows from the numbers; numbers by hand."""

import json
from dataclasses import replace

import pytest

from mt.evaluation.results import Comparison, Evaluation, Score
from mt.evaluation.scoring import evaluate_hypotheses
from mt.evaluation.test_set import TestSet
from mt.evaluation.verdicts import advice, other_metrics, verdict, verdicts
from mt.report.comparison_report import render_markdown, render_report
from mt.report.score_table import as_table
from mt.report.scores_json import as_json
from tests.helpers import BAD, GOOD, REFERENCES, cells_of, varied


def evaluated(times: int = 6, **systems: list[str]) -> Evaluation:
    """Six sentences in so many varieties."""
    lines = systems or {"good": GOOD, "bad": BAD}
    test_set = TestSet("news", varied(["The city fell."] * 6, times, english=True), varied(REFERENCES, times))
    return evaluate_hypotheses([test_set], {"news": {name: varied(each, times) for name, each in lines.items()}}, 200)


def made(gains: dict[str, tuple[float, float]], sentences: int = 500) -> Evaluation:
    """Systems by (domain chrF, general chrF); a difference of a point or more is significant."""
    different = ["s" * (i + 1) for i in range(sentences)]
    sets = [TestSet("news", different, different), TestSet("flores", different, different, is_general=True)]
    names = list(gains)
    evaluation = Evaluation(names[0], sets, {each.name: {name: [name] for name in names} for each in sets})
    for column, test_set in enumerate(sets):
        for name in names:
            score = gains[name][column]
            evaluation.scores.append(Score(name, test_set.name, "chrF", score, score, score, "", sentences, sentences))
        for first in range(len(names)):
            for second in range(first + 1, len(names)):
                difference = gains[names[second]][column] - gains[names[first]][column]
                p = 0.001 if abs(difference) >= 1 else 0.4
                row = (names[second], names[first], test_set.name, "chrF", difference, p, "paired bootstrap", p)
                where = evaluation.other_comparisons if first else evaluation.comparisons
                where.append(Comparison(*row, difference - 0.9, difference + 0.9, 0.9, sentences, sentences))
    return evaluation


def test_directions():
    evaluation = evaluated()
    for metric, sign in (("chrF", -1), ("TER", 1)):
        comparison = evaluation.comparison("bad", "news", metric)
        assert comparison.difference * sign > 0
        assert comparison.is_significant
        assert not comparison.is_better
    assert [c.system for c in evaluation.significantly_worse("chrF")] == ["bad"]
    assert evaluation.significantly_worse("TER")
    assert not evaluated(good=BAD, bad=GOOD).significantly_worse("TER")


def test_the_more_cautious_test_decides():
    evaluation = evaluated()
    ours = [c for c in evaluation.comparisons if (c.system, c.metric) == ("bad", "chrF")]
    assert [c.method for c in ours] == ["paired bootstrap", "paired approximate randomization"]
    assert evaluation.comparison("bad", "news", "chrF").p_holm == max(c.p_holm for c in ours)


def test_holm_counts_systems_and_test_sets():
    sources = varied(["The city fell."] * 6, 6, english=True)
    sets = [TestSet(name, sources, varied(REFERENCES, 6)) for name in ("a", "b")]
    lines = {"good": varied(GOOD, 6), "bad": varied(BAD, 6), "worse": ["لا"] * 36}
    evaluation = evaluate_hypotheses(sets, {"a": lines, "b": lines}, 200)
    # Two systems on two sets: four tests, all of them with the smallest p-value there is.
    comparison = evaluation.comparison("bad", "a", "BLEU")
    assert comparison.p_value == pytest.approx(1 / 201)
    assert comparison.p_holm == pytest.approx(4 / 201)
    # Rivals are a family of their own: one pair on two sets.
    assert evaluation.comparison("worse", "a", "chrF", "bad").p_holm == pytest.approx(2 / 201)


def test_verdicts_in_words():
    evaluation = evaluated()
    assert verdict(evaluation, "bad", "news").startswith("On news, bad is ")
    assert " chrF worse than good (95 % interval -" in verdict(evaluation, "bad", "news")
    assert "p = 0.0" in verdict(evaluation, "bad", "news")
    assert "a test set of 36 sentences can detect a difference of about " in verdict(evaluation, "bad", "news")
    assert other_metrics(evaluation, "bad", "news").startswith("By BLEU (-")
    same = evaluated(good=GOOD, twin=list(GOOD))
    assert verdict(same, "twin", "news") == "On news, twin and good cannot be told apart: they score the same in chrF."
    alone = evaluated(good=GOOD)
    assert verdict(alone, "good", "news").endswith("chrF on news (36 sentences).")
    assert [entry.system for entry in verdicts(alone)] == ["good"]


def test_no_verdict_on_few_sentences():
    few = evaluated(times=1)
    assert verdict(few, "bad", "news").startswith("On news, no verdict: bad is ")
    assert verdict(few, "bad", "news").endswith("but 6 sentences are too few to tell (at least 30).")
    assert other_metrics(few, "bad", "news") == ""
    assert advice(few) == "No advice: news has 6 sentences, and a choice needs at least 30."


def test_repeats_count_once():
    times = 40
    sources = [f"The city fell{mark}" for mark in (".", "!")] * (3 * times)
    lines = {"good": GOOD * times, "bad": BAD * times}
    evaluation = evaluate_hypotheses([TestSet("news", sources, REFERENCES * times)], {"news": lines}, 200)
    assert evaluation.score("bad", "news", "chrF").sentences == 240
    assert verdict(evaluation, "bad", "news").endswith("but 6 distinct sentences are too few to tell (at least 30).")
    assert advice(evaluation) == "No advice: news has 6 distinct sentences, and a choice needs at least 30."
    assert not evaluation.significantly_worse("chrF")
    note = "note: on news, 240 sentences include only 6 distinct ones; repeats count once in intervals"
    assert note in as_table(evaluation)


@pytest.mark.parametrize(
    ("sources", "distinct"),
    [
        (["It fell.", "it  FELL", "It fell \u200b!"], 1),
        (["5 died in 2014.", "17 died in 2016."], 1),
        (["5", "17", "5", "?", "!"], 4),
        (["It fell.", "It fell again."], 2),
    ],
)
def test_distinct_sentences(sources: list[str], distinct: int):
    assert TestSet("news", sources, ["ص"] * len(sources)).distinct == distinct
    assert TestSet("news", ["s"] * len(sources), sources).distinct == distinct


@pytest.mark.parametrize(
    ("gains", "text"),
    [
        (
            {"base": (40, 50), "a": (45, 47), "b": (45.5, 49), "c": (42, 50)},
            "b and a are tied on news; take b, which is better on flores: it forgets less.",
        ),
        (
            {"base": (40, 50), "a": (45, 49.2), "b": (45.5, 49)},
            "b and a are tied on news; they are tied on flores, too: take the one that is cheaper to run.",
        ),
        (
            {"base": (40, 50), "a": (45, 47), "b": (42, 50)},
            "Take a: on news it is better than every other system, but it loses 3.0 chrF to base on flores.",
        ),
        (
            {"base": (40, 50), "a": (45, 49.5)},
            "Take a: on news it is better than every other system, and no loss shows on flores.",
        ),
        (
            {"base": (46, 50), "a": (43, 50)},
            "Take base: on news it is better than every other system, and no loss shows on flores.",
        ),
        (
            {"base": (40, 50), "a": (45, 44), "b": (45.2, 49), "c": (45.4, 49.5)},
            "c, a and b are tied on news; c and b do best on flores, tied: take one of these, they forget less.",
        ),
    ],
)
def test_advice(gains: dict[str, tuple[float, float]], text: str):
    assert advice(made(gains)) == text


def test_advice_names_the_test_set_that_contradicts_it():
    evaluation = made({"base": (40, 50), "a": (45, 47)})
    evaluation.test_sets[1] = replace(evaluation.test_sets[1], is_general=False)
    assert advice(evaluation).endswith("but it loses 3.0 chrF to base on flores.")
    # Too few sentences are no ground for either.
    few = replace(evaluation.test_sets[1], sources=["s" * (i + 1) for i in range(29)], references=["r"] * 29)
    evaluation.test_sets[1] = few
    assert advice(evaluation) == "Take a: on news it is better than every other system."


def test_advice_without_general_text():
    evaluation = made({"a": (30, 50), "b": (30.5, 50)})
    evaluation.test_sets.pop()
    assert advice(evaluation) == "b and a are tied on news, and there is no general test set to decide between them."


def test_there_is_nothing_to_choose_between_systems_that_translate_alike():
    evaluation = evaluated(times=40, good=GOOD, twin=GOOD)
    assert advice(evaluation) == (
        "good and twin translate every sentence alike, so there is nothing to choose between them."
    )
    assert advice(evaluated(good=GOOD)) == ""


def test_a_small_difference_is_not_said_to_be_nothing():
    text = verdict(made({"a": (30.0, 50), "b": (30.04, 50)}), "b", "news")
    assert "b is less than 0.1 chrF better, which chance alone may explain" in text
    assert "b is 0.1 chrF better" in verdict(made({"a": (30.0, 50), "b": (30.06, 50)}), "b", "news")


def test_scores_json_keeps_its_keys():
    evaluation = evaluated()
    content = json.loads(json.dumps(as_json(evaluation)))
    assert list(content)[:3] == ["scores", "comparisons", "fidelity"]
    score_keys = ["system", "test_set", "metric", "score", "ci_low", "ci_high", "signature", "sentences"]
    assert list(content["scores"][0]) == score_keys
    comparison_keys = ["system", "baseline", "test_set", "metric", "difference", "p_value", "method"]
    assert list(content["comparisons"][0])[:7] == comparison_keys
    assert list(content["fidelity"][0]) == ["system", "test_set", "check", "passed", "total"]
    assert {score["metric"] for score in content["scores"]} >= {"BLEU", "chrF", "chrF++", "TER", "chrF-norm"}
    assert {row["system"] for row in content["fidelity"]} == {"good", "bad", "reference"}
    assert content["baseline"] == "good"
    assert content["advice"] == "Take good: on news it is better than every other system."


def test_table_for_the_terminal():
    lines = as_table(evaluated()).splitlines()
    assert lines[0].split() == ["test", "set", "system", "BLEU", "chrF", "chrF++", "TER"]
    assert lines[2].split()[:2] == ["news", "good"]
    assert "*" in lines[3]
    assert lines[4] == "* significantly different from good"
    assert len(lines) == 5
    # No mark where there is no verdict.
    assert "*" not in as_table(evaluated(times=1))


def mixed(times: int) -> Evaluation:
    """Twice as many sentences of the desk as of the seed, in one test set."""
    sources, corpora = varied(["The city fell."] * 6, times, english=True), ["desk", "desk", "seed"] * 2 * times
    test_set = TestSet("test", sources, varied(REFERENCES, times), corpora)
    return evaluate_hypotheses([test_set], {"test": {"bad": varied(BAD, times), "good": varied(GOOD, times)}}, 200)


def test_corpora_that_are_mixed_are_scored_first_and_each_by_itself():
    evaluation = mixed(6)
    desk, seed = evaluation.by_corpus("test").values()
    rows = [row for row in range(36) if row % 3 != 2]
    alone = {name: [varied(lines, 6)[row] for row in rows] for name, lines in (("bad", BAD), ("good", GOOD))}
    references = [varied(REFERENCES, 6)[row] for row in rows]
    expected = evaluate_hypotheses([TestSet("desk", references, references)], {"desk": alone}, 200)
    for system in ("bad", "good"):
        assert desk[system].score == pytest.approx(expected.score(system, "desk", "chrF").score)
    lines = as_table(evaluation).splitlines()
    assert lines[0].split() == ["chrF", "on", "test,", "by", "corpus", "sentences", "bad", "good"]
    assert [line.split()[:3] for line in lines[2:4]] == [
        ["desk", "24", f"{desk['bad'].score:.2f}"],
        ["seed", "12", f"{seed['bad'].score:.2f}"],
    ]
    assert lines[5].split()[:3] == ["test", "set", "system"]
    markdown = render_markdown("Run", evaluation, {})
    headers = [cells_of(line)[:4] for line in markdown.splitlines() if line.startswith(("| chrF", "| system"))]
    assert headers == [["chrF by corpus", "sentences", "bad", "good"], ["system", "BLEU", "chrF", "chrF++"]]
    html = render_report("Run", evaluation, {})
    assert html.index("This test set mixes corpora") < html.index("Scores on test")
    assert "by corpus" not in as_table(evaluated())


@pytest.mark.parametrize(("times", "has_p"), [(6, True), (4, False)])
def test_no_part_of_a_test_set_that_is_too_small_has_a_p_value(times: int, has_p: bool):
    evaluation = mixed(times)
    good = [score for score in evaluation.slices if score.system == "good"]
    assert good
    assert all((score.p_value is not None) == has_p for score in good)
    html = render_report("Run", evaluation, {})
    assert ("p = " in html[html.index("This test set mixes corpora") : html.index("Scores on test")]) == has_p
