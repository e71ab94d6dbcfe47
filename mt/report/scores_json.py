"""`scores.json`: everything that a comparison found, for programs; written, and read again."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mt.config import DecodingConfig
from mt.errors import RunError, UserError
from mt.evaluation.cautions import Caution
from mt.evaluation.confidence_check import confidence_in_words
from mt.evaluation.results import Comparison, Evaluation, Score, Verdict
from mt.evaluation.searches import search_as_json
from mt.evaluation.slices import SliceScore
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.files import sha256_of_json
from mt.models.engines import Engine


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The content of `scores.json`: all numbers of the report, and its sentences on them."""
    cautions = [f"{each.test_set}: {each.text}" for each in evaluation.cautions]
    content = {
        "scores": [{k: v for k, v in asdict(score).items() if k != "distinct"} for score in evaluation.scores],
        "comparisons": [asdict(comparison) for comparison in evaluation.comparisons],
        "fidelity": [asdict(result) for result in evaluation.fidelity],
        "baseline": evaluation.baseline,
        "advice": evaluation.advice,
        "verdicts": [asdict(verdict) for verdict in evaluation.verdicts],
        "rivals": [asdict(comparison) for comparison in evaluation.other_comparisons],
        "slices": [asdict(score) for score in evaluation.slices],
        "ngrams": [asdict(difference) for difference in evaluation.ngrams],
        "fidelity_failures": [asdict(failure) for failure in evaluation.failures],
        "sentences": evaluation.sentence_scores,
        "preferences": [preference.as_json() for preference in evaluation.preferences],
        "curves": evaluation.curves,
        "general_test_sets": [test_set.name for test_set in evaluation.test_sets if test_set.is_general],
        "notes": [*evaluation.remarks, *evaluation.notes, *cautions],
        # Two scores may be compared only if these agree; the name of a test set says nothing.
        "test_set_sha256": {
            test_set.name: sha256_of_json([list(test_set.sources), list(test_set.references)])
            for test_set in evaluation.test_sets
        },
        "distinct_sentences": {test_set.name: test_set.distinct for test_set in evaluation.test_sets},
        "held_out": {test_set.name: test_set.held_out for test_set in evaluation.test_sets if test_set.held_out},
        "drawn_by": {
            test_set.name: "document" if test_set.is_drawn_by_document else "sentence"
            for test_set in evaluation.test_sets
        },
        "overlap": [asdict(overlap) for overlap in evaluation.overlaps],
        "cautions": [asdict(caution) for caution in evaluation.cautions],
        "decoding": {system: search_as_json(search) for system, search in evaluation.decoding.items()},
        "engines": {system: asdict(engine) for system, engine in evaluation.engines.items()},
        "confidence": _confidence(evaluation),
    }
    return {key: finite(value) for key, value in content.items()}


def _confidence(evaluation: Evaluation) -> dict[str, Any] | None:
    check = evaluation.confidence
    return None if check is None else asdict(check) | {"text": confidence_in_words(check)}


def read_scores(file: Path) -> Evaluation:
    """The evaluation in a `scores.json`, without sentences and translations, which the file does not hold.

    Remarks and notes cannot be told apart any more, and come as remarks. Raises `RunError` if the file cannot be read
    or lacks something.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        distinct = content.get("distinct_sentences", {})
        scores = [
            Score(**{"distinct": distinct.get(entry["test_set"], entry["sentences"]), **entry})
            for entry in content["scores"]
        ]
        systems: Hypotheses = {}
        for score in scores:
            systems.setdefault(score.test_set, {})[score.system] = []
        general = set(content["general_test_sets"])
        cautions = [Caution(**entry) for entry in content["cautions"]]
        named = {f"{each.test_set}: {each.text}" for each in cautions}
        return Evaluation(
            content["baseline"],
            [TestSet(name, [], [], is_general=name in general) for name in systems],
            systems,
            scores,
            [Comparison(**entry) for entry in content["comparisons"]],
            [Comparison(**entry) for entry in content["rivals"]],
            slices=[SliceScore(**entry) for entry in content["slices"]],
            remarks=[note for note in content["notes"] if note not in named],
            decoding={system: DecodingConfig(**search) for system, search in content["decoding"].items()},
            engines={system: Engine(**engine) for system, engine in content.get("engines", {}).items()},
            cautions=cautions,
            verdicts=[Verdict(**entry) for entry in content["verdicts"]],
            advice=content["advice"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        raise RunError(f"{file}: its scores cannot be shown ({error}); the report beside it may have them") from error


def finite(value: Any) -> Any:
    """`value` without numbers that JSON does not know: infinite ones and NaN become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value
