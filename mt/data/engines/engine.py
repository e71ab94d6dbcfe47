"""What works on the data of a build: an engine, here or on a cluster, with the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from mt.data.inputs import Inputs
from mt.data.preparing import Prepared

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Where the work is done. What an engine returns does not depend on which one it is, or on what fails meanwhile."""

    def prepared(self, inputs: Inputs, skipped: int) -> Iterator[Prepared]:
        """All pairs in order, normalised, checked and fingerprinted, in chunks of any size.

        skipped: how many pairs to leave out, which were read before. Raises `DataError`.
        """

    def in_order(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """`function(shared, item)` for each item, in order, few of them ahead of time.

        Function, `shared` and items may be sent to other machines: the function is one of a module, and files are on
        storage that all of them see. `shared` is sent once.
        """
