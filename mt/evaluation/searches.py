"""Decoding settings in words and as JSON, and whether all systems were decoded by the same search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from mt.config import DecodingConfig
from mt.evaluation.results import Evaluation
from mt.models.engines import Engine


def search_in_words(decoding: DecodingConfig) -> str:
    """The settings that change hypotheses, as a phrase."""
    search = "greedy" if decoding.num_beams == 1 else f"beam {decoding.num_beams}"
    if decoding.mbr:
        search = f"the most usual of {decoding.mbr} samples by chrF"
    elif decoding.length_penalty != 1 and decoding.num_beams > 1:
        search += f", length penalty {decoding.length_penalty:g}"
    if decoding.no_repeat_ngram_size:
        search += f", no {decoding.no_repeat_ngram_size} tokens in a row twice"
    if decoding.tag:
        search += f", sources tagged {decoding.tag}"
    if decoding.terminology is not None:
        search += f", the terms of {decoding.terminology} given inline"
    return f"{search}, at most {decoding.max_length_ratio:g} target tokens per source token plus 10"


def describe_searches(
    searches: Mapping[str, DecodingConfig], engines: Mapping[str, Engine] = MappingProxyType({})
) -> dict[str, str]:
    """Facts for a report: how and by what each system was decoded, as one entry if all were decoded the same way."""
    made = {
        f"decoding of {label}": search_in_words(search) + (f"; by {engines[label]}" if label in engines else "")
        for label, search in searches.items()
    }
    return {"decoding": next(iter(made.values()))} if len(set(made.values())) == 1 else made


def search_as_json(decoding: DecodingConfig) -> dict[str, Any]:
    """The settings that change hypotheses, by name; engine and precision are told elsewhere."""
    return {
        name: value for name, value in asdict(decoding).items() if name not in ("batch_tokens", "engine", "precision")
    }


def unlike_searches(searches: Mapping[str, DecodingConfig]) -> str:
    """A warning, as a sentence, if systems were decoded by different searches; else empty.

    Tag and terms do not count: a model is trained for them or not.
    """
    each = _each_if_different({label: search_in_words(search.without_domain()) for label, search in searches.items()})
    if not each:
        return ""
    return (
        f"The systems were decoded by different searches ({each}), so a difference may be one of searches rather than "
        "of models; an option such as --decoding.num_beams holds for all of them."
    )


def _each_if_different(words: Mapping[str, str]) -> str:
    """`a, b: beam 4; c: greedy` for words by system; empty if all are the same."""
    labels: dict[str, list[str]] = {}
    for label, said in words.items():
        labels.setdefault(said, []).append(label)
    return "" if len(labels) < 2 else "; ".join(f"{', '.join(who)}: {said}" for said, who in labels.items())


def unlike_engines(engines: Mapping[str, Engine]) -> str:
    """A warning, as a sentence, if systems were decoded by different engines or precisions; else empty."""
    each = _each_if_different({label: str(engine) for label, engine in engines.items()})
    if not each:
        return ""
    return (
        f"The systems were decoded by different engines ({each}), which do not translate every sentence the same, so a "
        "small difference may be one of engines rather than of models; --decoding.engine torch gives all of them one, "
        "except CTranslate2 directories, which it refuses."
    )


def describe_search(
    evaluation: Evaluation, searches: Mapping[str, DecodingConfig], engines: Mapping[str, Engine]
) -> None:
    """Note how and by what each system was decoded, and a remark if not all were by the same search and engine."""
    evaluation.decoding, evaluation.engines = dict(searches), dict(engines)
    evaluation.remarks += filter(None, [unlike_searches(searches), unlike_engines(engines)])
