"""Corpus scores, all of them sacreBLEU's, each with its signature and confidence interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from mt.errors import DataError

METRICS = ("BLEU", "chrF", "chrF++", "TER")
_METHOD = "paired bootstrap"
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


def score_systems(
    test_set: str, hypotheses: Mapping[str, Sequence[str]], references: Sequence[str], resamples: int
) -> tuple[list[Score], list[Comparison]]:
    """Score every system by all of `METRICS` and compare each with the first one, the baseline.

    Intervals and p-values come from the same `resamples` paired bootstrap resamples (Koehn, 2004). References are
    scored as they are written. Raises `DataError` where hypotheses and references differ in number.
    """
    for system, translations in hypotheses.items():
        check_lengths(system, test_set, translations, references)
    # Not corpus_score(n_bootstrap=...): sacreBLEU 2.6 fails there when resamples differ in float type.
    metrics = {name: _metric(name, references) for name in METRICS}
    test = PairedTest(list(hypotheses.items()), metrics, references=None, test_type="bs", n_samples=resamples)
    signatures, results = test()
    baseline = next(iter(hypotheses))
    scores, comparisons = [], []
    for metric in METRICS:
        key = _SACREBLEU_NAMES.get(metric, metric)
        signature, base = str(signatures[key]), results[key][0]
        for system, result in zip(hypotheses, results[key], strict=True):
            low, high = float(result.mean - result.ci), float(result.mean + result.ci)
            score = float(result.score)
            scores.append(Score(system, test_set, metric, score, low, high, signature, len(references)))
            if system != baseline:
                difference = score - float(base.score)
                # Of systems that never differ, sacreBLEU says that they surely do.
                p_value = float(result.p_value) if difference else 1.0
                comparisons.append(Comparison(system, baseline, test_set, metric, difference, p_value, _METHOD))
    return scores, comparisons


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
