"""Corpus scores, all of them sacreBLEU's, each with its signature and confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from mt.errors import DataError

METRICS = ("BLEU", "chrF", "chrF++", "TER")
_SACREBLEU_NAMES = {"chrF": "chrF2", "chrF++": "chrF2++"}
LOWER_IS_BETTER = frozenset({"TER"})


@dataclass(frozen=True)
class Score:
    """One system's score on one test set, on sacreBLEU's 0-100 scale."""

    system: str
    test_set: str
    metric: str
    score: float
    ci_low: float
    """Lower end of the 95 % bootstrap interval."""
    ci_high: float
    signature: str
    """sacreBLEU's record of everything that could change the score."""
    sentences: int


@dataclass(frozen=True)
class Comparison:
    """A system against the baseline: score difference and how likely chance alone explains it."""

    system: str
    baseline: str
    test_set: str
    metric: str
    difference: float
    p_value: float
    method: str


def score_system(
    system: str, test_set: str, hypotheses: Sequence[str], references: Sequence[str], resamples: int
) -> list[Score]:
    """All of `METRICS` with bootstrap intervals (Koehn, 2004). References are scored as they are written."""
    check_lengths(system, test_set, hypotheses, references)
    scores = []
    for name in METRICS:
        metric = _metric(name, references)
        result: Any = metric.corpus_score(hypotheses, None, n_bootstrap=resamples)
        # sacreBLEU keeps the interval in private attributes and shows it only as text.
        low, high = float(result._mean - result._ci), float(result._mean + result._ci)
        signature = str(metric.get_signature())
        scores.append(Score(system, test_set, name, float(result.score), low, high, signature, len(references)))
    return scores


def compare_systems(
    test_set: str, baseline: str, hypotheses: dict[str, Sequence[str]], references: Sequence[str], resamples: int
) -> list[Comparison]:
    """Paired bootstrap resampling (Koehn, 2004) of every other system against `baseline`."""
    others = [system for system in hypotheses if system != baseline]
    if not others:
        return []
    named = [(system, hypotheses[system]) for system in (baseline, *others)]
    metrics = {name: _metric(name, references) for name in METRICS}
    _, results = PairedTest(named, metrics, references=None, test_type="bs", n_samples=resamples)()
    comparisons = []
    for metric in METRICS:
        base, *rest = results[_SACREBLEU_NAMES.get(metric, metric)]
        for system, result in zip(others, rest, strict=True):
            difference, p_value = float(result.score - base.score), float(result.p_value)
            comparisons.append(Comparison(system, baseline, test_set, metric, difference, p_value, "paired bootstrap"))
    return comparisons


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF2, 0-100."""
    return float(CHRF().corpus_score(hypotheses, [references]).score)


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU with sacreBLEU's default 13a tokenizer, 0-100."""
    return float(BLEU().corpus_score(hypotheses, [references]).score)


def check_lengths(system: str, test_set: str, hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Refuse hypotheses that cannot be the translations of this test set."""
    if len(hypotheses) != len(references):
        raise DataError(
            f"{system}: {len(hypotheses)} translations for the {len(references)} sentences of test set "
            f"`{test_set}`; one line a sentence, in the same order"
        )
    if not references:
        raise DataError(f"test set `{test_set}` is empty; nothing can be scored on it")


def _metric(name: str, references: Sequence[str]) -> Any:
    if name == "TER":
        return TER(references=[references])
    if name == "BLEU":
        return BLEU(references=[references])
    return CHRF(word_order=2 if name == "chrF++" else 0, references=[references])
