"""Made-up pages through a translator that changes nothing: every tag, every word and their order must be the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import count

import lxml.html
import pytest

from tests.document_cases import translated

_ENDS = (".", "!", "?", ",", "", "", "")
_MARKS = ("b", "i", "span", "code", "a href='u'", "em", "q")
_BLOCKS = ("p", "div", "li", "h1", "td", "blockquote", "section", "pre", "script")


def same(sentences: Iterable[str]) -> Iterator[list[str]]:
    for sentence in sentences:
        yield [" ".join(sentence.split())]


class Page:
    """Nested blocks and marks around words that all differ, with addresses, pictures and comments between."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._number = count()
        self.text = f"<!DOCTYPE html><html><head></head><body>{self.block(0)}</body></html>"

    def words(self) -> str:
        kinds = ("word{}", "Word{}", "https://a.org/{}", "{}", "p{}@x.org", "كلمة{}")
        names = (self._draw.choice(kinds).format(next(self._number)) for _ in range(self._draw.randint(1, 6)))
        return " ".join(name + ("" if "/" in name or "@" in name else self._draw.choice(_ENDS)) for name in names)

    def inline(self, depth: int) -> str:
        parts = []
        for _ in range(self._draw.randint(1, 4)):
            kind = self._draw.random()
            if kind < 0.5 or depth > 3:
                parts.append(self.words())
            elif kind < 0.6:
                parts.append(self._draw.choice(("<br>", "<b></b>", "<!-- c -->")))
            else:
                mark = self._draw.choice(_MARKS)
                parts.append(f"<{mark}>{self.inline(depth + 1)}</{mark.split()[0]}>")
        return self._draw.choice((" ", "\n")).join(parts)

    def block(self, depth: int) -> str:
        parts = []
        for _ in range(self._draw.randint(1, 4)):
            name = self._draw.choice(_BLOCKS)
            is_leaf = depth > 2 or self._draw.random() < 0.5 or name in ("p", "h1", "pre", "script")
            inner = "x = 1 < 2" if name == "script" else self.inline(0) if is_leaf else self.block(depth + 1)
            parts.append(f"<{name}>{inner}</{name}>")
        return "\n".join(parts)


def outline(page: str) -> tuple[list[str], list[str]]:
    """(tags, words) in the order of the page."""
    root = lxml.html.document_fromstring(page.encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))
    tags = [element.tag for element in root.iter() if isinstance(element.tag, str)]
    return tags, " ".join(root.itertext()).split()


@pytest.mark.parametrize("seed", range(60))
def test_page_stays_the_same(seed: int):
    page = Page(seed).text
    found = translated(page, "html", translate=same).content.decode("utf-8")
    old, new = outline(page), outline(found)
    assert new[1] == old[1]
    # An empty mark between two words may go to another place in its sentence.
    assert sorted(new[0]) == sorted(old[0])
