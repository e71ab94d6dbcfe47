"""What jsonargparse says of a wrong option, in one line and with the option that was probably meant.

This takes apart the texts of jsonargparse's messages as 4.53 writes them; pyproject bounds its version for that. If a
new version words them otherwise, nothing fails but the tests of these messages, and users read jsonargparse's own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from mt.config import Config, CorpusConfig
from mt.wording import shorten


def one_sentence(message: str, options: Sequence[str]) -> str:
    """jsonargparse's indented explanation in one line, without the names of Python classes.

    options: those of the command, without dashes; the one that was probably meant is suggested.
    """
    text = " ".join(line.strip(" -") for line in message.splitlines() if line.strip())
    text = re.sub(r"Importing '(.*?)' is not allowed.*", r"expected `key: value` options, got '\1'", text)
    text = re.sub(r" Expected a <class 'NoneType'> Given value type: <class 'dict'>.*", "", text)
    text = re.sub(r"Expected a dot import path string: .*? Expected a", "Expected a <class 'options'> Expected a", text)
    inner = r"^Parser key \"([\w.]+)\": .*?Problem with given class_path '[\w.]+': "
    text = re.sub(inner + r"(?!Parser key)", "", text)
    text = re.sub(inner + 'Parser key "', r'Parser key "\1: ', text)
    wanted = re.findall(r"Expected an? (?:<class '(?:mt\.config\.)?(\w+)'>|typing\.Literal(\[.*?\]))", text)
    got = re.search(r"(?:Got value|Given value): ?((?!.*Given value:).*)$", text)
    key = re.match(r'Parser key "([^"]+)":', text)
    if wanted and got and key:
        kinds = " or ".join(plain or f"one of {choices}" for plain, choices in wanted)
        kinds = kinds.replace("bool or one of ['auto']", "true, false or auto")
        kinds = kinds.replace("NoneType", "null").replace(
            "options", "options ('{key: value}', or '{}' for the defaults)"
        )
        hint = "; put it in quotes" if wanted[0][0] == "str" and not got[1].startswith(("[", "{")) else ""
        # The value of an option that was typed alone, inside a section that is left out by default.
        value = re.sub(r"^(?:Namespace\(\w+=|NestedArg\(key='\w+', val=)'?([^'=]*)'?\)$", r"\1", got[1])
        return f"{key[1]}: expected {kinds}, got {shorten(value)!r}{hint}"
    return shorten(re.sub(r"\s+", " ", text), 500) + _suggestion(text, options)


def _suggestion(message: str, options: Sequence[str]) -> str:
    """ " (did you mean ...?)" for a misspelt option; empty if nothing is close."""
    wrong = re.search(r"option '([\w.]+)'|Option '([\w.]+)'|unrecognized arguments: --([\w.]+)", message)
    if wrong is None:
        return ""
    name = next(group for group in wrong.groups() if group)
    if "unrecognized" in message:
        near = [f"--{option}" for option in difflib.get_close_matches(name, options, n=1)]
    else:
        parts = sorted({part for option in _option_names() for part in option.split(".")} - {name})
        near = difflib.get_close_matches(name.split(".")[0], parts, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _option_names() -> list[str]:
    """Every option as `section.key`, and every section."""
    names = ["extends", *CorpusConfig.__dataclass_fields__]
    for name, option in Config.__dataclass_fields__.items():
        section = option.default_factory() if callable(option.default_factory) else None
        names += [name, *(f"{name}.{key}" for key in getattr(section, "__dataclass_fields__", ()))]
    return names
