"""A few hundred mutated inputs for every reader, check and loader; `faults/fuzz.py` takes as many as one likes."""

import time
from pathlib import Path

import pytest

from faults.fuzz import MAX_MEGABYTES, fuzz, megabytes, targets

NAMES = list(targets(Path()))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_a_sentence_comes_out(name: str, tmp_path: Path):
    target, before = targets(tmp_path)[name], megabytes()
    # jsonargparse takes a tenth of a second for a config.
    inputs = 15 if name in ("config", "command line") else 150
    assert list(fuzz(target, inputs, seed=int(time.time()))) == []
    assert name in ("config", "command line") or target.outcomes["read"] > 0
    assert name in ("cleaning rules", "fidelity checks") or target.outcomes["sentence"] > 0
    assert megabytes() - before < MAX_MEGABYTES
