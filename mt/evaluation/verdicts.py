"""Scores and p-values as sentences, without overstating them."""

from __future__ import annotations

from collections.abc import Sequence

from mt.evaluation.metrics import METRICS
from mt.evaluation.ratings import Preference
from mt.evaluation.results import MIN_SENTENCES, PRIMARY, Comparison, Evaluation, Score, Verdict
from mt.evaluation.test_set import TestSet


def verdict(evaluation: Evaluation, system: str, test_set: str, metric: str = PRIMARY) -> str:
    """One sentence: the difference from the baseline, and whether chance may explain it."""
    score, comparison = evaluation.score(system, test_set, metric), evaluation.comparison(system, test_set, metric)
    if comparison is None:
        scored = f"{system} scores {score.score:.1f} {metric} on {test_set} ({_sentences(score)})"
        reason = evaluation.refusal(test_set, system)
        return f"{scored}; no verdict: {reason}." if reason else f"{scored}."
    size, direction = f"{_size(comparison)} {metric}", "better" if comparison.is_better else "worse"
    if comparison.refused:
        how = f"is {size} {direction} than" if comparison.difference else f"scores the same in {metric} as"
        return f"On {test_set}, no verdict: {system} {how} {comparison.baseline}, but {comparison.refused}."
    if comparison.difference == 0:
        return (
            f"On {test_set}, {system} and {comparison.baseline} cannot be told apart: they score the same in {metric}."
        )
    power = f"a test set of {_sentences(comparison)} can detect a difference of about {comparison.detectable:.1f}"
    certainty = f"{_chance(comparison)}; {power}"
    if comparison.is_significant:
        return f"On {test_set}, {system} is {size} {direction} than {comparison.baseline} ({certainty})."
    return (
        f"On {test_set}, {system} and {comparison.baseline} cannot be told apart by {metric}: {system} is {size} "
        f"{direction}, which chance alone may explain ({certainty})."
    )


def _size(comparison: Comparison) -> str:
    """The difference without its sign, never as the 0.0 that a small one is rounded to."""
    size = f"{abs(comparison.difference):.1f}"
    return "less than 0.1" if size == "0.0" else size


def _sentences(counted: Score | Comparison) -> str:
    """How many sentences there are, and how many distinct ones, if some repeat each other."""
    kind = "" if counted.distinct == counted.sentences else f", {counted.distinct} of them distinct,"
    return f"{counted.sentences} sentence{'' if counted.sentences == 1 else 's'}{kind}"


def _chance(comparison: Comparison) -> str:
    # Rounded first, so that no zero has a minus sign.
    low, high = (round(end, 1) + 0.0 for end in (comparison.ci_low, comparison.ci_high))
    return f"95 % interval {low:+.1f} to {high:+.1f}, p = {comparison.p_holm:.3f}"


def other_metrics(evaluation: Evaluation, system: str, test_set: str) -> str:
    """By which of the other published metrics the difference from the baseline is significant, as a sentence.

    Empty where there is no verdict.
    """
    compared = {m: evaluation.comparison(system, test_set, m) for m in METRICS if m != PRIMARY}
    if any(c is None or c.refused for c in compared.values()):
        return ""
    shown = [
        f"{m} ({c.difference:+.1f}, {'better' if c.is_better else 'worse'}, p = {c.p_holm:.3f})"
        for m, c in compared.items()
        if c and c.is_significant
    ]
    hidden = [metric for metric, c in compared.items() if c and not c.is_significant]
    if not shown:
        either = "" if (c := evaluation.comparison(system, test_set, PRIMARY)) and c.is_significant else ", either"
        return f"By {_listed(hidden)} there is no significant difference{either}."
    rest = f", by {_listed(hidden)} it is not" if hidden else ""
    return f"By {_listed(shown)} the difference is significant{rest}."


def verdicts(evaluation: Evaluation) -> list[Verdict]:
    """A verdict for every test set and system but the baseline; of the baseline where it is alone."""
    systems = [s for s in evaluation.systems if s != evaluation.baseline] or [evaluation.baseline]
    return [
        Verdict(
            test_set.name,
            system,
            " ".join(filter(None, (say(evaluation, system, test_set.name) for say in (verdict, other_metrics)))),
        )
        for test_set in evaluation.test_sets
        for system in systems
    ]


def advice(evaluation: Evaluation) -> str:
    """Which system to take, in words; empty where there is no choice.

    Systems without a significant difference from the best one on the domain's first test set are tied with it; of the
    tied ones, take the one that does best on general text.
    """
    domain = [test_set for test_set in evaluation.test_sets if not test_set.is_general]
    general = [test_set for test_set in evaluation.test_sets if test_set.is_general]
    if len(evaluation.systems) < 2 or not domain:
        return ""
    first = domain[0]
    reason = evaluation.refusal(first.name, *evaluation.systems)
    if reason:
        return f"No advice: on {first.name}, {reason}."
    if first.distinct < MIN_SENTENCES:
        kind = "sentences" if first.distinct == len(first.sources) else "distinct sentences"
        return f"No advice: {first.name} has {first.distinct} {kind}, and a choice needs at least {MIN_SENTENCES}."
    best, tied = tied_with_best(evaluation, first, evaluation.systems)
    if not tied:
        others = [test_set for test_set in evaluation.test_sets if test_set is not first]
        return f"Take {best}: on {first.name} it is better than every other system{_price(evaluation, best, others)}."
    names = _listed([best, *tied])
    if _translate_alike(evaluation, [best, *tied]):
        return f"{names} translate every sentence alike, so there is nothing to choose between them."
    if not general:
        return f"{names} are tied on {first.name}, and there is no general test set to decide between them."
    return f"{names} are tied on {first.name}; {_tie_break(evaluation, [best, *tied], general)}."


def _translate_alike(evaluation: Evaluation, systems: Sequence[str]) -> bool:
    """Whether the systems translate every sentence of every test set the same way."""
    return all(
        by_system[system] == by_system[systems[0]]
        for by_system in evaluation.hypotheses.values()
        for system in systems[1:]
    )


def tied_with_best(evaluation: Evaluation, test_set: TestSet, systems: Sequence[str]) -> tuple[str, list[str]]:
    """(the system with the best score, the others without a significant difference from it)."""
    best = max(systems, key=lambda system: evaluation.score(system, test_set.name, PRIMARY).score)
    others = [system for system in systems if system != best]
    return best, [s for s in others if not _between(evaluation, s, best, test_set.name).is_significant]


def _between(evaluation: Evaluation, system: str, other: str, test_set: str) -> Comparison:
    found = evaluation.comparison(system, test_set, PRIMARY, other)
    found = found or evaluation.comparison(other, test_set, PRIMARY, system)
    assert found is not None, "the primary metric compares each with each"
    return found


def _tie_break(evaluation: Evaluation, systems: Sequence[str], general: Sequence[TestSet]) -> str:
    """Which of the tied systems is best on general text, if any is, by the first general test set."""
    first = general[0]
    best, tied = tied_with_best(evaluation, first, systems)
    if not _allows_verdicts(evaluation, first):
        return f"{first.name} allows no verdict on which of them forgets less"
    if not tied:
        return f"take {best}, which is better on {first.name}: it forgets less"
    if len(tied) == len(systems) - 1:
        return f"they are tied on {first.name}, too: take the one that is cheaper to run"
    return f"{_listed([best, *tied])} do best on {first.name}, tied: take one of these, they forget less"


def _price(evaluation: Evaluation, system: str, others: Sequence[TestSet]) -> str:
    """What the best system loses on the other test sets, as the rest of a sentence."""
    enough = [test_set for test_set in others if _allows_verdicts(evaluation, test_set)]
    opponents = [other for other in evaluation.systems if other != system]
    lost = []
    for test_set in enough:
        differences = [_between(evaluation, system, other, test_set.name) for other in opponents]
        worse = [d for d in differences if d.is_significant and _gain(d, system) < 0]
        if worse:
            largest = min(worse, key=lambda d: _gain(d, system))
            other = largest.baseline if largest.system == system else largest.system
            lost.append(f"{abs(largest.difference):.1f} {PRIMARY} to {other} on {test_set.name}")
    if lost:
        return f", but it loses {_listed(lost)}"
    names = [test_set.name for test_set in enough]
    return f", and no loss shows on {_listed(names)}" if names else ""


def _gain(comparison: Comparison, system: str) -> float:
    return comparison.difference if comparison.system == system else -comparison.difference


def _allows_verdicts(evaluation: Evaluation, test_set: TestSet) -> bool:
    """Whether there are enough sentences, and nothing else forbids a verdict on any of the systems."""
    return test_set.distinct >= MIN_SENTENCES and not evaluation.refusal(test_set.name, *evaluation.systems)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def preference_in_words(preference: Preference) -> str:
    """What reviewers preferred, as a sentence, with how sure that is."""
    p = preference
    by = f"{len(p.reviewers)} reviewer{'' if len(p.reviewers) == 1 else 's'}"
    decided = p.sentences_for_system + p.sentences_for_baseline
    names = f"{p.system} against {p.baseline}"
    if p.rate is None:
        return f"Reviewers on {p.test_set}, {names}: none of {p.sentences} rated sentences is decided ({by})."
    sure = f"95 % interval {p.ci_low:.2f} to {p.ci_high:.2f}, sign test p = {p.p_value:.3f}, {by}"
    return (
        f"Reviewers on {p.test_set}, {names}: {p.sentences_for_system} of {decided} decided sentences for {p.system}, "
        f"a share of {p.rate:.2f} ({sure})."
    )
