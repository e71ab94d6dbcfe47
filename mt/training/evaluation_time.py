"""How much of a training's time went to evaluations."""

from __future__ import annotations

from time import perf_counter
from types import TracebackType


class EvaluationTime:
    """Adds up what is spent inside its context; the training begins with the first one, which scores the base."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began: float | None = None
        self._entered = 0.0

    def __enter__(self) -> None:
        self._entered = perf_counter()
        self._began = self._entered if self._began is None else self._began

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds += perf_counter() - self._entered

    @property
    def share(self) -> float | None:
        """The part, 0 to 1, of the time since the first evaluation began; None if there was none."""
        return None if self._began is None else self.seconds / max(1e-9, perf_counter() - self._began)
