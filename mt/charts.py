"""Charts as SVG for a page: they open offline, scale, and take on the page's colours, dark mode too."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colours that stand for the page's own; replaced in the finished SVG.
_INK, _GRID = "#010203", "#040506"
_SERIES = ("#070809", "#0a0b0c", "#0d0e0f", "#101112", "#131415")
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PAGE_COLOURS = {_INK: "var(--ink)", _GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)
}


def bar_chart(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], x_label: str, y_label: str
) -> Markup:
    """Upright bars, those of one label beside each other; `series` by name, a value for each label."""
    figure, axes = _axes(title, 7.2, 2.6)
    width = 0.8 / len(series)
    for number, (name, values) in enumerate(series.items()):
        places = [index + (number - (len(series) - 1) / 2) * width for index in range(len(labels))]
        axes.bar(places, values, width * 0.95, label=name, color=_SERIES[number % len(_SERIES)])
    step = -(-len(labels) // 9)
    axes.set_xticks(range(0, len(labels), step), [*labels][::step])
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    if len(series) > 1:
        axes.legend(frameon=False, labelcolor=_INK)
    return _svg(figure, title)


def ranking(title: str, values: Mapping[str, float], x_label: str) -> Markup:
    """Bars on their side, the first value on top."""
    figure, axes = _axes(title, 7.2, 0.6 + 0.24 * len(values))
    names = list(values)[::-1]
    bars = axes.barh(range(len(names)), [values[name] for name in names], 0.7, color=_SERIES[0])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, color=_INK)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(x_label)
    axes.margins(x=0.1)
    axes.grid(axis="x", color=_GRID, linewidth=0.6)
    return _svg(figure, title)


def _axes(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=_INK, fontsize=10, fontweight="bold")
    axes.tick_params(colors=_INK, length=0)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.spines[:].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure, title: str) -> Markup:
    stream = io.StringIO()
    # Text stays text, for screen readers and search; the salt keeps the ids of a chart's parts the same every time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(stream, format="svg", transparent=True, metadata=_NO_METADATA)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _PAGE_COLOURS.items():
        svg = svg.replace(colour, variable)
    size = r'width="[\d.]+pt" height="[\d.]+pt"'
    label = Markup('class="chart" role="img" aria-label="{}"').format(title)
    return Markup(re.sub(size, lambda _: str(label), svg, count=1))
