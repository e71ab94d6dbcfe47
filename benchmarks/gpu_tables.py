"""The figures of `benchmarks/gpu.py` as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tabulate import tabulate

Row = list[Any]


def tables(result: dict[str, Any]) -> str:
    """All tables; a part without figures has a line that says why."""
    blocks = [_head(result)]
    for section, (header, rows_of) in _SECTIONS.items():
        parts = [part for part in result["parts"] if part["section"] == section]
        rows = [[_cell(cell) for cell in row] for part in parts if part["figures"] for row in rows_of(part, result)]
        notes = [f"{part['name']}: {part['status']}: {part['why']}" for part in parts if part["status"] != "done"]
        if parts:
            table = tabulate(rows, headers=header.split("|"), tablefmt="github", disable_numparse=True) if rows else ""
            blocks.append("\n".join(filter(None, [f"## {section}", table, *notes])))
    return "\n\n".join(blocks)


def _head(result: dict[str, Any]) -> str:
    card, corpus = result["card"], result["corpus"]
    if card is None or corpus is None:
        return f"prepare: {result['prepare']['status']}: {result['prepare']['why']}"
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    lines = [
        f"{card['device']}, {card['cores']} cores; {versions}, CUDA {card['cuda']}; commit {card['commit']}",
        f"100 % = {card['flops_per_second'] / 1e12:.4g} TFLOP/s, one product of {card['product']}",
        f"{corpus['training_pairs']:,} training pairs, {corpus['source_tokens']:,} source and "
        f"{corpus['target_tokens']:,} target tokens",
    ]
    if result["tiny"]:
        lines.append("TINY: models and data too small to measure anything")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.3g} %"


def _train(part: dict[str, Any], result: dict[str, Any]) -> Iterator[Row]:
    found = part["figures"]
    if isinstance(found, list):
        return
    seconds = found["seconds"]
    yield [
        part["name"],
        found["updates"],
        found["epochs"],
        found["tokens_per_second"],
        _percent(found["share"]),
        _percent(found.get("later_share")),
        found.get("first_to_later"),
        _percent(_padding_of(found, result)),
        found["peak_gib"],
        *(seconds[name] for name in ("start", "updates", "rest")),
    ]


def _padding_of(found: dict[str, Any], result: dict[str, Any]) -> float | None:
    """The padding of the run, which the part `padding` has found."""
    for part in result["parts"]:
        if part["section"] == "train" and isinstance(part["figures"], list):
            for entry in part["figures"]:
                if entry["run"] == found["run"]:
                    return float(entry["padding"])
    return None


def _compare(part: dict[str, Any], _: dict[str, Any]) -> Iterator[Row]:
    for way, found in part["figures"]["ways"].items():
        name = f"{part['name']} ({part['figures']['tokens_per_update']:,} target tokens)"
        if "failed" in found:
            yield [name, way, found["failed"][:60]]
            continue
        times, later = (part["figures"].get(key, {}).get(way) for key in ("times", "times_later"))
        yield [
            *(name, way, found["updates"], found["tokens_per_second"], times),
            *(found.get("tokens_per_second_later"), later, _percent(1 - found["not_padding"])),
            *(found.get("peak_gib"), found.get("accumulation"), found["setup_seconds"]),
        ]


def _step(part: dict[str, Any], _: dict[str, Any]) -> Iterator[Row]:
    for found in part["figures"]:
        if "failed" in found:
            yield [part["name"], found["tokens"], found["failed"][:60]]
            continue
        figures = [found["ms"], found["tokens_per_second"], _percent(found["share"]), found["peak_gib"]]
        yield [part["name"], found["tokens"], *figures, found["micro_batches"], found["setup_seconds"]]


def _decode(part: dict[str, Any], _: dict[str, Any]) -> Iterator[Row]:
    for way, found in part["figures"]["ways"].items():
        yield [way, found["sentences_per_second"], found["tokens_per_second"], found["chrF"]]


def _processes(part: dict[str, Any], _: dict[str, Any]) -> Iterator[Row]:
    found = part["figures"]
    yield [part["name"], found["status"], found["seconds"], _scores(found["chrF"])]


def _resume(part: dict[str, Any], _: dict[str, Any]) -> Iterator[Row]:
    found = part["figures"]
    for name, scores in found["chrF"].items():
        yield [name, _scores(scores), "yes" if found["same"] else "no"]


def _scores(scores: dict[str, float]) -> str:
    return ", ".join(f"{system} {score:.2f}" for system, score in scores.items())


_SECTIONS: dict[str, tuple[str, Callable[[dict[str, Any], dict[str, Any]], Iterator[Row]]]] = {
    "train": (
        "run|updates|epochs|tokens/s|of the card|later epochs|first / later|padding|GiB|s before|s updates|s after",
        _train,
    ),
    "compare": (
        "update|way|updates|tokens/s|mt / way|after 10 updates|mt / way|padding|GiB|accumulation|s before",
        _compare,
    ),
    "step": ("model|tokens per side|ms|tokens/s|of the card|GiB|micro-batches|s before", _step),
    "decode": ("way|sentences/s|tokens/s|chrF", _decode),
    "processes": ("launched by|exit status|seconds|chrF", _processes),
    "resume": ("run|chrF|same", _resume),
}
