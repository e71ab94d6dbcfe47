"""CTranslate2: the same tokens as transformers, or a refusal."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ctranslate2.converters import TransformersConverter
from ctranslate2.converters.transformers import MarianMTLoader

from mt import cli
from mt.commands.export import parse_export
from mt.config import DecodingConfig, ModelConfig
from mt.errors import ConfigError, ModelError, RunError
from mt.models import ctranslate2_export
from mt.models.ctranslate2_export import convert
from mt.models.ctranslate2_model import CTranslate2Translator, load_ctranslate2
from mt.models.decoding import encode_within_limits, translate
from mt.models.doctor import SENTENCES
from mt.models.model_files import EMBEDDED_MODELS
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.systems.export import export_model
from mt.systems.system import resolve_systems
from mt.systems.translating import open_translator
from tests.helpers import sources

FAMILIES = [f"{family}_directory" for family in ("marian", "nllb", "m2m", "mbart50", "mbart", "t5")]
GREEDY = DecodingConfig(num_beams=1, max_length_ratio=0.5)


def converted(model: Path | str, directory: Path, precision: str = "float32") -> CTranslate2Translator:
    convert(load_translator(ModelConfig(name=str(model))), directory, precision)  # type: ignore[arg-type]
    return load_ctranslate2(ModelConfig(name=str(directory)))


@pytest.fixture(scope="module")
def converted_marian(marian_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("converted") / "marian"
    converted(marian_directory, directory)
    return directory


@pytest.fixture
def directory(converted_marian: Path, tmp_path: Path) -> Path:
    """A converted Marian model, to spoil."""
    return shutil.copytree(converted_marian, tmp_path / "converted")


def without_end(translator: TransformersTranslator, hypotheses: list[list[int]]) -> list[list[int]]:
    end = translator.model.generation_config.eos_token_id
    return [row[: row.index(end)] if end in row else row for row in hypotheses]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_tokens_are_those_of_transformers(family: str, tmp_path: Path, request: pytest.FixtureRequest):
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(family))))
    other = converted(translator.location, tmp_path / "converted")
    texts = [*sources(8), "He wrote </s> and arb_Arab and >>fra<< there."]
    encoded, limits = encode_within_limits(translator, texts, GREEDY)
    assert encode_within_limits(other, texts, GREEDY) == (encoded, limits)
    assert other.max_tokens == translator.max_tokens == (1024 if family == "t5_directory" else 512)
    expected = without_end(translator, translator.generate(encoded, limits, GREEDY))
    found = other.generate(encoded, limits, GREEDY)
    unlike = replace(GREEDY, no_repeat_ngram_size=2)
    # The untrained mBART writes its start token again, which is a repetition to transformers alone.
    if family != "mbart_directory":
        repeats_nothing = without_end(translator, translator.generate(encoded, limits, unlike))
        assert repeats_nothing == other.generate(encoded, limits, unlike)
    assert [row for row in expected if row], "the model writes nothing, so nothing is compared"
    assert found == expected
    assert translate(other, texts, GREEDY) == translate(translator, texts, GREEDY)


@pytest.fixture
def trained_pad(marian_directory: Path, tmp_path: Path) -> Path:
    """A Marian model whose embedding of <pad> is no longer zero, as after training."""
    translator = load_translator(ModelConfig(name=str(marian_directory)))
    embeddings = translator.model.get_input_embeddings().weight
    with torch.no_grad():
        embeddings[-1] = 3 * torch.randn(embeddings.shape[1], generator=torch.Generator().manual_seed(1))
    translator.save(tmp_path / "trained")
    return tmp_path / "trained"


@pytest.mark.slow
def test_decoding_starts_from_the_trained_embedding_of_pad(trained_pad: Path, tmp_path: Path):
    translator = load_translator(ModelConfig(name=str(trained_pad)))
    expected = translate(translator, SENTENCES, GREEDY)
    assert translate(converted(trained_pad, tmp_path / "ours"), SENTENCES, GREEDY) == expected
    # This is why the library's own converter is not used for Marian.
    TransformersConverter(str(trained_pad)).convert(str(tmp_path / "theirs"))
    translator.tokenizer.save_pretrained(tmp_path / "theirs")
    assert translate(load_ctranslate2(ModelConfig(name=str(tmp_path / "theirs"))), SENTENCES, GREEDY) != expected


@pytest.mark.parametrize("beams", [1, 3])
def test_neighbours_change_nothing(beams: int, directory: Path):
    translator = load_ctranslate2(ModelConfig(name=str(directory)))
    config = DecodingConfig(num_beams=beams, max_length_ratio=0.5)
    texts = sources(12)
    alone = [translate(translator, [text], config)[0] for text in texts]
    assert translate(translator, texts, config) == alone


def test_end_token_comes_once(directory: Path):
    """CTranslate2's converter of Marian's own format leaves the end token to the engine."""
    before = translate(load_ctranslate2(ModelConfig(name=str(directory))), SENTENCES, GREEDY)
    settings = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(settings | {"add_source_eos": True}))
    assert translate(load_ctranslate2(ModelConfig(name=str(directory))), SENTENCES, GREEDY) == before


@pytest.mark.slow
def test_embedded_model_translates_alike_with_beams(tmp_path: Path):
    translator = load_translator(ModelConfig(name="tiny-en-ar"))
    expected = translate(translator, SENTENCES, DecodingConfig())
    assert translate(converted("tiny-en-ar", tmp_path / "converted"), SENTENCES, DecodingConfig()) == expected


def test_a_tie_is_no_difference(marian: TransformersTranslator):
    trial = ctranslate2_export.translate_trial(marian)
    source, before = trial.sources[0], trial.hypotheses[0]
    token, other = before[5], 40
    assert token != other
    changed = [*before[:5], other]
    assert not ctranslate2_export._same_up_to_ties(marian, source, before, changed)
    with torch.no_grad():
        marian.model.get_output_embeddings().weight[other] = marian.model.get_output_embeddings().weight[token]
    assert ctranslate2_export._same_up_to_ties(marian, source, before, changed)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_conversion_that_translates_otherwise_is_refused(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(ctranslate2_export._LOADERS, "MarianMTLoader", MarianMTLoader)  # starts from zeros
    # A start embedding that training has moved far, so that the zeros show whatever the embedded model has learnt.
    translator = load_translator(ModelConfig(name="tiny-en-ar"))
    embeddings = translator.model.get_input_embeddings().weight
    with torch.no_grad():
        embeddings[-1] = 3 * torch.randn(embeddings.shape[1], generator=torch.Generator().manual_seed(1))
    translator.save(tmp_path / "moved")
    moved = ModelConfig(name=str(tmp_path / "moved"))
    (tmp_path / "mine").mkdir()
    with pytest.raises(ModelError, match=f"converted to {precision}, the model translates differently .*nothing was"):
        export_model(moved, tmp_path / "mine", precision, DecodingConfig(), "ctranslate2")  # type: ignore[arg-type]
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "moved"}
    assert not list((tmp_path / "mine").iterdir())


def test_directory_in_use_is_refused(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty; choose a new directory"):
        export_model(ModelConfig(), tmp_path, "int8", DecodingConfig(), "ctranslate2")


@pytest.mark.slow
def test_export_and_translate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    directory = str(tmp_path / "new" / "int8")
    (tmp_path / "in.txt").write_text(SENTENCES[2] + "\n\n")
    export = ["mt", "export", "tiny-en-ar", directory, "--format", "ctranslate2", "--precision", "int8"]
    monkeypatch.setattr(sys, "argv", export)
    assert cli.main() == 0
    assert f"model: {directory}" in capsys.readouterr().out
    assert sum(file.stat().st_size for file in Path(directory).iterdir()) < 10 * 2**20
    monkeypatch.setattr(sys, "argv", ["mt", "translate", directory, str(tmp_path / "in.txt")])
    assert cli.main() == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "مجلس" in first
    assert second == ""


@pytest.mark.parametrize("options", [["--precision", "int8"], ["--format", "ctranslate2", "--precision", "bfloat16"]])
def test_precision_that_does_not_go_with_the_format(options: list[str]):
    with pytest.raises(ConfigError, match="does not go with --precision"):
        parse_export(["tiny-en-ar", "out", *options], "mt export")


def test_missing_package_is_one_sentence(directory: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.models.ctranslate2_model.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs the package `ctranslate2`, which is not installed: pip install"):
        resolve_systems([str(directory)])
    with pytest.raises(ModelError, match=r"--format ctranslate2: CTranslate2 needs the package"):
        export_model(ModelConfig(), directory / "new", "int8", DecodingConfig(), "ctranslate2")


def test_missing_tokenizer_is_one_sentence(directory: Path):
    (directory / "source.spm").unlink()
    with pytest.raises(ModelError, match=r"without its tokenizer; copy source\.spm, .* --copy_files"):
        resolve_systems([str(directory)])


@pytest.mark.parametrize("file", ["vocab.json", "target.spm"])
def test_incomplete_tokenizer_is_one_sentence(file: str, directory: Path):
    (directory / file).unlink()
    with pytest.raises(ModelError, match=r"is missing; copy the tokenizer"):
        load_ctranslate2(ModelConfig(name=str(directory)))


def test_foreign_tokenizer_is_refused(directory: Path):
    for name in ("vocab.json", "source.spm", "target.spm"):
        shutil.copy(EMBEDDED_MODELS / "tiny-en-ar" / name, directory)
    with pytest.raises(ModelError, match=r"is another model's \(id \d+ is"):
        load_ctranslate2(ModelConfig(name=str(directory)))


def test_damaged_model_is_one_sentence(directory: Path):
    (directory / "model.bin").write_bytes((directory / "model.bin").read_bytes()[:1000])
    with pytest.raises(ModelError, match="the CTranslate2 model is damaged"):
        load_ctranslate2(ModelConfig(name=str(directory)))


def test_missing_vocabulary_is_one_sentence(directory: Path):
    (directory / "shared_vocabulary.json").unlink()
    with pytest.raises(ModelError, match=r"no shared_vocabulary\.json"):
        load_ctranslate2(ModelConfig(name=str(directory)))


def test_it_cannot_be_trained(directory: Path):
    with pytest.raises(ModelError, match="a CTranslate2 model, which only `mt translate` and `mt evaluate` can use"):
        load_translator(ModelConfig(name=str(directory)))


def test_unknown_language_is_refused(directory: Path):
    with pytest.raises(ModelError, match="no token for language `tlh`"):
        open_translator(ModelConfig(name=str(directory), target_language="tlh"), DecodingConfig())


@pytest.mark.parametrize(
    ("agreement", "said"),
    [
        (99.5, "^they translate the same$"),
        (78.0, "^70 or more is usual, and shows"),
        (60.0, "so read some of its"),
    ],
)
def test_agreement_is_put_into_words(agreement: float, said: str):
    assert re.search(said, ctranslate2_export._said_of(agreement))
