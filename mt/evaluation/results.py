"""The results of a comparison: everything that the report shows and `scores.json` holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from mt.config import DecodingConfig
from mt.evaluation.cautions import Caution
from mt.evaluation.confidence_check import ConfidenceCheck
from mt.evaluation.fidelity import Failure, Fidelity
from mt.evaluation.metrics import LOWER_IS_BETTER
from mt.evaluation.ngrams import NgramDifference
from mt.evaluation.overlap import Overlap
from mt.evaluation.ratings import Preference
from mt.evaluation.significance import LEVEL
from mt.evaluation.slices import CORPUS, Slice, SliceScore
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.models.engines import Engine

SIGNIFICANT = LEVEL
"""A difference counts as shown below this p-value, after Holm's correction, by both tests."""
MIN_SENTENCES = 30
"""No verdict on fewer: resamples of few sentences say little about other sentences."""
PRIMARY = "chrF"
"""The metric of verdicts, slices and sentences: of those computed here, the closest to people's judgement."""


@dataclass(frozen=True)
class Score:
    """One system's score on one test set; sacreBLEU's are on its 0-100 scale."""

    system: str
    test_set: str
    metric: str
    score: float
    ci_low: float
    """Lower end of the 95 % bootstrap interval."""
    ci_high: float
    signature: str
    """The record of everything that could change the score."""
    sentences: int
    distinct: int
    """How many of the sentences differ in more than case, digits and punctuation."""


@dataclass(frozen=True)
class Comparison:
    """A system against another: the difference and how likely chance alone explains it."""

    system: str
    baseline: str
    test_set: str
    metric: str
    difference: float
    p_value: float
    method: str
    p_holm: float
    """`p_value` after Holm's correction over all systems and test sets that this metric and method judge."""
    ci_low: float
    """Lower end of the 95 % bootstrap interval of the difference."""
    ci_high: float
    detectable: float
    """The smallest true difference that a test set of this size detects with a probability of 0.8."""
    sentences: int
    """How many sentences were compared: those of the test set without the few that a system has seen in training."""
    distinct: int
    """How many of these differ in more than case, digits and punctuation."""
    refused: str = ""
    """Why there is no verdict, as a clause; empty if there is one."""

    @property
    def is_significant(self) -> bool:
        """Whether chance is an unlikely explanation, and nothing forbids a verdict."""
        return self.p_holm < SIGNIFICANT and not self.refused

    @property
    def is_better(self) -> bool:
        """Whether the system beats the other, significantly or not; lower is better in TER."""
        return (self.difference < 0) == (self.metric in LOWER_IS_BETTER) and self.difference != 0


@dataclass(frozen=True)
class Verdict:
    """What the scores of a system on a test set say, in words."""

    test_set: str
    system: str
    text: str


@dataclass
class Evaluation:
    """What was scored, and the results."""

    baseline: str
    test_sets: list[TestSet] = field(default_factory=list)
    hypotheses: Hypotheses = field(default_factory=dict)
    scores: list[Score] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    """With the baseline, by every metric and both tests."""
    other_comparisons: list[Comparison] = field(default_factory=list)
    """Of the other systems with each other, by the primary metric and both tests."""
    fidelity: list[Fidelity] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    slices: list[SliceScore] = field(default_factory=list)
    slice_members: dict[str, list[Slice]] = field(default_factory=dict)
    """By test set, its slices with their sentences."""
    ngrams: list[NgramDifference] = field(default_factory=list)
    sentence_scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By test set, then by system: the primary metric of each sentence, to two decimals."""
    preferences: list[Preference] = field(default_factory=list)
    """What reviewers preferred in blind reviews."""
    curves: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """By system that is a run: the evaluations on the dev split in its metrics.jsonl."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""
    remarks: list[str] = field(default_factory=list)
    """What a reader must know before the scores, in whole sentences."""
    decoding: dict[str, DecodingConfig] = field(default_factory=dict)
    """How each system was decoded, but for files of translations, which were made elsewhere."""
    engines: dict[str, Engine] = field(default_factory=dict)
    """What decoded each of them."""
    overlaps: list[Overlap] = field(default_factory=list)
    """Of every system that is a run with every test set."""
    cautions: list[Caution] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    """One per test set and system; formed once, when everything is scored, and shown as they are."""
    confidence: ConfidenceCheck | None = None
    """How well a run's model knows which of its translations are bad; None if it was not calibrated."""
    advice: str = ""
    """Which system to take; empty where there is no choice."""

    @property
    def languages(self) -> LanguagePair:
        """The pair that all systems translate between."""
        return self.test_sets[0].languages if self.test_sets else ENGLISH_TO_ARABIC

    @property
    def systems(self) -> list[str]:
        """All systems, the baseline first."""
        return list(self.hypotheses[self.test_sets[0].name])

    @property
    def metrics(self) -> list[str]:
        """All metrics, in the order in which they are shown."""
        return list(dict.fromkeys(score.metric for score in self.scores))

    def score(self, system: str, test_set: str, metric: str) -> Score:
        """The one score that the arguments name."""
        return next(s for s in self.scores if (s.system, s.test_set, s.metric) == (system, test_set, metric))

    def comparison(self, system: str, test_set: str, metric: str, baseline: str | None = None) -> Comparison | None:
        """The comparison of two systems, by the test with the larger p-value; None for a system with itself."""
        wanted = (system, baseline or self.baseline, test_set, metric)
        found = [
            c
            for c in (*self.comparisons, *self.other_comparisons)
            if (c.system, c.baseline, c.test_set, c.metric) == wanted
        ]
        return max(found, key=lambda c: c.p_holm, default=None)

    def by_corpus(self, test_set: str) -> dict[str, dict[str, SliceScore]]:
        """{corpus: {system: score}} by the primary metric, of a test set that mixes corpora; else empty."""
        view: dict[str, dict[str, SliceScore]] = {}
        for score in self.slices:
            if (score.test_set, score.group) == (test_set, CORPUS):
                view.setdefault(score.slice, {})[score.system] = score
        return view

    def shows_better(self, system: str, test_set: str, metric: str) -> bool | None:
        """Whether the system is significantly better than the baseline (True) or worse (False); None if neither."""
        comparison = self.comparison(system, test_set, metric)
        return comparison.is_better if comparison is not None and comparison.is_significant else None

    def refusal(self, test_set: str, *systems: str) -> str:
        """Why these systems get no verdict on a test set: the gravest reason, as a clause.

        Empty if nothing but the size of the test set may forbid one.
        """
        reasons = [c for c in self.cautions if c.forbids and c.concerns(test_set, *systems)]
        return max(reasons, key=lambda caution: caution.gravity).text if reasons else ""

    def significantly_worse(self, metric: str) -> list[Comparison]:
        """Comparisons in which a system is significantly worse than the baseline."""
        return [c for c in self._with_baseline(metric) if c.is_significant and not c.is_better]

    def without_verdict(self, metric: str) -> list[Comparison]:
        """Comparisons with the baseline that get no verdict."""
        return [c for c in self._with_baseline(metric) if c.refused]

    def _with_baseline(self, metric: str) -> list[Comparison]:
        pairs = dict.fromkeys((c.system, c.test_set) for c in self.comparisons if c.metric == metric)
        return [c for pair in pairs if (c := self.comparison(*pair, metric)) is not None]
