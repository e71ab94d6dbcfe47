"""Translations of a training run: those of its base that a resumed run finds are used, if nothing has changed."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mt.config import Config, DecodingConfig, ModelConfig
from mt.config.model import ScratchConfig
from mt.evaluation.test_set import TestSet
from mt.experiment.translations import systems_of_run, translate_base
from mt.manifest import Manifest
from mt.runs import RunDirectory
from mt.systems import translating
from mt.systems.translating import Engines

CONFIG = Config(model=ModelConfig(name="none"), decoding=DecodingConfig(num_beams=2, tag="<news>"))
NEWS = TestSet("news", ["The war.", "The city fell."], ["الحرب.", "سقطت المدينة."])
FLORES = TestSet("flores", ["Peace."], ["السلام."], is_general=True)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were decoded, which here is writing backwards."""
    jobs: list[str] = []

    def translate(translator: object, sources: list[str], decoding: DecodingConfig, job: str) -> list[str]:
        assert decoding == DecodingConfig(num_beams=2)  # the base knows no tag
        jobs.append(job)
        return [source[::-1] for source in sources]

    monkeypatch.setattr(translating, "translate_shared", translate)
    return jobs


def translated(root: Path, facts: dict[str, Any], config: Config = CONFIG, test_set: TestSet = NEWS) -> Any:
    run = RunDirectory(root)
    manifest = Manifest(run.manifest, {"starts": [{}], **facts})
    system = systems_of_run(config, run, use_cache=False)[0]
    engines: Engines = {}
    sets, base = [test_set, FLORES], SimpleNamespace(overflows=False)
    hypotheses = translate_base(system, base, sets, run, manifest, engines)  # type: ignore[arg-type]
    assert list(engines) == list(next(iter(hypotheses.values()), {}))
    return hypotheses, manifest.facts


def test_what_is_there_as_it_was_written_is_used(tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch):
    expected = {"news": {"base": [".raw ehT", ".llef ytic ehT"]}, "flores": {"base": [".ecaeP"]}}
    begun = {"base_model": {"identity": {"model.safetensors": "0" * 64}}}
    hypotheses, facts = translated(tmp_path, begun)
    assert hypotheses == expected
    assert decoded == ["base on news", "base on flores"]
    file = tmp_path / "translations" / "news" / "base.txt"
    assert file.read_text(encoding="utf-8") == ".raw ehT\n.llef ytic ehT\n"
    decoded.clear()
    assert translated(tmp_path, facts)[0] == expected
    assert decoded == []
    # What somebody has edited is made again, and the other set is not.
    file.write_text("another\nline\n", encoding="utf-8")
    hypotheses, facts = translated(tmp_path, facts)
    assert hypotheses == expected
    assert decoded == ["base on news"]
    decoded.clear()
    other_base = {"base_model": {"identity": {"model.safetensors": "1" * 64}}}
    translated(tmp_path, facts | other_base)
    assert decoded == ["base on news", "base on flores"]
    decoded.clear()
    translated(tmp_path, facts, test_set=replace(NEWS, sources=["The war.", "The town fell."]))
    assert decoded == ["base on news"]
    decoded.clear()
    monkeypatch.setattr("mt.models.engines.version", lambda package: "9.9.0+cpu")
    assert translated(tmp_path, facts)[1]["translations"]["news/base"]["made_from"]["engine"] == {
        "name": "torch",
        "version": "9.9.0",
        "precision": "float32",
    }
    assert decoded == ["base on news", "base on flores"]


def test_a_run_from_scratch_has_no_base(tmp_path: Path, decoded: list[str]):
    config = replace(CONFIG, model=ModelConfig(name="none", scratch=ScratchConfig()))
    assert [system.label for system in systems_of_run(config, RunDirectory(tmp_path))] == ["finetuned"]
    assert translated(tmp_path, {"base_model": {"identity": None}}, config)[0] == {}
    assert decoded == []
