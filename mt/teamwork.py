"""What several processes do together: take a value from the main one, and count; each alone with one process."""

from __future__ import annotations

from typing import TypeVar

from accelerate.utils import broadcast_object_list

from mt.processes import current_team, wait_for_everyone

Value = TypeVar("Value")


def from_main(value: Value) -> Value:
    """The main process's `value`, in every process, which must all call this; waits for it without a time limit."""
    if current_team() is None:
        return value
    wait_for_everyone()
    box = [value]
    broadcast_object_list(box)
    return box[0]


class SharedCount:
    """A number that all processes add to. All must make their counts in the same order."""

    def __init__(self) -> None:
        self._team, self._own = current_team(), 0
        self._key = "" if self._team is None else self._team.new_key()

    def add(self, number: int) -> int:
        """Add `number`; returns the sum over all processes so far."""
        self._own += number
        return self._own if self._team is None else self._team.add(self._key, number)
