"""The pages' templates, which escape all text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).with_name("templates")


def render_page(name: str, *, styles: Sequence[str], script: str | None = None, **content: Any) -> str:
    """A page from a template of this folder, with the style sheets and the script of these names inside.

    Its content security policy allows these and nothing else: no other script or style, no address, no form. What
    would run in spite of all escaping does not.
    """
    sheets = [_text(style) for style in styles]
    code = None if script is None else _text(script)
    policy = _policy(sheets, [] if code is None else [code])
    template = _environment().get_template(name)
    parts = {"policy": Markup(policy), "styles": list(map(Markup, sheets)), "script": code and Markup(code)}
    return template.render(**parts, **content)


def render_served_page(name: str, *, policy: str, **content: Any) -> str:
    """A page from a template of this folder that links to its style sheets and script, which a server has beside it."""
    return _environment().get_template(name).render(policy=Markup(policy), styles=[], script=None, **content)


def part_of_page(*names: str) -> str:
    """The style sheets or scripts of these names, one after another."""
    return "\n".join(map(_text, names))


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """The directives; a part is allowed by the hash of its text."""
    allowed = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "img-src": "data:"}
    for directive, texts in (("style-src", styles), ("script-src", scripts)):
        allowed[directive] = " ".join(map(_source, texts)) or "'none'"
    return "; ".join(f"{directive} {sources}" for directive, sources in allowed.items())


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["number"] = _number
    # Arabic as it is, not as \u0627; `tojson` still escapes what could end the script element.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    return environment


def _number(value: float, digits: int = 2, sign: bool = False) -> Markup:
    """A number for people that carries its exact value for programs."""
    text = f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return Markup('<data value="{}">{}</data>').format(repr(value), text)
