"""The text of a Markdown block as a marked text, and a marked text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mt.documents.marked import ROOT, Builder, Marked

_SPECIAL = re.compile(r"([\\`*_\[\]<>&~])")
_OPENING_HTML = re.compile(r"<(\w+)[^<>]*(?<!/)>")
_Pictures = list[tuple[str, str]]
"""(what a picture is called here, its alternative text)."""


def read_inline(tokens: Sequence[Any]) -> tuple[Marked, _Pictures]:
    """The text, and the pictures in it. A hard line break is a newline, and any other line break a space."""
    builder = Builder()
    pictures: _Pictures = []
    _read(builder, tokens, pictures)
    return builder.marked(), pictures


def _read(builder: Builder, tokens: Sequence[Any], pictures: _Pictures) -> None:
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = _end_of(tokens, position)
        if end is not None:
            kind = "format" if token.type != "link_open" else "verbatim" if token.markup == "autolink" else "link"
            with builder.mark(_ends_of(token, tokens[end]), kind):  # type: ignore[arg-type]
                _read(builder, tokens[position + 1 : end], pictures)
            position = end
        elif token.type == "code_inline":
            with builder.mark((token.markup, token.markup), "verbatim"):
                builder.add(token.content)
        elif token.type == "image":
            source = f"]({_target(token, 'src')})"
            pictures.append((source, token.content))
            builder.point(("![", source))
        elif token.type == "html_inline":
            builder.point((token.content, ""))
        else:
            builder.add({"softbreak": " ", "hardbreak": "\n"}.get(token.type, token.content))
        position += 1


def _end_of(tokens: Sequence[Any], position: int) -> int | None:
    """The index of the token that closes the one at a position; None if it opens nothing."""
    token = tokens[position]
    tag = _OPENING_HTML.fullmatch(token.content) if token.type == "html_inline" else None
    depth = 0
    for index in range(position, len(tokens)):
        depth += tokens[index].nesting
        if tag and depth == 0 and tokens[index].content.casefold() == f"</{tag[1].casefold()}>":
            return index
        if depth < 0 or (not tag and depth == 0):
            return index if token.nesting == 1 and depth == 0 else None
    return None


def _ends_of(opening: Any, closing: Any) -> tuple[str, str]:
    """What is written before and behind the text of a mark."""
    if opening.type == "html_inline":
        return opening.content, closing.content
    if opening.type != "link_open":
        return opening.markup, closing.markup
    return ("<", ">") if opening.markup == "autolink" else ("[", f"]({_target(opening, 'href')})")


def _target(token: Any, name: str) -> str:
    """Where a link leads, and its title, as they are written."""
    address, title = token.attrGet(name) or "", token.attrGet("title")
    if not address or re.search(r"[\s()<>]", address):
        address = "<" + re.sub(r"([<>])", r"\\\1", address) + ">"
    return f'{address} "{title.replace(chr(34), chr(92) + chr(34))}"' if title else address


def written_inline(marked: Marked, markdown: Any, pictures: Mapping[str, str]) -> str:
    """The text as Markdown. pictures: the alternative texts by what the pictures are called.

    Characters that Markdown knows are escaped only if the text would otherwise be read as another one.
    """
    for is_escaped, has_stars in ((False, False), (True, False), (True, True)):
        written = "".join(_written(marked, ROOT, pictures, is_escaped=is_escaped, has_stars=has_stars))
        (token,) = markdown.parseInline(written.replace("\n", "\\\n"))
        again, _ = read_inline(token.children or [])
        if _essence(again) == _essence(marked):
            break
    return written


def _essence(marked: Marked) -> tuple[str, list[str]]:
    """What must be the same when the text is read again: its words and its marks."""
    ends = [mark.tag[0].replace("_", "*") for mark in marked.marks if mark.start < mark.end or mark.kind == "point"]
    return " ".join(marked.text.split()), sorted(ends)


def _written(
    marked: Marked, parent: int, pictures: Mapping[str, str], *, is_escaped: bool, has_stars: bool
) -> list[str]:
    parts: list[str] = []
    for piece in marked.pieces(parent):
        if isinstance(piece, str):
            is_code = parent != ROOT and marked.marks[parent].kind == "verbatim"
            parts.append(_SPECIAL.sub(r"\\\1", piece) if is_escaped and not is_code else piece)
            continue
        before, behind = marked.marks[piece].tag
        inner = _written(marked, piece, pictures, is_escaped=is_escaped, has_stars=has_stars)
        if before == "![":
            inner = [_SPECIAL.sub(r"\\\1", pictures.get(behind, ""))]
        if before and before == behind == before[0] * len(before):
            # Emphasis around nothing would be read as its own characters.
            before, behind = ("", "") if not inner else (before, behind)
            if has_stars and before[:1] == "_":
                before = behind = "*" * len(before)
        is_tick = before[:1] == "`" and any(text[:1] == "`" or text[-1:] == "`" for text in inner)
        parts += [before, *([" ", *inner, " "] if is_tick else inner), behind]
    return parts
