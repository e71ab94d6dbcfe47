"""The faults, found by the decorator that names their kind and cases."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faults.box import Box

KINDS = {
    "files": "A user's files",
    "links": "Planted links",
    "names": "Names that become paths",
    "resume": "A run is what it says: inputs changed before --resume",
    "verdicts": "No false verdict",
    "locks": "One at a time",
    "kills": "Kills and signals",
    "damage": "Damaged files",
    "disk": "Full disks and closed directories",
    "processes": "Several processes",
    "models": "Untrusted models, runs and tables",
    "inputs": "Untrusted corpora, options and configs",
    "pages": "Pages that people open",
}
"""The kinds by module name, with the title of their row in the table."""


@dataclass(frozen=True)
class Fault:
    """One situation, and what must hold in it."""

    kind: str
    name: str
    """`function[case]`, unique in its kind."""
    inject: Callable[[Box], None]
    """Raises `Wrong` if something does not hold, `Skipped` where the machine cannot make the situation."""

    @property
    def title(self) -> str:
        """Kind and name, as `--only` and the list of known faults spell it."""
        return f"{self.kind}/{self.name}"


_FAULTS: list[Fault] = []


def fault(
    cases: Mapping[str, Any] | Iterable[str] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function of a `Box`, once for each case: a name, or a name with the value that the function gets."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        kind = function.__module__.rpartition(".")[2]
        if cases is None:
            _FAULTS.append(Fault(kind, function.__name__, function))
            return function
        values = cases if isinstance(cases, Mapping) else {name: name for name in cases}
        for name, value in values.items():
            _FAULTS.append(Fault(kind, f"{function.__name__}[{name}]", partial(_call, function, value)))
        return function

    return register


def _call(function: Callable[..., None], value: Any, box: Box) -> None:
    function(box, value)


def all_faults() -> list[Fault]:
    """Every fault, by kind and in the order of its module."""
    for kind in KINDS:
        importlib.import_module(f"faults.{kind}")
    order = list(KINDS)
    titles = [entry.title for entry in _FAULTS]
    doubles = {title for title in titles if titles.count(title) > 1}
    assert not doubles, f"two faults of one name: {doubles}"
    return sorted(_FAULTS, key=lambda entry: order.index(entry.kind))
