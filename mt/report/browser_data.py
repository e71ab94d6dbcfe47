"""The sentences of a report as data that its script shows: a JSON text that is safe inside a page."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from mt.evaluation.fidelity import checks_of
from mt.evaluation.results import PRIMARY, Evaluation
from mt.evaluation.test_set import TestSet
from mt.languages import Language
from mt.report.scores_json import finite
from mt.text.glossary import Glossary


def browser_data(evaluation: Evaluation, glossary: Glossary) -> Markup:
    """A JSON object, `<` escaped, for a script element.

    `baseline`, `metric`, `source` and `target` (attributes of an element in that language), `checks` (names), and
    `sets`, each with `name`, `systems`, `slices` ([group, name, [sentence indices]]) and `sentences`: [source,
    reference, [one hypothesis per system], [one score per system], [[system, check, detail]], [[start, end, target
    forms]]]; a system's number is its index in `systems`, -1 the reference's; start and end count code points.
    """
    data = {
        "baseline": evaluation.baseline,
        "metric": PRIMARY,
        "source": _language(evaluation.languages.source),
        "target": _language(evaluation.languages.target),
        "checks": list(checks_of(evaluation.languages)),
        "sets": [_set(evaluation, test_set, glossary) for test_set in evaluation.test_sets],
    }
    text = json.dumps(finite(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Inside a script element only these end it or begin a comment; the line separators end a line of old scripts.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _language(language: Language) -> dict[str, str]:
    return {"lang": language.code, "dir": language.direction}


def _set(evaluation: Evaluation, test_set: TestSet, glossary: Glossary) -> dict[str, Any]:
    name, systems = test_set.name, list(evaluation.hypotheses[test_set.name])
    numbers = {system: number for number, system in enumerate(systems)} | {"reference": -1}
    failures: dict[int, list[list[Any]]] = {}
    checks = list(checks_of(evaluation.languages))
    for failure in evaluation.failures:
        if failure.test_set == name:
            row = [numbers[failure.system], checks.index(failure.check), failure.detail]
            failures.setdefault(failure.sentence - 1, []).append(row)
    columns = [evaluation.hypotheses[name][system] for system in systems]
    scores = [evaluation.sentence_scores[name][system] for system in systems]
    return {
        "name": name,
        "systems": systems,
        "slices": [[each.group, each.name, list(each.rows)] for each in evaluation.slice_members[name]],
        "sentences": [
            [
                source,
                test_set.references[i],
                [column[i] for column in columns],
                [column[i] for column in scores],
                failures.get(i, []),
                [[found.start, found.end, " · ".join(found.term.arabic[:3])] for found in glossary.find(source)],
            ]
            for i, source in enumerate(test_set.sources)
        ],
    }
