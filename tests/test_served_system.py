"""A system as the server loads it: by which engine, and that it translates sentences as `mt translate` does."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest

from mt.errors import DataError, RunError
from mt.models.engines import Engine
from mt.runs import RunDirectory
from mt.serving import served_system
from mt.serving.served_system import check_servable, load_served
from mt.systems.confidence import Estimator
from mt.systems.streaming import Stream
from mt.systems.system import System, resolve_systems

SEARCH = {"engine": "torch", "num_beams": 1, "max_length_ratio": 0.1}
TORCH, CTRANSLATE2 = Engine("torch", "2", "float32"), Engine("ctranslate2", "4", "float32")


def system_at(path: Path, model: dict[str, Any] | None = None, **decoding: Any) -> System:
    (system,) = resolve_systems([f"small={path}"], model, SEARCH | decoding)
    return system


def test_sentences_are_translated_as_by_mt_translate(marian_directory: Path):
    system = system_at(marian_directory)
    served = load_served(system)
    # The last one is longer than the model can read.
    texts = ["The war ended.", "\u200b", "  The   army\u00a0left. ", "The army left the town, " * 200]
    assert served.tokens(texts[3]) > served._translator.max_tokens
    found = served.translate(texts)
    assert system.settings is not None
    (expected,) = Stream(system.settings.model, system.settings.decoding).sentences(texts)
    assert [answer.text for answer in found] == [answer.text for answer in expected]
    assert found[1] == ("", None)
    assert served.tokens("\u200b") == 0
    assert found[0].confidence is not None
    assert found[0].confidence.expected_chrf is None
    assert math.isfinite(found[0].confidence.mean_log_probability)
    assert (served.label, str(served.engine).split()[0], served.is_calibrated) == ("small", "torch", False)
    # 4,096 padded tokens and one beam.
    assert served.turn_tokens == 4096


@pytest.mark.parametrize(
    ("pair", "engine", "planned", "converts", "is_warned"),
    [
        (("en", "ar"), "auto", CTRANSLATE2, True, False),
        (("en", "ar"), "auto", TORCH, False, False),
        (("ar", "fr"), "auto", CTRANSLATE2, False, False),
        (("ar", "fr"), "ctranslate2", CTRANSLATE2, True, True),
    ],
)
def test_engine(
    pair: tuple[str, str],
    engine: str,
    planned: Engine,
    converts: bool,
    is_warned: bool,
    marian_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def open_by(found: Engine, model: Any, decoding: Any, sample: list[str]) -> tuple[str, Engine]:
        assert bool(sample) == (pair[0] == "en")
        return ("conversion", found) if found == CTRANSLATE2 else ("own", TORCH)

    class Made:
        def __init__(self, system: System, translator: str, engine: Engine, estimator: Estimator) -> None:
            assert estimator.calibration is None
            self.translator, self.engine = translator, engine

        def translate(self, texts: list[str]) -> None:
            assert len(texts) == 1

    stubs = {"plan_engine": lambda *_: planned, "own_engine": lambda *_: TORCH, "open_by": open_by}
    for name, stub in (stubs | {"ServedSystem": Made}).items():
        monkeypatch.setattr(served_system, name, stub)
    model = {"source_language": pair[0], "target_language": pair[1]}
    with caplog.at_level(logging.WARNING):
        made: Any = load_served(system_at(marian_directory, model, engine=engine))
    assert (made.translator, made.engine) == (("conversion", CTRANSLATE2) if converts else ("own", TORCH))
    assert ("small: decoded by CTranslate2 as asked for, but not compared with torch" in caplog.text) == is_warned


def test_what_cannot_be_served(tmp_path: Path):
    (tmp_path / "vendor.txt").write_text("a\n", encoding="utf-8")
    (system,) = resolve_systems([str(tmp_path / "vendor.txt")])
    with pytest.raises(
        DataError, match="translations in a file cannot be served; name the run or model that made them"
    ):
        check_servable(system)


def test_a_damaged_calibration(tmp_path: Path, marian_directory: Path):
    run = RunDirectory(tmp_path)
    run.confidence.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"confidence\.json: cannot be read"):
        check_servable(System("a", "a", run, system_at(marian_directory).settings))
