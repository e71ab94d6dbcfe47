"""sacreBLEU's corpus scores, kept as statistics per sentence so that any part of a test set can be scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics import BLEU, CHRF, TER

from mt.errors import DataError
from mt.evaluation.workers import InThisProcess
from mt.text.normalise import fold_spelling
from mt.wording import counted

METRICS = ("BLEU", "chrF", "chrF++", "TER")
"""The published scores, on the unchanged text."""
NORMALISED = tuple(f"{metric}-norm" for metric in METRICS)
"""The same metrics after `fold_spelling` of hypothesis and reference."""
SPBLEU, COMET = "spBLEU", "COMET"
LOWER_IS_BETTER = frozenset({"TER", "TER-norm"})
_TER = ("TER", "TER-norm")
# Metrics that are computed together. TER takes longest, so its tasks start first.
_FAMILIES = (_TER, ("chrF", "chrF++"), ("chrF-norm", "chrF++-norm"), ("BLEU",), ("BLEU-norm",), (SPBLEU,))

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """A corpus score: a function of statistics that are summed over sentences."""

    name: str
    signature: str
    """Everything that could change the score; for sacreBLEU's metrics, sacreBLEU's own signature."""
    score_of: Callable[[Array], float]
    """From summed statistics, shape (statistics,), to the score."""


@dataclass(frozen=True)
class MetricStatistics:
    """The statistics of one metric, for every system on one test set."""

    metric: Metric
    statistics: dict[str, Array]
    """By system: shape (sentences, statistics)."""
    clusters: Array | None = None
    """int (sentences,), numbered from 0 without gaps: equal for repeated sentences; None if no sentence is repeated."""
    resampled: dict[tuple[str, int], Array] = field(default_factory=dict, compare=False, repr=False)
    """Scores of bootstrap resamples computed so far, by system and number of resamples."""

    def score(self, system: str) -> float:
        """The score on all sentences."""
        return float(self.metric.score_of(self.statistics[system].sum(axis=0)))

    def of_clusters(self, system: str) -> Array:
        """The statistics of what is resampled: repeated sentences are summed up. Shape (clusters, statistics)."""
        rows = self.statistics[system]
        if self.clusters is None:
            return rows
        sums = np.zeros((int(self.clusters.max(initial=-1)) + 1, rows.shape[1]), rows.dtype)
        np.add.at(sums, self.clusters, rows)
        return sums

    def clustered(self, clusters: Array) -> MetricStatistics:
        """The same statistics with these clusters."""
        return MetricStatistics(self.metric, self.statistics, clusters)

    def part(self, rows: Array) -> MetricStatistics:
        """The statistics of some sentences, given by their indices."""
        clusters = None if self.clusters is None else np.unique(self.clusters[rows], return_inverse=True)[1]
        return MetricStatistics(self.metric, {name: table[rows] for name, table in self.statistics.items()}, clusters)

    def of_sentences(self, system: str) -> list[float]:
        """The score of each sentence on its own."""
        return [float(self.metric.score_of(row)) for row in self.statistics[system]]


def collect_statistics(
    test_set: str,
    hypotheses: Mapping[str, Sequence[str]],
    references: Sequence[str],
    metrics: Sequence[str],
    executor: Executor | None = None,
) -> list[MetricStatistics]:
    """The statistics of every system for the metrics named.

    References are used as they are. Raises `DataError` if the numbers of hypotheses and references differ.
    """
    for system, translations in hypotheses.items():
        check_lengths(system, test_set, translations, references)
    executor = executor or InThisProcess()
    families = [family for family in _FAMILIES if set(family) & set(metrics)]
    futures = {
        (family, system): executor.submit(_statistics, family, list(lines), list(references))
        for family in families
        for system, lines in hypotheses.items()
    }
    columns: dict[str, dict[str, Array]] = {name: {} for name in metrics}
    for (family, system), future in futures.items():
        for name in set(family) & set(metrics):
            columns[name][system] = future.result()[name]
    return [MetricStatistics(_describe(name), columns[name]) for name in metrics]


def _statistics(family: tuple[str, ...], hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Array]:
    """The statistics of each metric of a family; shape (sentences, statistics)."""
    if family == _TER:
        return _edits(hypotheses, references)
    if family[0].endswith("-norm"):
        hypotheses, references = list(map(fold_spelling, hypotheses)), list(map(fold_spelling, references))
    found = np.array(_sacrebleu(family[-1])._extract_corpus_statistics(hypotheses, [references]))
    # chrF++ counts words after the characters that chrF counts.
    return {name: found[:, : 3 * CHRF.CHAR_ORDER] if _is_chrf(name) else found for name in family}


def _edits(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Array]:
    """TER's statistics of the plain and of the folded text, which sacreBLEU takes milliseconds per sentence for.

    TER only asks which words are equal. So the folded text of a pair is scored again only if folding makes words equal
    that were different, such as أحمد in the hypothesis and احمد in the reference.
    """
    scorer = _sacrebleu("TER")
    plain = scorer._extract_corpus_statistics(hypotheses, [references])
    pairs = list(zip(hypotheses, references, strict=True))
    merged = [i for i, pair in enumerate(pairs) if not _keeps_words_apart(pair)]
    folded = list(plain)
    if merged:
        again = [[fold_spelling(pairs[i][side]) for i in merged] for side in (0, 1)]
        for i, row in zip(merged, scorer._extract_corpus_statistics(again[0], [again[1]]), strict=True):
            folded[i] = row
    return {"TER": np.array(plain), "TER-norm": np.array(folded)}


def _keeps_words_apart(pair: tuple[str, str]) -> bool:
    """Whether folding keeps the number of words of both texts, and which of their words are equal."""
    plain, folded = ([text.lower().split() for text in texts] for texts in (pair, map(fold_spelling, pair)))
    if list(map(len, plain)) != list(map(len, folded)):
        return False
    both = {*zip(plain[0] + plain[1], folded[0] + folded[1], strict=True)}
    return len({word for word, _ in both}) == len(both) == len({word for _, word in both})


def _is_chrf(name: str) -> bool:
    return name.removesuffix("-norm") == "chrF"


def _describe(name: str) -> Metric:
    scorer = _sacrebleu(name)
    scorer.num_refs = 1
    signature = str(scorer.get_signature())
    if name.endswith("-norm"):
        signature += "|arabic:diacritics,alef,digits,keyboard,invisible"
    return Metric(name, signature, lambda sums: float(scorer._compute_score_from_stats(sums).score))


def _sacrebleu(name: str) -> Any:
    plain = name.removesuffix("-norm")
    if plain == "TER":
        return TER()
    if plain in ("BLEU", SPBLEU):
        # `force`: no warning about hypotheses that end in " ."; that is what the system wrote.
        return BLEU(force=True, tokenize="flores200" if plain == SPBLEU else None)
    return CHRF(word_order=2 if plain == "chrF++" else 0)


def spbleu_model() -> Path:
    """The file in which sacreBLEU keeps the SentencePiece model of spBLEU."""
    from sacrebleu.utils import SACREBLEU_DIR

    return Path(SACREBLEU_DIR) / "models" / "flores200sacrebleuspm"


def segment_metric(name: str, signature: str, scores: Mapping[str, Sequence[float]]) -> MetricStatistics:
    """Statistics of a metric whose corpus score is the mean over sentences, such as COMET."""
    metric = Metric(name, signature, lambda sums: float(sums[0] / sums[1]))
    return MetricStatistics(
        metric, {system: np.array([(score, 1.0) for score in each]) for system, each in scores.items()}
    )


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF2, 0-100."""
    return float(CHRF().corpus_score(hypotheses, [references]).score)


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU with sacreBLEU's default 13a tokenizer, 0-100."""
    return float(BLEU().corpus_score(hypotheses, [references]).score)


def check_lengths(system: str, test_set: str, hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raise `DataError` unless there is one hypothesis per sentence of the test set."""
    if len(hypotheses) != len(references):
        raise DataError(
            f"{system}: {counted(len(hypotheses), 'translation')} for the {counted(len(references), 'sentence')} of "
            f"test set `{test_set}`; one line per sentence is needed, in the same order"
        )
    if not references:
        raise DataError(f"test set `{test_set}` is empty; nothing can be scored on it")
