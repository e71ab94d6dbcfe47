"""Inline terms: what stands in the source, and that every family's tokenizer reads it as it should."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from mt.config import Config, DecodingConfig, ModelConfig, TrainingConfig
from mt.errors import ConfigError, DataError, ModelError
from mt.evaluation.searches import describe_searches
from mt.evaluation.test_set import TestSet
from mt.experiment.translations import systems_of_run
from mt.models.run_settings import TranslationSettings
from mt.models.terminology import with_terms, with_translated_terms
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.models.translator import inline_term
from mt.runs import RunDirectory
from mt.systems.system import System, searches_of
from mt.systems.translating import translate_systems
from mt.systems.translation_cache import cache_key
from mt.text.glossary import Glossary

TABLE = """english\tarabic\tkind
Deir ez-Zor | Deir al-Zor\tدير الزور\tplace
Raqqa\tالرقة\tplace
UN | United Nations\tالأمم المتحدة | المنظمة الدولية\torganisation
"""


@pytest.fixture
def glossary(tmp_path: Path) -> str:
    file = tmp_path / "terms.tsv"
    file.write_text(TABLE, encoding="utf-8")
    return str(file)


def shown(source: str) -> str:
    """With the marks as brackets."""
    return source.replace("\ue000", "[").replace("\ue001", "]")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Shells fell on Raqqa today.", "Shells fell on Raqqa [الرقة] today."),
        # Behind the whole word, comma and all, so that the rest is cut into pieces as ever.
        ("In Deir ez-Zor, the UN's aid arrived.", "In Deir ez-Zor, [دير الزور] the UN's [الأمم المتحدة] aid arrived."),
        ("Aid reached Raqqa.", "Aid reached Raqqa. [الرقة]"),
        ("The Raqqa-Deir ez-Zor road", "The Raqqa-Deir [الرقة] ez-Zor [دير الزور] road"),
        ("Nothing known is named.", "Nothing known is named."),
        # A mark of ours in a user's text marks nothing.
        ("a \ue000b\ue001 c", "a b c"),
    ],
)
def test_the_preferred_form_stands_behind_the_word(glossary: str, source: str, expected: str):
    assert [shown(text) for text in with_terms([source], glossary)] == [expected]


def test_no_glossary_no_change():
    assert with_terms(["Raqqa"], None) == ["Raqqa"]
    assert with_translated_terms(["Raqqa"], ["الرقة"], None, 1.0, 1) == ["Raqqa"]


def test_training_gives_the_form_that_the_target_has_and_no_other(glossary: str):
    sources = ["The UN left Raqqa."] * 3
    targets = ["غادرت المنظمة الدولية الرقة.", "غادرت الأمم المتحدة المدينة.", "غادروا."]
    assert [shown(text) for text in with_translated_terms(sources, targets, glossary, 1.0, 1)] == [
        "The UN [المنظمة الدولية] left Raqqa. [الرقة]",
        "The UN [الأمم المتحدة] left Raqqa.",
        "The UN left Raqqa.",
    ]


def test_an_inflected_form_in_the_target_counts(glossary: str):
    # "and for the United Nations": the clitics are the model's to add.
    (text,) = with_translated_terms(["and for the UN"], ["وللأمم المتحدة"], glossary, 1.0, 1)
    assert shown(text) == "and for the UN [الأمم المتحدة]"


def test_a_share_of_the_terms_is_given_the_same_for_the_same_seed(glossary: str):
    sources, targets = ["Raqqa"] * 1000, ["الرقة"] * 1000
    once, again, other = (with_translated_terms(sources, targets, glossary, 0.3, seed) for seed in (1, 1, 2))
    # 300 of 1,000, give or take four standard deviations of 14.5.
    assert 242 < sum("الرقة" in text for text in once) < 358
    assert once == again != other


@pytest.mark.parametrize("family", ["marian", "nllb", "m2m_100", "mbart50"])
def test_ids_are_those_of_the_source_and_of_the_target(family: str, request: pytest.FixtureRequest):
    translator: TransformersTranslator = load_translator(
        ModelConfig(name=str(request.getfixturevalue({"m2m_100": "m2m"}.get(family, family) + "_directory")))
    )
    (with_term,) = translator.encode_sources([f"Aid reached Raqqa,{inline_term('الرقة')} too"])
    (without,) = translator.encode_sources(["Aid reached Raqqa, too"])
    (before,) = translator.encode_sources(["Aid reached Raqqa,"])
    term = list(translator.tokenizer(text_target="الرقة", add_special_tokens=False)["input_ids"])
    start = next(i for i in range(len(with_term)) if with_term[i : i + len(term)] == term)
    assert with_term[:start] + with_term[start + len(term) :] == without
    # Language and end tokens stay where the family has them.
    ends = next(i for i in range(1, len(before)) if before[-i:] != without[-i:]) - 1
    assert with_term[:start] == before[: len(before) - ends]


def test_a_term_at_the_start_and_two_in_a_row(marian: TransformersTranslator):
    (ids,) = marian.encode_sources([f"{inline_term('الرقة')}{inline_term('دير الزور')} fell"])
    terms = [i for text in ("الرقة", "دير الزور") for i in marian.encode_targets([text])[0][:-1]]
    words = marian.encode_sources(["fell"])[0]
    assert ids == [words[0], *terms, *words[1:]]


def test_a_model_with_two_vocabularies_is_refused(marian: TransformersTranslator):
    marian.tokenizer.separate_vocabs = True
    with pytest.raises(ModelError, match=r"has separate vocabularies for source and target.*decoding\.terminology"):
        marian.encode_sources([f"Raqqa{inline_term('الرقة')}"])


def test_terms_to_train_with_need_a_table():
    with pytest.raises(ConfigError, match=r"decoding\.terminology must name a table of terms"):
        Config(training=TrainingConfig(term_share=0.5))
    with pytest.raises(ConfigError, match=r"training\.term_share must be between 0 and 1, got 1\.5"):
        TrainingConfig(term_share=1.5)
    Config(training=TrainingConfig(term_share=0.5), decoding=DecodingConfig(terminology="terms.tsv"))


def test_a_table_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.tsv: no such glossary"):
        with_terms(["Raqqa"], str(tmp_path / "none.tsv"))


def test_the_form_in_a_text(glossary: str):
    term = Glossary.read(Path(glossary)).terms[2]
    assert term.form_in("قالت المنظمه الدوليه") == "المنظمة الدولية"
    assert term.form_in("قالت المدينه") is None


def test_general_text_is_given_no_tag_and_no_terms(monkeypatch: pytest.MonkeyPatch):
    given: dict[str, DecodingConfig] = {}

    def translate(_: object, sources: list[str], decoding: DecodingConfig, progress: str) -> list[str]:
        given[progress] = decoding
        return sources

    monkeypatch.setattr("mt.systems.translating.translate_shared", translate)
    monkeypatch.setattr(
        "mt.systems.translating.open_translator", lambda model, decoding: SimpleNamespace(overflows=False)
    )
    sets = [TestSet("news", ["a"], ["b"]), TestSet("flores", ["a"], ["b"], is_general=True)]
    decoding = DecodingConfig(tag="<news>", terminology="terms.tsv", num_beams=2)
    settings = TranslationSettings(model=ModelConfig(name="none"), decoding=decoding)
    translate_systems([System("m", "none", settings=settings, use_cache=False)], sets)
    assert given == {"m on news": decoding, "m on flores": DecodingConfig(num_beams=2)}


def test_translations_are_kept_by_what_the_terms_are(glossary: str):
    model, plain = ModelConfig(name="tiny-en-ar"), DecodingConfig()
    with_table = DecodingConfig(terminology=glossary)
    before = cache_key(model, with_table, ["Raqqa"])
    assert before != cache_key(model, plain, ["Raqqa"])
    Path(glossary).write_text(TABLE + "Homs\tحمص\tplace\n", encoding="utf-8")
    assert before != cache_key(model, with_table, ["Raqqa"])


def test_the_report_of_a_run_says_that_the_base_was_given_no_terms():
    plain = "beam 4, at most 2 target tokens per source token plus 10"
    run = RunDirectory(Path("run"))
    assert describe_searches(searches_of(systems_of_run(Config(), run))) == {"decoding": plain}
    terms = "beam 4, the terms of terms.tsv given inline, at most 2 target tokens per source token plus 10"
    config = Config(decoding=DecodingConfig(terminology="terms.tsv"))
    assert describe_searches(searches_of(systems_of_run(config, run))) == {
        "decoding of base": plain,
        "decoding of finetuned": terms,
    }
