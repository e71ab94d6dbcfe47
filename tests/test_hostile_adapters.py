"""LoRA adapters that are damaged, lead elsewhere or stand on another base: one sentence, never other weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from mt.config import ModelConfig
from mt.errors import ModelError
from mt.models.identity import model_identity, record_base
from mt.models.transformers_model import check_model, load_translator
from tests.spoiling import MARKER, Spoil, evil_code, removed, spoilt_json, truncated, written


@pytest.fixture(scope="module")
def adapted(marian_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a base and an adapter, laid out as a checkpoint."""
    directory = tmp_path_factory.mktemp("adapted")
    shutil.copytree(marian_directory, directory / "base")
    shutil.copytree(marian_directory, directory / "adapter", ignore=shutil.ignore_patterns("*.safetensors"))
    torch.manual_seed(1)
    options = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = load_translator(ModelConfig(name=str(directory / "base"))).model
    peft.get_peft_model(model, options).save_pretrained(directory / "adapter")
    return directory


@pytest.fixture
def directory(adapted: Path, tmp_path: Path) -> Path:
    """A copy of both, to spoil the adapter."""
    shutil.copytree(adapted, tmp_path / "copy")
    spoilt_json("adapter_config.json", base_model_name_or_path=str(tmp_path / "copy" / "base"))(
        tmp_path / "copy" / "adapter"
    )
    return tmp_path / "copy" / "adapter"


def settings(**changes: Any) -> Spoil:
    return spoilt_json("adapter_config.json", **changes)


def adapter_weights(drop: str = "", rename: str = "", factor: float = 1.0) -> Spoil:
    def spoil(directory: Path) -> None:
        file = directory / "adapter_model.safetensors"
        tensors = {name.replace("q_proj", rename or "q_proj"): t * factor for name, t in load_file(file).items()}
        save_file({name: tensor for name, tensor in tensors.items() if not drop or drop not in name}, file)

    return spoil


CASES: dict[str, tuple[Spoil, str]] = {
    "no JSON": (written("adapter_config.json", "{"), r"adapter_config\.json: not valid JSON"),
    "list": (written("adapter_config.json", "[]"), r"adapter_config\.json: expected a JSON object"),
    "empty": (written("adapter_config.json", "{}"), "an adapter of type None; only LORA"),
    "kind": (settings(peft_type="PREFIX_TUNING"), "an adapter of type 'PREFIX_TUNING'"),
    "kind list": (settings(peft_type=["LORA"]), "only LORA is supported"),
    "base missing": (settings(base_model_name_or_path="/no/such/base"), "/no/such/base, which is not there"),
    "base nowhere": (settings(base_model_name_or_path="no such base"), "no such model directory"),
    "base null": (settings(base_model_name_or_path=None), "do not name a model"),
    "base number": (settings(base_model_name_or_path=7), "do not name a model"),
    "base long": (settings(base_model_name_or_path="x" * 10_000), "neither a path nor a hub name"),
    "base relative": (settings(base_model_name_or_path="../../base"), "no such model directory"),
    "revision": (settings(revision=["main"]), "do not name a model"),
    "rank zero": (settings(r=0), "r must be a whole number from 1"),
    "rank huge": (settings(r=10**12), "r must be a whole number from 1"),
    "rank other": (settings(r=4), "the LoRA adapter does not fit its base"),
    "rank text": (settings(r="2"), "r must be a whole number from 1"),
    "alpha text": (settings(lora_alpha="x"), "the LoRA adapter does not fit|does not accept these settings"),
    "alpha infinite": (settings(lora_alpha=float("inf")), "holds NaN or infinite"),
    "layers by a pattern": (settings(target_modules="(.*a)*b"), "must name layers, not patterns"),
    "layers unknown": (settings(target_modules=["nowhere"]), "does not fit its base"),
    "layers of patterns": (settings(target_modules=["(.*a)*b"]), "must name layers, not patterns"),
    "ranks by pattern": (settings(rank_pattern={"(a+)+$": 3}), "must name layers, not patterns"),
    "fewer layers": (settings(target_modules=["q_proj"]), "has, but its base has no layer for, .*v_proj"),
    "weights missing": (removed("adapter_model.safetensors"), r"and no adapter_model\.safetensors"),
    "weights truncated": (truncated("adapter_model.safetensors"), "the weights cannot be loaded"),
    "weights empty": (written("adapter_model.safetensors", b""), "the weights cannot be loaded"),
    "weights lacking": (adapter_weights(drop="q_proj.lora_B"), "the LoRA adapter lacks .*q_proj"),
    "weights of others": (adapter_weights(rename="k_proj"), "the LoRA adapter lacks .*q_proj"),
    "weights NaN": (adapter_weights(factor=float("nan")), "holds NaN"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_damage_is_one_sentence(case: str, directory: Path):
    spoil, message = CASES[case]
    spoil(directory)
    with pytest.raises(ModelError, match=message) as raised:
        load_translator(ModelConfig(name=str(directory)))
    assert "\n" not in str(raised.value)


def test_adapter_is_merged(directory: Path):
    merged = load_translator(ModelConfig(name=str(directory))).model.state_dict()
    base = load_file(directory.parent / "base" / "model.safetensors")
    adapter = load_file(directory / "adapter_model.safetensors")
    layer = "model.encoder.layers.0.self_attn.q_proj"
    down, up = (adapter[f"base_model.model.{layer}.lora_{half}.weight"] for half in "AB")
    expected = base[f"{layer}.weight"] + up @ down * 8 / 2  # lora_alpha / r
    assert torch.allclose(merged[f"{layer}.weight"], expected, atol=1e-6)


@pytest.mark.parametrize("other", ["itself", "each other"])
def test_adapter_of_an_adapter_is_refused(other: str, directory: Path):
    second = directory if other == "itself" else shutil.copytree(directory, directory.parent / "second")
    settings(base_model_name_or_path=str(second))(directory)
    settings(base_model_name_or_path=str(directory))(second)
    for function in (check_model, lambda name: load_translator(ModelConfig(name=name))):
        with pytest.raises(ModelError, match="which is itself an adapter"):
            function(str(directory))
    with pytest.raises(ModelError, match="which is itself an adapter"):
        model_identity(str(directory), "main")


def test_modules_that_an_adapter_names_are_not_imported(directory: Path, monkeypatch: pytest.MonkeyPatch):
    evil_code(directory)
    monkeypatch.syspath_prepend(str(directory))
    mapping = {"base_model_class": "Evil", "parent_library": "modeling_evil"}
    settings(auto_mapping=mapping, megatron_core="modeling_evil", megatron_config={"a": 1})(directory)
    load_translator(ModelConfig(name=str(directory)))
    assert not (directory / MARKER).exists()


def test_changed_base_is_refused(directory: Path):
    base = directory.parent / "base"
    record_base(directory, model_identity(str(base), "main"))
    load_translator(ModelConfig(name=str(directory)))
    weights = load_file(base / "model.safetensors")
    weights["model.shared.weight"][5, 5] += 1e-3
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"has changed since this LoRA adapter was trained .*\(model\.safetensors\)"):
        load_translator(ModelConfig(name=str(directory)))


def test_base_that_was_moved_is_the_same(directory: Path):
    base = directory.parent / "base"
    record_base(directory, model_identity(str(base), "main"))
    settings(base_model_name_or_path=str(base.rename(base.with_name("moved"))))(directory)
    load_translator(ModelConfig(name=str(directory)))


def test_base_of_another_shape_is_refused(directory: Path, m2m_directory: Path):
    settings(base_model_name_or_path=str(m2m_directory))(directory)
    with pytest.raises(ModelError, match=r"other shapes|lacks"):
        load_translator(ModelConfig(name=str(directory)))


def test_identity_counts_the_base_and_its_damage_is_told(directory: Path):
    before = model_identity(str(directory), "main")
    (directory.parent / "base" / "vocab.json").write_text(json.dumps({}))
    assert model_identity(str(directory), "main") != before
    settings(base_model_name_or_path=7)(directory)
    with pytest.raises(ModelError, match="do not name a model"):
        model_identity(str(directory), "main")
