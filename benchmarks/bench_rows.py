"""From the figures of single runs to medians, growth and the rows of the table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench_plan import ALL_WAYS, Benchmark, Comparison, Figures


@dataclass(frozen=True)
class Row:
    """A line of the table. ratio: how many times as fast as the plain alternative this project is."""

    benchmark: str
    case: str
    what: str
    against: str
    size: int | None
    counted: str
    mt: float | None
    plain: float | None
    ratio: float | None
    unit: str
    why: str
    """Why figures are missing; empty if none are."""


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure over the runs of one way at one size.

    [{"seconds": 3}, {"seconds": 9}, {"seconds": 4}] gives {"seconds": 4}. A figure that is the same in all runs is kept
    as it is: counts remain whole numbers.
    """
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: _median([run[name] for run in runs]) for name in names}


def _median(values: Sequence[float]) -> float:
    return values[0] if len(set(values)) == 1 else round(statistics.median(values), 4)


def growth(sizes: Sequence[float], seconds: Sequence[float]) -> dict[str, float] | None:
    """How the time grows with the input; None without two sizes.

    times: the last time over the first. inputs: the same for the sizes. exponent: the slope of the logarithms by least
    squares: 1 if twice the input takes twice the time, 2 if it takes four times.
    """
    if len(set(sizes)) < 2 or min(*sizes, *seconds) <= 0:
        return None
    slope, _ = statistics.linear_regression(list(map(math.log, sizes)), list(map(math.log, seconds)))
    return {
        "times": round(seconds[-1] / seconds[0], 2),
        "inputs": round(sizes[-1] / sizes[0], 2),
        "exponent": round(slope, 2),
    }


def points(found: Mapping[str, Any], way: str) -> list[tuple[float, float]]:
    """(size, median seconds) of a way, by size; only of cases where it has succeeded."""
    ways = [case["ways"][way] for case in found["cases"].values() if way in case["ways"]]
    return sorted((figures["size"], figures["seconds"]) for figures in ways if "seconds" in figures)


def growth_of(benchmark: Benchmark, found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The growth of each way that was measured at two sizes or more."""
    result = {}
    for way in benchmark.names:
        if len(measured := points(found, way)) >= 2 and (grown := growth(*zip(*measured, strict=True))):
            result[way] = grown
    return result


def rows_of(benchmark: Benchmark, found: Mapping[str, Any]) -> list[Row]:
    """The rows of a benchmark, comparison by comparison; one with the reason where nothing was measured.

    found: why and, by case, `ways` (medians) and `faults` (reasons), as `bench.py` writes them.
    """
    rows = []
    if found["why"]:
        rows.append(Row(benchmark.name, "", benchmark.title, "", None, "", None, None, None, "", found["why"]))
    for comparison in benchmark.comparisons:
        for name, case in found["cases"].items():
            known = case["ways"].keys() | case["faults"].keys()
            if ALL_WAYS in known or {comparison.way, comparison.plain} & known:
                rows.append(_row(benchmark, comparison, name, case))
    return rows


def _row(benchmark: Benchmark, comparison: Comparison, name: str, case: Mapping[str, Any]) -> Row:
    ways, faults = case["ways"], case["faults"]
    unit = "sentences/s" if name.startswith("decode") else benchmark.unit
    figure = "seconds" if unit == "s" else "per_second"
    mt, plain = (ways.get(way, {}).get(figure) for way in (comparison.way, comparison.plain))
    reasons = [faults[way] for way in (comparison.way, comparison.plain, ALL_WAYS) if way in faults]
    return Row(
        benchmark=benchmark.name,
        case=name,
        what=comparison.what,
        against=comparison.against,
        size=case["size"],
        counted=benchmark.counted,
        mt=mt,
        plain=plain,
        ratio=_ratio(mt, plain, unit),
        unit=unit,
        why="; ".join(dict.fromkeys(reasons)),
    )


def _ratio(mt: float | None, plain: float | None, unit: str) -> float | None:
    if not mt or not plain:
        return None
    return round(plain / mt if unit == "s" else mt / plain, 2)


def as_dicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows for JSON."""
    return [asdict(row) for row in rows]
