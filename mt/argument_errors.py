"""What jsonargparse says of a wrong option, in one line and with the option that was probably meant."""

from __future__ import annotations

import difflib
import re

from mt.config import Config, CorpusConfig


def one_sentence(message: str) -> str:
    """jsonargparse's indented explanation in one line, without the names of Python classes."""
    text = " ".join(line.strip(" -") for line in message.splitlines() if line.strip())
    text = re.sub(r"Parser key \"[\w.]+\": Problem with given class_path '[\w.]+': ", "", text)
    wanted = re.findall(r"Expected an? (?:<class '(?:mt\.config\.)?(\w+)'>|typing\.Literal(\[.*?\]))", text)
    got = re.search(r"(?:Got value|Given value): (.*)$", text)
    key = re.match(r'Parser key "([^"]+)":', text)
    if wanted and got and key:
        kinds = " or ".join(plain or f"one of {choices}" for plain, choices in wanted)
        return f"{key[1]}: expected {kinds.replace('NoneType', 'null')}, got {got[1]!r}"
    return re.sub(r"\s+", " ", text) + _suggestion(text)


def _suggestion(message: str) -> str:
    """The option that a misspelt one was probably meant to be."""
    wrong = re.search(r"option '([\w.]+)'|Option '([\w.]+)'|unrecognized arguments: --([\w.]+)", message)
    if wrong is None:
        return ""
    name = next(group for group in wrong.groups() if group)
    # What one command knows, another may not.
    known = [option for option in _option_names() if option != name]
    if "unrecognized" in message:
        near = [f"--{option}" for option in difflib.get_close_matches(name, known, n=1)]
    else:
        parts = sorted({part for option in known for part in option.split(".")})
        near = difflib.get_close_matches(name.split(".")[0], parts, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _option_names() -> list[str]:
    """Every option as `section.key`, and every section."""
    names = ["resume", "overwrite", *CorpusConfig.__dataclass_fields__]
    for name, option in Config.__dataclass_fields__.items():
        section = option.default_factory() if callable(option.default_factory) else None
        names += [name, *(f"{name}.{key}" for key in getattr(section, "__dataclass_fields__", ()))]
    return names
