"""What people take for a model: each is told what is there and what is missing, or it is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.decoding import translate
from mt.models.transformers_model import check_model, load_tokenizer, load_translator


def touched(*names: str) -> Callable[[Path], object]:
    def make(directory: Path) -> None:
        for name in names:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text("{}")

    return make


NO_MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda directory: None, "so it holds no model; it is empty"),
    "trainer's state": (
        touched("optimizer.pt", "scheduler.pt", "trainer_state.json"),
        "it has a trainer's state, optimizer.pt: name the directory that the model itself was saved to",
    ),
    "no config": (
        touched("pytorch_model.bin", "source.spm", "optimizer.pt"),
        "it has weights, pytorch_model.bin: copy config.json there from the model",
    ),
    "shards without config": (
        touched("model-00001-of-00002.safetensors"),
        r"it has weights, model-00001-of-00002\.safetensors: copy config\.json there",
    ),
    "checkpoints below": (
        touched("checkpoint-1000/config.json", "checkpoint-500/config.json", "runs/events"),
        "name one of the models in it: .*/x/checkpoint-500, .*/x/checkpoint-1000$",
    ),
    "model below": (touched("opus/config.json"), "name one of the models in it: .*/x/opus$"),
    "runs below": (touched("a/config.yaml", "b/config.yaml"), "name one of the models in it: .*/x/a, .*/x/b$"),
    "run": (touched("config.yaml", "model/config.json"), "it is a run: name its model, .*/x/model$"),
    "run without model": (
        touched("config.yaml", "checkpoints/checkpoint-5/x"),
        "a run that has no model yet: finish it",
    ),
    "tokenizer alone": (touched("source.spm", "target.spm"), r"it has a tokenizer, source\.spm, and no weights"),
    "Marian": (
        touched("opus.npz", "decoder.yml"),
        "it has a model in Marian's own format, which transformers' convert",
    ),
    "anything": (touched("notes.md"), "so it holds no model$"),
}


@pytest.mark.parametrize("case", NO_MODELS)
def test_directory_without_a_model_says_what_it_holds(case: str, tmp_path: Path):
    make, message = NO_MODELS[case]
    directory = tmp_path / "x"
    directory.mkdir()
    make(directory)
    for refuse in (lambda: load_translator(ModelConfig(name=str(directory))), lambda: check_model(str(directory))):
        with pytest.raises(ModelError, match=message):
            refuse()


def without_tokenizer(model: Path, directory: Path, **settings: str) -> Path:
    """As a trainer saves a model that was given no tokenizer."""
    directory.mkdir(parents=True)
    for name in ("generation_config.json", "model.safetensors"):
        shutil.copy(model / name, directory)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (directory / "config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    return directory


def test_missing_tokenizer_names_its_files_and_where_they_are(marian_directory: Path, tmp_path: Path):
    directory = without_tokenizer(marian_directory, tmp_path / "a", _name_or_path="Helsinki-NLP/opus-mt-en-ar")
    expected = (
        r"a: the tokenizer's source\.spm, target\.spm and vocab\.json are missing; copy the tokenizer's files there, "
        r"tokenizer_config\.json too, from the model that this one was made from, Helsinki-NLP/opus-mt-en-ar$"
    )
    with pytest.raises(ModelError, match=expected):
        load_translator(ModelConfig(name=str(directory)))
    unnamed = without_tokenizer(marian_directory, tmp_path / "b")
    with pytest.raises(ModelError, match=r"too, from the model that this one was made from$"):
        load_translator(ModelConfig(name=str(unnamed)))


def test_missing_tokenizer_of_a_checkpoint_may_lie_above(marian_directory: Path, tmp_path: Path):
    run = tmp_path / "finetuned"
    directory = without_tokenizer(marian_directory, run / "checkpoint-500")
    for name in ("source.spm", "target.spm", "vocab.json"):
        shutil.copy(marian_directory / name, run)
    with pytest.raises(ModelError, match=r"tokenizer_config\.json too, from .*/finetuned$"):
        load_translator(ModelConfig(name=str(directory)))


@pytest.mark.parametrize(
    ("fixture", "message"),
    [
        ("nllb_directory", r"tokenizer's sentencepiece\.bpe\.model and vocab\.json are missing"),
        ("mbart50_directory", r"tokenizer's tokenizer\.json or sentencepiece\.bpe\.model is missing"),
    ],
)
def test_missing_tokenizer_of_other_families(
    fixture: str, message: str, tmp_path: Path, request: pytest.FixtureRequest
):
    directory = without_tokenizer(request.getfixturevalue(fixture), tmp_path / "a")
    with pytest.raises(ModelError, match=message):
        load_translator(ModelConfig(name=str(directory)))


def test_missing_target_vocabulary(marian_directory: Path, tmp_path: Path):
    directory = shutil.copytree(marian_directory, tmp_path / "model")
    settings = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    (directory / "tokenizer_config.json").write_text(json.dumps(settings | {"separate_vocabs": True}))
    with pytest.raises(ModelError, match=r"the tokenizer's target_vocab\.json is missing"):
        load_translator(ModelConfig(name=str(directory)))


@pytest.mark.parametrize("fixture", ["nllb_directory", "mbart50_directory"])
def test_class_of_the_tokenizer_may_stand_with_the_model(fixture: str, tmp_path: Path, request: pytest.FixtureRequest):
    """In config.json, as mBART-50's does; NLLB's is known by its one file."""
    directory = shutil.copytree(request.getfixturevalue(fixture), tmp_path / "model")
    before = load_translator(ModelConfig(name=str(directory)))
    (directory / "tokenizer_config.json").unlink()
    if fixture == "mbart50_directory":
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        config["tokenizer_class"] = "MBart50Tokenizer"
        (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    after = load_translator(ModelConfig(name=str(directory)))
    assert after.languages == before.languages
    assert after.encode_sources(["The war"]) == before.encode_sources(["The war"])


@pytest.mark.slow
def test_adapter_that_stands_alone_is_loaded_onto_its_base(marian_directory: Path, tmp_path: Path):
    """As PEFT saves one: adapter_config.json and its weights, no config.json and no tokenizer."""
    peft = pytest.importorskip("peft")
    model = AutoModelForSeq2SeqLM.from_pretrained(marian_directory)
    options = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(model, options)
    wrapped.save_pretrained(tmp_path / "adapter")
    assert {path.name for path in (tmp_path / "adapter").iterdir()} == {
        *("README.md", "adapter_config.json", "adapter_model.safetensors")
    }
    wrapped.merge_and_unload().save_pretrained(tmp_path / "whole")
    AutoTokenizer.from_pretrained(marian_directory).save_pretrained(tmp_path / "whole")
    name, search = str(tmp_path / "adapter"), DecodingConfig(num_beams=1, max_length_ratio=0.5)
    check_model(name)
    assert load_tokenizer(ModelConfig(name=name)).get_vocab()
    found, expected = (
        translate(load_translator(ModelConfig(name=str(tmp_path / which))), ["The war", "Peace"], search)
        for which in ("adapter", "whole")
    )
    assert found == expected


STAND_INS = {
    "a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`": "version https://git-lfs.github.com/spec/v1\n",
    "a web page, not the model's file; download it again": "<!DOCTYPE html>\n<html><title>Sign in</title>",
}


@pytest.mark.parametrize("said", STAND_INS)
@pytest.mark.parametrize("name", ["config.json", "vocab.json", "source.spm", "model.safetensors"])
def test_what_downloads_leave_in_place_of_a_file(name: str, said: str, marian_directory: Path, tmp_path: Path):
    directory = shutil.copytree(marian_directory, tmp_path / "model")
    (directory / name).write_text(STAND_INS[said], encoding="utf-8")
    with pytest.raises(ModelError, match=f"{name}: {said}"):
        load_translator(ModelConfig(name=str(directory)))
