"""The pages' templates, which escape all text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup


def template(name: str) -> Template:
    """A template of this folder."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["number"] = _number
    # Arabic as it is, not as \u0627; `tojson` still escapes what could end the script element.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    return environment


def _number(value: float, digits: int = 2, sign: bool = False) -> Markup:
    """A number for people that carries its exact value for programs."""
    text = f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return Markup('<data value="{}">{}</data>').format(repr(value), text)
