"""Contrast of what a page shows, by the formula of WCAG 2.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# [text, color, [background, ... of the ancestors]] of every element that shows text of its own, as CSS writes colours.
_COLOURS = """() => {
  const shown = [];
  for (const element of document.body.querySelectorAll("*")) {
    const isBox = element.matches("textarea, input, select");
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const own = isBox ? element.value : texts.map((node) => node.data).join("");
    const isSeen = element.checkVisibility({ contentVisibilityAuto: true }) && !element.closest(".unseen, option");
    if (!own.trim() || !isSeen) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) behind.push(getComputedStyle(each).backgroundColor);
    shown.push([own.trim().slice(0, 40), getComputedStyle(element).color, behind]);
  }
  return shown;
}"""


def contrasts(page: Page) -> dict[str, float]:
    """The contrast of each text that is seen, by the text; 4.5 is what WCAG asks for at level AA."""
    found: dict[str, float] = {}
    for text, colour, behind in page.evaluate(_COLOURS):
        ratio = contrast(_rgba(colour)[:3], _background(behind))
        found[text] = min(ratio, found.get(text, ratio))
    return found


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The contrast of two colours, 1 to 21; each is red, green and blue, 0 to 255."""
    lower, higher = sorted((_luminance(one), _luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgba(colour: str) -> tuple[float, ...]:
    parts = [float(part) for part in colour[colour.index("(") + 1 : -1].replace("/", ",").split(",")]
    return (*parts, 1.0) if len(parts) == 3 else tuple(parts)


def _background(behind: list[str]) -> tuple[float, ...]:
    """What is behind a text: the backgrounds of its ancestors, the nearest first, one over the other."""
    seen: tuple[float, ...] = (255.0, 255.0, 255.0)
    for colour in reversed(behind):
        *rgb, alpha = _rgba(colour)
        seen = tuple(alpha * part + (1 - alpha) * old for part, old in zip(rgb, seen, strict=True))
    return seen
