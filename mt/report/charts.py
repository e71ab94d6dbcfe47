"""Charts as SVG for a page: they open offline, scale, and take on the page's colours, dark mode too."""

from __future__ import annotations

import io
import textwrap
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

_SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
# A label is text, also one with two dollar signs. matplotlib reads this when it makes a text, not when it draws it.
mpl.rcParams["text.parse_math"] = False

# Colours that stand for the page's own; replaced in the finished SVG.
_INK, _GRID = "#010203", "#040506"
_SERIES = ("#070809", "#0a0b0c", "#0d0e0f", "#101112", "#131415")
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PAGE_COLOURS = {_INK: "var(--ink)", _GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)
}


_MAX_NAME = 40
_TITLE_WIDTH, _LINE_INCHES = 70, 0.18  # characters of a line of a title, and its height
_X_WIDTH, _Y_WIDTH = 48, 30  # characters of a line of an axis's label


def bar_chart(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], x_label: str, y_label: str
) -> Markup:
    """Vertical bars, grouped by label; `series` by name, with one value per label."""
    figure, axes = _axes(title, 7.2, 2.6)
    width = 0.8 / len(series)
    for number, values in enumerate(series.values()):
        places = [index + (number - (len(series) - 1) / 2) * width for index in range(len(labels))]
        axes.bar(places, values, width * 0.95, label=str(number), color=_SERIES[number % len(_SERIES)])
    step = -(-len(labels) // 9)
    axes.set_xticks(range(0, len(labels), step), [*labels][::step])
    _name_axes(axes, x_label, y_label)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    _name_series(axes, list(series))
    return _svg(figure, title)


def ranking(title: str, values: Mapping[str, float], x_label: str) -> Markup:
    """Horizontal bars, the first value on top."""
    figure, axes = _axes(title, 7.2, 0.6 + 0.24 * len(values))
    names = list(values)[::-1]
    bars = axes.barh(range(len(names)), [values[name] for name in names], 0.7, color=_SERIES[0])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, color=_INK)
    axes.set_yticks(range(len(names)), list(map(_short, names)))
    _name_axes(axes, x_label)
    axes.margins(x=0.1)
    axes.grid(axis="x", color=_GRID, linewidth=0.6)
    return _svg(figure, title)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> Markup:
    """One line per series through its (x, y) points, named in the legend."""
    figure, axes = _axes(title, 7.2, 2.8)
    for number, points in enumerate(series.values()):
        style = ("-", "--", ":", "-.")[number // len(_SERIES) % 4]
        xs, ys = zip(*points, strict=True)
        colour = _SERIES[number % len(_SERIES)]
        axes.plot(xs, ys, style, color=colour, label=str(number), linewidth=1.8, marker="o", markersize=3)
    _name_axes(axes, x_label, y_label)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    _name_series(axes, list(series))
    return _svg(figure, title)


def intervals(title: str, rows: Mapping[str, tuple[float, float, float]], x_label: str) -> Markup:
    """One row per point with its interval, the first on top; `rows`: (low, value, high) by name."""
    figure, axes = _axes(title, 7.2, 0.8 + 0.3 * len(rows))
    names = list(rows)[::-1]
    for place, name in enumerate(names):
        low, value, high = rows[name]
        axes.plot([low, high], [place, place], color=_SERIES[0], linewidth=2.2, solid_capstyle="round")
        axes.plot([value], [place], "o", color=_SERIES[0], markersize=7)
    axes.set_yticks(range(len(names)), list(map(_short, names)))
    axes.set_ylim(-0.6, len(names) - 0.4)
    _name_axes(axes, x_label)
    axes.grid(axis="x", color=_GRID, linewidth=0.6)
    return _svg(figure, title)


Point = tuple[float, float, float]
"""Lower end of an interval, value, upper end."""


def trade_off(title: str, points: Mapping[str, tuple[Point, Point]], x_label: str, y_label: str) -> Markup:
    """Named points with intervals on both axes, and the frontier: the points that no other beats on both."""
    figure, axes = _axes(title, 7.2, 3.8)
    frontier = sorted((x[1], y[1]) for name, (x, y) in points.items() if is_on_frontier(name, points))
    axes.plot(*zip(*frontier, strict=True), color=_GRID, linewidth=2, zorder=1)
    for number, (x, y) in enumerate(points.values()):
        colour = _SERIES[number % len(_SERIES)]
        reach = [[x[1] - x[0]], [x[2] - x[1]]], [[y[1] - y[0]], [y[2] - y[1]]]
        axes.errorbar([x[1]], [y[1]], xerr=reach[0], yerr=reach[1], fmt="o", color=colour, elinewidth=1.2, markersize=7)
    _name_axes(axes, x_label, y_label)
    axes.margins(y=0.15)
    axes.grid(color=_GRID, linewidth=0.6)
    _name_points(axes, {name: (x[1], y[1]) for name, (x, y) in points.items()})
    return _svg(figure, title)


def calibration(title: str, points: Sequence[tuple[float, float]], x_label: str, y_label: str) -> Markup:
    """What was predicted (x) against what came out (y), 0-100; on the grey line both are the same."""
    figure, axes = _axes(title, 7.2, 3.2)
    ends = [min(map(min, points)) - 2, max(map(max, points)) + 2]
    axes.plot(ends, ends, color=_GRID, linewidth=2, zorder=1)
    axes.plot(*zip(*points, strict=True), "o", color=_SERIES[0], markersize=7)
    _name_axes(axes, x_label, y_label)
    axes.grid(color=_GRID, linewidth=0.6)
    return _svg(figure, title)


def _name_points(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write each name beside its point, at the first of four corners where it covers no other point, name or title."""
    assert isinstance(axes.figure, Figure)
    # Places on the page are known once the layout is.
    axes.figure.draw_without_rendering()
    marks = {name: axes.transData.transform(point) for name, point in points.items()}
    taken: list[Bbox] = []
    page, top = axes.figure.bbox, axes.bbox.y1  # above it is the title
    for name, point in points.items():
        others = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for other, (x, y) in marks.items() if other != name]
        for corner in _CORNERS:
            text = _annotate(axes, name, point, *corner)
            place = text.get_window_extent()
            is_inside = page.x0 <= place.x0 and place.x1 <= page.x1 and place.y1 <= top
            if is_inside and not place.count_overlaps([*taken, *others]):
                break
            text.remove()
        else:
            text = _annotate(axes, name, point, *_CORNERS[0])
        taken.append(text.get_window_extent())


_CORNERS = ((7, 6), (7, -6), (-7, 6), (-7, -6))
"""Where a name may be written beside its point, in printer's points to the right and up."""


def _annotate(axes: Axes, name: str, point: tuple[float, float], right: int, up: int) -> Annotation:
    text = axes.annotate(_short(name), point, xytext=(right, up), textcoords="offset points", color=_INK)
    # Not part of the layout, which would move the points that the names have been placed by.
    text.set(ha="left" if right > 0 else "right", va="bottom" if up > 0 else "top", in_layout=False)
    return text


def is_on_frontier(name: str, points: Mapping[str, tuple[Point, Point]]) -> bool:
    """Whether no other point is at least as good on both axes and better on one."""
    ours = points[name][0][1], points[name][1][1]
    others = [(x[1], y[1]) for other, (x, y) in points.items() if other != name]
    return not any(x >= ours[0] and y >= ours[1] and (x, y) != ours for x, y in others)


def _name_axes(axes: Axes, x_label: str, y_label: str = "") -> None:
    axes.set_xlabel("\n".join(textwrap.wrap(x_label, _X_WIDTH)))
    axes.set_ylabel("\n".join(textwrap.wrap(y_label, _Y_WIDTH)))


def _name_series(axes: Axes, names: Sequence[str]) -> None:
    """A legend, where there is something to tell apart; matplotlib itself would leave out names like `_a`."""
    if len(names) > 1:
        legend = axes.legend(frameon=False, labelcolor=_INK)
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_text(_short(name))


def _short(name: str) -> str:
    """A name that leaves room for the chart."""
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _axes(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    lines = textwrap.wrap(title, _TITLE_WIDTH) or [title]
    figure = Figure(figsize=(width, height + _LINE_INCHES * (len(lines) - 1)), layout="constrained")
    axes = figure.add_subplot()
    # Of the figure, for beside long names on its left an axes has little width.
    figure.suptitle("\n".join(lines), x=0.01, ha="left", color=_INK, fontsize=10, fontweight="bold")
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
    root = ElementTree.fromstring(stream.getvalue())
    for element in root.iter():
        _set_plainly(element)
    for size in ("width", "height"):
        del root.attrib[size]
    root.attrib |= {"class": "chart", "role": "img", "aria-label": title}
    for defs in root.findall(f"{{{_SVG}}}defs"):
        for style in defs.findall(f"{{{_SVG}}}style"):
            # The page's style sheet says the same, and of charts alone.
            defs.remove(style)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _set_plainly(element: ElementTree.Element) -> None:
    """Turn a style into attributes, which no content security policy forbids, and colours into the page's own."""
    for declaration in filter(None, element.attrib.pop("style", "").split(";")):
        name, _, value = declaration.partition(":")
        element.set(name.strip(), _PAGE_COLOURS.get(value.strip(), value.strip()))
