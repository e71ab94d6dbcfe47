"""Which engine decodes; a conversion is made once, checked before it is trusted, and replaced by torch if it is bad."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch

from mt.config import Config, CorpusConfig, DataConfig, DecodingConfig, ModelConfig
from mt.errors import ConfigError, ModelError
from mt.evaluation.results import Evaluation
from mt.evaluation.searches import describe_search, describe_searches
from mt.evaluation.test_set import TestSet
from mt.experiment.early_checks import check_config
from mt.models.ctranslate2_export import convert
from mt.models.ctranslate2_model import CTranslate2Translator, load_ctranslate2
from mt.models.decoding import batch_by_length, encode_within_limits
from mt.models.engines import Engine, engine_of
from mt.models.run_settings import RunSettings, TranslationSettings, settings_of_model
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.report.scores_json import as_json
from mt.systems import conversions, engine_choice, export, translating
from mt.systems.conversions import Conversion, conversions_root, pick_sample
from mt.systems.engine_choice import plan_engine
from mt.systems.streaming import translate_file
from mt.systems.system import System
from mt.systems.translating import Engines, translate_systems
from mt.systems.translation_cache import cache_key
from tests.helpers import sources

SEARCH = DecodingConfig(num_beams=2, max_length_ratio=0.3)
FAST = replace(SEARCH, engine="ctranslate2")
TORCH = Engine("torch", torch.__version__.partition("+")[0], "float32")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def model(marian_directory: Path, tmp_path: Path) -> Path:
    """A model to change."""
    return shutil.copytree(marian_directory, tmp_path / "model")


@pytest.fixture
def conversions_made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precision of each conversion that is made."""
    made: list[str] = []

    def spy(translator: TransformersTranslator, directory: Path, precision: str) -> None:
        made.append(precision)
        convert(translator, directory, precision)  # type: ignore[arg-type]

    monkeypatch.setattr("mt.models.ctranslate2_export.convert", spy)
    return made


def translations(
    model: Path, decoding: DecodingConfig = FAST, count: int = 20, *, use_cache: bool = False
) -> tuple[list[str], Engine]:
    engines: Engines = {}
    settings = TranslationSettings(model=ModelConfig(name=str(model)), decoding=decoding)
    system = System("mine", str(model), None, settings, use_cache)
    found = translate_systems([system], [TestSet("news", sources(count), sources(count))], engines=engines)
    return found["news"]["mine"], engines["mine"]


@pytest.mark.parametrize(
    ("options", "sentences", "expected"),
    [
        ({}, 200, "ctranslate2"),
        ({}, 199, "torch"),
        ({"engine": "torch"}, 10_000, "torch"),
        ({"engine": "ctranslate2"}, 1, "ctranslate2"),
        ({"no_repeat_ngram_size": 3}, 10_000, "torch"),
        ({"tag": "<news>", "length_penalty": 0.6, "max_length_ratio": 1.5}, 200, "ctranslate2"),
    ],
)
def test_plan(options: dict[str, object], sentences: int, expected: str, marian_directory: Path):
    decoding = DecodingConfig(**options)  # type: ignore[arg-type]
    assert plan_engine(ModelConfig(name=str(marian_directory)), decoding, sentences).name == expected


def test_plan_without_package_and_on_a_gpu(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    model = ModelConfig(name=str(marian_directory))
    with monkeypatch.context() as patch:
        patch.setattr(engine_choice, "find_spec", lambda name: None)
        patch.setattr("mt.models.model_files.find_spec", lambda name: None)
        assert plan_engine(model, DecodingConfig(), 10_000) == TORCH
        with pytest.raises(ModelError, match=r"decoding\.engine ctranslate2: CTranslate2 needs the package"):
            plan_engine(model, DecodingConfig(engine="ctranslate2"), 10_000)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert plan_engine(model, DecodingConfig(), 10_000) == replace(TORCH, precision="float16")


def test_int8_is_asked_for(model: Path, conversions_made: list[str]):
    found, engine = translations(model, replace(SEARCH, precision="int8"))
    assert (engine.name, engine.precision) == ("ctranslate2", "int8")
    assert conversions_made == ["int8"]
    exact, engine = translations(model)
    assert (engine.precision, conversions_made) == ("float32", ["int8", "float32"])
    assert len(found) == len(exact)
    with pytest.raises(ConfigError, match=r"decoding\.precision must be auto or float32 with decoding\.engine torch"):
        DecodingConfig(engine="torch", precision="int8")


def test_float32_on_a_gpu(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    planned = plan_engine(ModelConfig(name=str(marian_directory)), DecodingConfig(precision="float32"), 10_000)
    assert planned == TORCH


def test_search_that_would_differ_is_refused(marian_directory: Path):
    with pytest.raises(ConfigError) as caught:
        DecodingConfig(precision="int8", no_repeat_ngram_size=3)
    assert str(caught.value) == (
        "decoding.precision int8: CTranslate2 searches differently with decoding.no_repeat_ngram_size 3; add "
        "--decoding.no_repeat_ngram_size 0, or set decoding.precision to auto"
    )
    with pytest.raises(ConfigError, match=r"^decoding\.engine ctranslate2: .* or set decoding\.engine to auto$"):
        DecodingConfig(engine="ctranslate2", no_repeat_ngram_size=3)
    search = DecodingConfig(no_repeat_ngram_size=3)
    assert plan_engine(ModelConfig(name=str(marian_directory)), search, 10_000) == TORCH


def test_a_missing_package_is_found_before_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "news.tsv").write_text("The war.\tالحرب.\n", encoding="utf-8")
    data = DataConfig(corpora={"news": CorpusConfig(path=str(tmp_path / "news.tsv"))})
    monkeypatch.setattr("mt.models.model_files.find_spec", lambda name: None)
    check_config(Config(data=data))
    with pytest.raises(ModelError, match=r"^decoding\.engine ctranslate2: CTranslate2 needs the package"):
        check_config(Config(data=data, decoding=FAST))


def test_it_does_search_differently(tmp_path: Path, request: pytest.FixtureRequest):
    """Why `no_repeat_ngram_size` takes torch; when this fails, it need not any more."""
    translator = ending("marian_directory", tmp_path, 0.85, request)
    expected, found = both(translator, tmp_path, DecodingConfig(no_repeat_ngram_size=3, max_length_ratio=0.4))
    assert expected != found


def ending(name: str, directory: Path, strength: float, request: pytest.FixtureRequest) -> TransformersTranslator:
    """A model with random embeddings, of which </s> is likely everywhere: its hypotheses end at various lengths."""
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(name))))
    weight, end = translator.model.get_input_embeddings().weight, translator.model.generation_config.eos_token_id
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        padding = weight[translator.model.generation_config.pad_token_id].clone()
        weight.copy_(torch.randn(weight.shape, generator=noise) * 1.2)
        if name != "marian_directory":
            weight[translator.model.generation_config.pad_token_id] = padding
        states = []
        for ids in translator.encode_sources(sources(20)):
            hypothesis = translator.generate([ids], [20], DecodingConfig(num_beams=1))[0]
            start = torch.tensor([[*translator.decoder_prefix, *hypothesis[:12]]])
            states.append(translator.model.model(input_ids=torch.tensor([ids]), decoder_input_ids=start)[0][0])
        state = torch.cat(states)
        usual = (state @ weight.T).max(-1).values.mean()
        weight[end] = state.mean(0) * (usual * strength / (state @ state.mean(0)).mean())
    translator.save(directory / "ending")
    return load_translator(ModelConfig(name=str(directory / "ending")))


def both(
    translator: TransformersTranslator, directory: Path, decoding: DecodingConfig
) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids by torch, sentence by sentence, and by CTranslate2, all together."""
    encoded, limits = encode_within_limits(translator, sources(20), decoding)
    ends = {translator.model.generation_config.eos_token_id, translator.model.generation_config.pad_token_id}
    convert(translator, directory / "converted", "float32")
    converted = load_ctranslate2(ModelConfig(name=str(directory / "converted")))
    expected = []
    for ids, limit in zip(encoded, limits, strict=True):
        (found,) = translator.generate([ids], [converted.search_limit(limit)], decoding)
        own = found[: limit - len(translator.decoder_prefix)]
        expected.append(list(takewhile(lambda token: token not in ends, own)))
    return expected, converted.generate(encoded, limits, decoding)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["marian_directory", "mbart_directory"])
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 1},
        {"num_beams": 4},
        {"num_beams": 4, "length_penalty": 0.6},
        {"num_beams": 4, "length_penalty": 2.0, "batch_tokens": 100},
        {"num_beams": 3, "max_length_ratio": 0.05},
        {"num_beams": 3, "tag": "<news>"},
    ],
)
def test_both_engines_translate_alike(
    family: str, options: dict[str, object], tmp_path: Path, request: pytest.FixtureRequest
):
    decoding = DecodingConfig(**{"max_length_ratio": 0.4, **options})  # type: ignore[arg-type]
    translator = ending(family, tmp_path, 0.85, request)
    expected, found = both(translator, tmp_path, decoding)
    assert found == expected
    # The untrained mBART writes the same for every source.
    assert any(expected) if family == "mbart_directory" else len({tuple(ids) for ids in expected}) > 1


def test_terms_are_given_to_both_engines(tmp_path: Path, marian_directory: Path):
    (tmp_path / "terms.tsv").write_text("english\tarabic\tkind\nThe\tالرقة\tplace\n", encoding="utf-8")
    with_terms = replace(SEARCH, terminology=str(tmp_path / "terms.tsv"))
    translator = load_translator(ModelConfig(name=str(marian_directory)))
    assert translator.encode_sources(["The war"]) != translator.encode_sources(["The الرقة war"])
    expected, found = both(translator, tmp_path, with_terms)
    assert found == expected


def test_batches_of_one_limit():
    encoded = [[1] * length for length in (3, 5, 3, 4)]
    assert batch_by_length(encoded, [16, 20, 16, 18], 100) == [[1], [3], [0, 2]]
    assert batch_by_length(encoded, [0, 0, 0, 0], 100) == [[0, 2, 3, 1]]
    assert batch_by_length(encoded, [16, 20, 16, 18], 4) == [[1], [3], [2], [0]]
    assert batch_by_length([], [], 100) == []


def test_precision_of_a_model_that_overflows(model: Path, monkeypatch: pytest.MonkeyPatch):
    generate = TransformersTranslator.generate

    def overflowing(self: TransformersTranslator, *arguments: Any) -> list[list[int]]:
        self.overflows = True
        return generate(self, *arguments)

    monkeypatch.setattr(TransformersTranslator, "generate", overflowing)
    monkeypatch.setattr("mt.models.engines.decoding_dtype", lambda _: torch.float16)
    assert translations(model, replace(SEARCH, engine="torch"))[1] == TORCH


def test_all_test_sets_of_a_system_are_decoded_by_one_engine(model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_choice, "MIN_SENTENCES", 20)
    settings = TranslationSettings(model=ModelConfig(name=str(model)), decoding=SEARCH)
    sets = [TestSet("a", sources(20), sources(20)), TestSet("b", sources(3), sources(3))]
    translate_systems([System("mine", str(model), None, settings, True)], sets[:1])
    shutil.rmtree(conversions_root())
    monkeypatch.setattr("mt.models.ctranslate2_export.convert", refuse)
    decoded: list[str] = []
    share = translating.translate_shared

    def spy(translator: Any, texts: list[str], decoding: DecodingConfig, job: str) -> list[str]:
        decoded.append(f"{job} by {type(translator).__name__}")
        return share(translator, texts, decoding, job)

    monkeypatch.setattr(translating, "translate_shared", spy)
    engines: Engines = {}
    written: list[str] = []
    translate_systems(
        [System("mine", str(model), None, settings, True)],
        sets,
        lambda test_set, system, lines: written.append(test_set),
        engines,
    )
    assert engines == {"mine": TORCH}
    assert decoded == ["mine on b by TransformersTranslator", "mine on a by TransformersTranslator"]
    assert written == ["a", "b", "a"]


def test_float32_by_torch_is_recorded_as_such(model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.models.engines.decoding_dtype", lambda _: torch.float16)
    assert translations(model, replace(SEARCH, engine="torch", precision="float32"))[1] == TORCH


def test_converted_once(model: Path, conversions_made: list[str]):
    expected, engine = translations(model, SEARCH)
    assert engine == TORCH
    assert conversions_made == []
    found, engine = translations(model)
    assert found == expected
    assert (engine.name, engine.precision) == ("ctranslate2", "float32")
    assert translations(model, replace(FAST, tag="")) == (found, engine)
    assert conversions_made == ["float32"]
    # Another search is checked anew, and needs no other conversion.
    translations(model, replace(FAST, num_beams=3))
    assert conversions_made == ["float32"]
    assert len(list(conversions_root().glob("*.json"))) == 2
    # Other weights, other languages: another conversion.
    settings = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps(settings | {"num_beams": 9}))
    translations(model)
    assert conversions_made == ["float32"] * 2


def test_the_model_of_torch_is_not_loaded_for_a_checked_conversion(model: Path, monkeypatch: pytest.MonkeyPatch):
    expected, _ = translations(model)
    monkeypatch.setattr(conversions, "load_translator", lambda *_: pytest.fail("loaded"))
    monkeypatch.setattr(translating, "open_translator", lambda *_: pytest.fail("loaded"))
    assert translations(model)[0] == expected


def overwrite(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100] + bytes(100))


@pytest.mark.parametrize("spoil", [overwrite, Path.unlink])
def test_damaged_conversion_is_made_anew(
    spoil: Callable[[Path], None], model: Path, conversions_made: list[str], caplog: pytest.LogCaptureFixture
):
    expected, _ = translations(model)
    (file,) = conversions_root().glob("*/model.bin")
    spoil(file)
    assert translations(model)[0] == expected
    assert conversions_made == ["float32"] * 2
    assert "the kept conversion is damaged (model.bin is" in caplog.text
    assert translations(model)[0] == expected
    assert conversions_made == ["float32"] * 2


def refuse(*_: object) -> None:
    raise ModelError("mine: CTranslate2 does not support this model (no such family)")


def test_auto_falls_back_with_one_line_and_remembers(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(engine_choice, "MIN_SENTENCES", 20)
    monkeypatch.setattr("mt.models.ctranslate2_export.convert", refuse)
    expected, engine = translations(model, SEARCH)
    assert engine == TORCH
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        f"{model}: decoded by torch, which is slower: mine: CTranslate2 does not support this model (no such family)"
    ]
    assert expected == translations(model, replace(SEARCH, engine="torch"))[0]
    caplog.clear()
    monkeypatch.setattr(conversions, "load_translator", lambda *_: pytest.fail("tried again"))
    assert translations(model, SEARCH) == (expected, TORCH)
    assert caplog.text.count("decoded by torch, which is slower") == 1


def test_explicit_engine_says_why_it_cannot(model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.models.ctranslate2_export.convert", refuse)
    with pytest.raises(ModelError, match=r"decoding\.engine ctranslate2: mine: .*; set it to auto"):
        translations(model)


@pytest.mark.parametrize(("different", "is_trusted"), [(1, True), (2, False)])
def test_conversion_that_translates_differently_is_not_trusted(
    different: int, is_trusted: bool, model: Path, monkeypatch: pytest.MonkeyPatch
):
    decoded = conversions._one_by_one

    def other(translator: object, texts: list[str], search: DecodingConfig) -> list[str]:
        found = decoded(translator, texts, search)  # type: ignore[arg-type]
        is_converted = isinstance(translator, CTranslate2Translator)
        return ["other"] * different + found[different:] if is_converted else found

    monkeypatch.setattr(conversions, "_one_by_one", other)
    conversion = Conversion(ModelConfig(name=str(model)))
    if is_trusted:
        conversion.open(SEARCH, sources(40))
        return
    for _ in range(2):
        with pytest.raises(ModelError, match="CTranslate2 translates 2 of 16 sentences differently"):
            conversion.open(SEARCH, sources(40))
    assert conversion.fault(SEARCH) == "CTranslate2 translates 2 of 16 sentences differently"
    assert conversion.fault(replace(SEARCH, num_beams=1)) == ""


def test_what_few_sentences_show_is_not_kept(model: Path, monkeypatch: pytest.MonkeyPatch):
    decoded = conversions._one_by_one

    def other(translator: object, texts: list[str], search: DecodingConfig) -> list[str]:
        found = decoded(translator, texts, search)  # type: ignore[arg-type]
        return ["other", *found[1:]] if isinstance(translator, CTranslate2Translator) else found

    monkeypatch.setattr(conversions, "_one_by_one", other)
    conversion = Conversion(ModelConfig(name=str(model)))
    with pytest.raises(ModelError, match="CTranslate2 translates 1 of 1 sentences differently"):
        conversion.open(SEARCH, sources(1))
    assert conversion.fault(SEARCH) == ""
    conversion.open(SEARCH, sources(16))


def test_checked_conversion_in_a_cache_that_may_only_be_read(model: Path, monkeypatch: pytest.MonkeyPatch):
    conversion = Conversion(ModelConfig(name=str(model)))
    conversion.open(SEARCH, sources(16))

    def utime(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(conversions.os, "utime", utime)
    monkeypatch.setattr(conversions, "load_translator", lambda *_: pytest.fail("loaded"))
    assert conversion.open(SEARCH, sources(16)).name == str(model)


def test_identical_texts_in_int8_are_no_fault():
    conversion = Conversion(ModelConfig(name="tiny-en-ar"), "int8")
    assert conversion._compare(["", ""], ["", ""]) == ""
    assert conversion._compare(["a", ""], ["", ""]) == (
        "in int8 it translates differently; chrF between the two is 0.0, below 50"
    )


def test_sample_is_of_all_lengths():
    texts = ["x" * length for length in range(160, 0, -1)]
    assert [len(text) for text in pick_sample(texts)] == list(range(6, 160, 10))
    assert pick_sample(["bb", "a"]) == ["a", "bb"]
    assert pick_sample([]) == []


def test_a_full_disk_is_no_end(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_choice, "MIN_SENTENCES", 20)
    (tmp_path / "cache").write_text("a file")
    assert translations(model, SEARCH)[1] == TORCH
    with pytest.raises(ModelError) as caught:
        translations(model)
    assert str(caught.value) == (
        f"decoding.engine ctranslate2: {conversions_root()}: the conversion cannot be written (Not a directory): free "
        "space there or set XDG_CACHE_HOME to another directory"
    )


def test_conversions_are_pruned_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conversions, "MAX_BYTES", 250)
    now = time.time()
    for name, age in {"oldest": 9000, "older": 8000, "old": 7000, "recent": 60}.items():
        directory = conversions_root() / name
        directory.mkdir(parents=True)
        (directory / "model.bin").write_bytes(bytes(100))
        os.utime(directory, (now - age, now - age))
    conversions.prune(keep=conversions_root() / "older")
    assert {path.name for path in conversions_root().iterdir()} == {"older", "recent"}
    monkeypatch.setattr(conversions, "MAX_BYTES", 0)
    conversions.prune(keep=conversions_root() / "older")
    assert {path.name for path in conversions_root().iterdir()} == {"older", "recent"}


def test_translations_of_engines_are_kept_apart(model: Path):
    config = ModelConfig(name=str(model))
    keys = [
        cache_key(config, SEARCH, ["a"], engine)
        for engine in (
            None,
            TORCH,
            Engine("torch", TORCH.version, "bfloat16"),
            Engine("ctranslate2", "4.8.5", "float32"),
            Engine("ctranslate2", "4.8.5", "int8"),
        )
    ]
    assert keys[0] == keys[1]
    assert keys[0] == cache_key(config, FAST, ["a"])
    assert len({key.name for key in keys if key}) == 4
    translations(model, SEARCH, use_cache=True)
    assert translations(model, FAST, use_cache=True)[1].name == "ctranslate2"


def test_engine_of_a_converted_model(model: Path, tmp_path: Path):
    for precision in ("float32", "int8", "float16"):
        convert(load_translator(ModelConfig(name=str(model))), tmp_path / precision, precision)  # type: ignore[arg-type]
        engine = engine_of(str(tmp_path / precision))
        assert (engine.name, engine.precision) == ("ctranslate2", precision)
        directory = ModelConfig(name=str(tmp_path / precision))
        assert plan_engine(directory, FAST, 1) == engine
        with pytest.raises(ModelError, match=r"engine torch cannot decode a CTranslate2 model; set it to auto, or use"):
            plan_engine(directory, replace(SEARCH, engine="torch"), 1)
    with pytest.raises(
        ModelError, match=r"precision float32 is not that of this CTranslate2 model, which is in float16"
    ):
        plan_engine(directory, replace(SEARCH, precision="float32"), 1)
    assert (
        plan_engine(ModelConfig(name=str(tmp_path / "int8")), replace(SEARCH, precision="int8"), 1).precision == "int8"
    )
    (tmp_path / "int8" / "model.bin").write_bytes(b"none")
    assert engine_of(str(tmp_path / "int8")).precision == ""


def test_converted_model_without_the_package(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    convert(load_translator(ModelConfig(name=str(model))), tmp_path / "converted", "float32")
    monkeypatch.setattr("mt.models.model_files.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="CTranslate2 needs the package `ctranslate2`, which is not installed"):
        list(translate_file(ModelConfig(name=str(tmp_path / "converted")), SEARCH, __file__))


def test_report_marks_systems_of_different_engines():
    searches = {"base": DecodingConfig(), "tuned": DecodingConfig()}
    same = {"base": Engine("torch", "2.13.0", "float32"), "tuned": Engine("torch", "2.13.0", "float32")}
    evaluation = Evaluation("base")
    describe_search(evaluation, searches, same)
    assert evaluation.remarks == []
    search = "beam 4, at most 2 target tokens per source token plus 10"
    assert describe_searches(searches, same) == {"decoding": f"{search}; by torch 2.13.0 in float32"}
    unlike = same | {"tuned": Engine("ctranslate2", "4.8.5", "int8")}
    describe_search(evaluation, searches, unlike)
    assert evaluation.remarks == [
        "The systems were decoded by different engines (base: torch 2.13.0 in float32; tuned: CTranslate2 4.8.5 in "
        "int8), which do not translate every sentence the same, so a small difference may be one of engines rather "
        "than of models; --decoding.engine torch gives all of them one, except CTranslate2 directories, which it "
        "refuses."
    ]
    assert as_json(evaluation)["engines"] == {
        "base": {"name": "torch", "version": "2.13.0", "precision": "float32"},
        "tuned": {"name": "ctranslate2", "version": "4.8.5", "precision": "int8"},
    }


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_an_export_is_judged_by_its_own_engine_and_the_model_by_torch(precision: Any, model: Path, tmp_path: Path):
    convert(load_translator(ModelConfig(name=str(model))), tmp_path / "int8", "int8")
    search = replace(SEARCH, engine="auto", precision=precision)
    for directory, name in ((model, "torch"), (tmp_path / "int8", "ctranslate2")):
        settings = export._system("mine", ModelConfig(name=str(directory)), search).settings
        assert settings is not None
        assert plan_engine(settings.model, settings.decoding, 10_000).name == name


def test_a_run_lends_a_converted_model_its_search_but_no_engine(model: Path, tmp_path: Path):
    convert(load_translator(ModelConfig(name=str(model))), tmp_path / "int8", "int8")
    run = RunSettings(base=str(model), decoding=replace(SEARCH, engine="torch", precision="float32"))
    assert settings_of_model(str(tmp_path / "int8"), like=run).decoding == SEARCH
    typed = settings_of_model(str(tmp_path / "int8"), None, {"engine": "torch"}, like=run)
    with pytest.raises(ModelError, match="engine torch cannot decode a CTranslate2 model"):
        plan_engine(typed.model, typed.decoding, 1)


def test_limits_are_rounded_up_so_that_sources_share_batches(tmp_path: Path, marian_directory: Path):
    convert(load_translator(ModelConfig(name=str(marian_directory))), tmp_path / "converted", "float32")
    converted = load_ctranslate2(ModelConfig(name=str(tmp_path / "converted")))
    limits = (1, 7, 8, 9, 15, 16, 17, 33, 63, 64, 65, 100, 127, 128, 200, 500)
    rounded = [converted.search_limit(limit) for limit in limits]
    assert rounded == [1, 8, 8, 12, 16, 16, 24, 48, 64, 64, 96, 128, 128, 128, 256, 512]
    # Each is cut to its own limit, of which the start token, which is not in the result, is one.
    long = [[5, 6, 7, 0], [8, 9, 10, 0]]
    cut = converted.generate(long, [17, 24], DecodingConfig(num_beams=1))
    assert [len(ids) for ids in cut] == [16, 23]
    whole = converted.generate(long, [24, 24], DecodingConfig(num_beams=1))
    assert cut == [whole[0][:16], whole[1]]
