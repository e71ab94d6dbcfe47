"""Two translations per evaluation for people to look at, in the log and in TensorBoard."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mt.training.encoding import DevSet
from mt.wording import shorten

logger = logging.getLogger(__name__)

SAMPLES = 2
_MAX_LENGTH = 200


class Sample(NamedTuple):
    """A sentence of the dev sample as it is translated now."""

    source: str
    hypothesis: str
    reference: str


def pick_samples(dev: DevSet, hypotheses: Sequence[str]) -> list[Sample]:
    """The two sentences of middle length, the same ones at every evaluation. hypotheses: of the whole dev sample."""
    by_length = sorted(range(len(dev.sources)), key=lambda i: (len(dev.sources[i]), i))
    first = max(0, (len(by_length) - SAMPLES) // 2)
    return [Sample(dev.sources[i], hypotheses[i], dev.references[i]) for i in by_length[first : first + SAMPLES]]


def show_samples(samples: Iterable[Sample], update: int, callbacks: Iterable[Any]) -> None:
    """Log the samples, and add them as texts to TensorBoard if one of the trainer's `callbacks` writes to it."""
    writer = next(filter(None, (getattr(callback, "tb_writer", None) for callback in callbacks)), None)
    for number, sample in enumerate(samples, start=1):
        parts = {name: shorten(text, _MAX_LENGTH) for name, text in sample._asdict().items()}
        for name, text in parts.items():
            logger.info("sample %d: %-10s  %s", number, name, text)
        if writer is not None:
            # Two spaces end a line in Markdown.
            text = "  \n".join(f"**{name}**: {text}" for name, text in sample._asdict().items())
            writer.add_text(f"samples/{number}", text, update)
