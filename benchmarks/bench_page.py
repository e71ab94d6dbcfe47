"""The table of `benchmarks/bench.py`, the page `benchmarks.md` and its plot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bench_plan import BENCHMARKS, Benchmark
from bench_rows import Row, points
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tabulate import tabulate

HEADER = ("what", "size", "this project", "plain alternative", "ratio", "unit")
OURS, PLAIN, INK, GRID = ("#0b6e99", "#3f7d20", "#7a4fa3"), ("#b4491f", "#a8820f"), "#1f2328", "#d0d7de"
_MAX_REASON = 80
WIDTH = 118


def table(rows: Sequence[Row]) -> str:
    """One line for each row; where a figure is missing, the reason."""
    lines = [_line(row) for row in rows]
    columns = ("left", *["right"] * 4, "left")
    return str(tabulate(lines, headers=HEADER, tablefmt="github", disable_numparse=True, colalign=columns))


def _line(row: Row) -> list[str]:
    what = f"{row.what} beside {row.against}" if row.against else row.what
    size = "" if row.size is None else f"{row.size:,} {row.counted}"
    if row.benchmark == "gpu" and row.case:
        size = row.case.partition(": ")[2]
    reason = textwrap.shorten(row.why, _MAX_REASON, placeholder=" ...").replace("|", "/")
    # The reason once, in the place of what is missing.
    mt = _number(row.mt) if row.mt is not None else reason
    plain = _number(row.plain) if row.plain is not None or row.mt is None else reason
    return [what, size, mt, plain, "" if row.ratio is None else f"{row.ratio:.2f}", row.unit]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write_page(directory: Path, result: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """`benchmarks.md` and `benchmarks.svg`, beside `benchmarks.json`."""
    directory.mkdir(parents=True, exist_ok=True)
    shown = [each for each in BENCHMARKS if each.name in result["benchmarks"]]
    drawn = [each for each in shown if _has_points(result["benchmarks"][each.name], each)]
    text = "\n".join(page(result, rows, shown, has_plot=bool(drawn))) + "\n"
    (directory / "benchmarks.md").write_text(text, encoding="utf-8")
    if drawn:
        draw(directory / "benchmarks.svg", {each: result["benchmarks"][each.name] for each in drawn})


def page(
    result: Mapping[str, Any], rows: Sequence[Row], shown: Sequence[Benchmark], *, has_plot: bool
) -> Iterator[str]:
    """The lines of the Markdown page."""
    yield "# Benchmarks"
    yield ""
    yield from _wrapped(
        f"Made by `{result['command']}`; `benchmarks/bench.py` says at its head how it measures, and `benchmarks.json` "
        "beside this page holds all figures. *Ratio* says how many times as fast as the plain alternative this project "
        "is."
    )
    for names, setup in _setups(result, shown):
        yield ""
        yield from _wrapped(_setup_in_words(names if len(names) < len(shown) else (), setup))
    yield ""
    yield table(rows)
    yield ""
    yield "What the rows measure:"
    yield ""
    for benchmark in shown:
        for comparison in benchmark.comparisons:
            line = f"- *{comparison.what} beside {comparison.against}*: {comparison.note}"
            yield from textwrap.wrap(
                line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )
    if has_plot:
        yield ""
        yield "![Seconds at 1x, 2x and 4x of the input](benchmarks.svg)"
        yield ""
        yield from _wrapped(
            "In brackets: how many times as long the largest input takes as the smallest. Where the time grows as the "
            "input does, the line goes straight through the origin."
        )


def _setups(result: Mapping[str, Any], shown: Sequence[Benchmark]) -> list[tuple[list[str], Mapping[str, Any]]]:
    """(benchmarks, what they have in common), for each different setup."""
    found: list[tuple[list[str], Mapping[str, Any]]] = []
    for benchmark in shown:
        setup = result["benchmarks"][benchmark.name]["setup"]
        same = next((names for names, other in found if other == setup), None)
        if same is None:
            found.append(([benchmark.name], setup))
        else:
            same.append(benchmark.name)
    return found


def _setup_in_words(names: Sequence[str], setup: Mapping[str, Any]) -> str:
    """Machine, versions and settings as a paragraph. names: the benchmarks it is about, if not all."""
    versions = ", ".join(f"{name} {found}" for name, found in setup["versions"].items() if found)
    cores = "one core and one thread" if setup["cores"] == 1 else f"{setup['cores']} cores and as many threads"
    where = "On the GPU" if setup["gpus"] else f"On {cores}"
    machine = [f"{setup['cpu']}, {setup['cores_of_machine']} cores, {setup['memory_gib']} GiB", *setup["gpus"]]
    rounds = "one round" if setup["rounds"] == 1 or setup["gpus"] else f"medians of {setup['rounds']} rounds"
    corpus = "the project's own corpus" if setup["corpus"] == "the project's own" else f"the corpus `{setup['corpus']}`"
    text = f"{', '.join(machine)}; {setup['system']}; {versions}. {where}, {rounds}, {corpus}."
    if setup["quick"]:
        text += " **Tiny sizes, which only show that everything runs: these figures say nothing.**"
    elif setup["scale"] != 1:
        text += f" **Measured at {setup['scale']:g} times the usual sizes.**"
    return f"{', '.join(names).capitalize()}: {text}" if names else text


def _has_points(found: Mapping[str, Any], benchmark: Benchmark) -> bool:
    return any(points(found, way) for way in benchmark.names)


def draw(file: Path, found: Mapping[Benchmark, Mapping[str, Any]]) -> None:
    """A panel for each benchmark, one below the other: narrow enough for a telephone to show it at its full size."""
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "benchmarks",
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GRID,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(5, 2.5 * len(found)), layout="constrained", facecolor="white")
        grid = figure.subplots(len(found), 1, squeeze=False)
        for axes, (benchmark, measured) in zip(grid[:, 0], found.items(), strict=True):
            _panel(axes, benchmark, measured)
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))


def _panel(axes: Axes, benchmark: Benchmark, found: Mapping[str, Any]) -> None:
    """Seconds by size, a line for each way: this project's solid, plain ones dashed."""
    plain = {comparison.plain for comparison in benchmark.comparisons}
    colours = {True: iter(PLAIN), False: iter(OURS)}
    for way, name in benchmark.names.items():
        is_plain, measured = way in plain, points(found, way)
        colour = next(colours[is_plain])
        if not measured:
            continue
        grown = found["growth"].get(way)
        label = f"{name} ({grown['times']:.1f}x)" if grown else name
        style = ("--", "s") if is_plain else ("-", "o")
        axes.plot(*zip(*measured, strict=True), style[0], marker=style[1], color=colour, label=label, markersize=4)
    sizes = sorted({case["size"] for case in found["cases"].values() if case["ways"]})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xlim(0, sizes[-1] * 1.06)
    # Room for the key above the lines.
    axes.set_ylim(0, axes.dataLim.y1 * (1 + 0.1 * len(axes.lines)))
    axes.set_title(benchmark.title, loc="left", fontsize=12, fontweight="bold")
    axes.set_xlabel(benchmark.counted)
    axes.set_ylabel("seconds")
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False, fontsize=10, borderaxespad=0, handlelength=1.8)


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
