"""Other pairs than English to Arabic: languages, reading, cleaning, and which checks are made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mt.config import CleaningConfig, Config, CorpusConfig, DataConfig, ModelConfig
from mt.data.builder import build_data
from mt.data.cleaning import find_fault
from mt.data.pair import Pair
from mt.data.preparing import Preparation, Prepared, prepare
from mt.data.readers import check_corpus, files_of, input_files, read_corpus
from mt.data.unseparated import split_at_border
from mt.errors import ConfigError, DataError, ModelError
from mt.evaluation.faults import find_cautions
from mt.evaluation.fidelity import check_fidelity, checks_of, unchecked
from mt.evaluation.scoring import evaluate_all
from mt.evaluation.signs import count_signs
from mt.evaluation.slices import slices_of
from mt.evaluation.test_set import TestSet
from mt.experiment.early_checks import check_corpora, check_tables
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair, language_named, pair_named
from mt.models.doctor import check_language_tokens, check_script, examine
from mt.models.families import family_by_name
from mt.models.transformers_model import load_translator
from mt.report.browser_data import browser_data
from mt.report.comparison_report import render_markdown, render_report
from mt.report.data_card import as_markdown, card_view
from mt.report.data_page import render_data_card
from mt.report.model_card import render_model_card
from mt.report.review_page import render_review
from mt.text.glossary import Glossary, read_glossary
from mt.text.normalise import is_mostly, script_of, script_share
from tests.pairs import ARABIC_TO_ENGLISH, ENGLISH_TO_FRENCH, french_pairs, write_tsv

ENGLISH_TO_RUSSIAN, ENGLISH_TO_PERSIAN = pair_named("en", "ru"), pair_named("en", "fa")


@pytest.mark.parametrize(
    ("code", "name", "script", "direction"),
    [
        ("en", "English", "latin", "ltr"),
        ("apc_Arab", "Arabic", "arabic", "rtl"),
        ("ar_AR", "Arabic", "arabic", "rtl"),
        ("arb_Latn", "Arabic", "latin", "ltr"),
        ("fr-CA", "French", "latin", "ltr"),
        ("fra_Latn", "French", "latin", "ltr"),
        ("pes_Arab", "Persian", "arabic", "rtl"),
        ("srp_Latn", "Serbian", "latin", "ltr"),
        ("heb", "Hebrew", "hebrew", "rtl"),
        ("kea_Latn", "kea", "latin", "ltr"),
    ],
)
def test_languages_by_their_codes(code: str, name: str, script: str, direction: str):
    language = language_named(code)
    assert language is not None
    assert (language.name, language.script, language.direction) == (name, script, direction)


@pytest.mark.parametrize("code", ["", "arabic", "xx", "kea", "zh", "zho_Hans", "jpn_Jpan", "en_Latn_Cyrl"])
def test_languages_that_cannot_be_worked_with(code: str):
    with pytest.raises(ConfigError, match=r"model.source_language must be the code of a language with spaces .*; got"):
        pair_named(code, "ar")


def test_a_pair_has_two_languages():
    with pytest.raises(ConfigError, match=r"model\.target_language must not be the source's language, Arabic"):
        pair_named("arb", "apc_Arab")
    assert (
        str(Config(model=ModelConfig(source_language="ar", target_language="en")).model.languages)
        == "Arabic to English"
    )


def test_scripts():
    assert script_of("Я", ("cyrillic", "latin")) == "cyrillic"
    assert script_of("ש", ("cyrillic", "latin")) == "other"
    # Three Cyrillic letters of four.
    assert script_share("год a", "cyrillic") == 0.75
    assert is_mostly("город", "cyrillic", 0.5)
    assert not is_mostly("город", "greek", 0.5)


READ = {
    "by_language.csv": "french,english\nBonjour tout le monde,Hello everybody\n",
    "by_code.tsv": "id\ten-US\tfr_FR\n1\tHello everybody\tBonjour tout le monde\n",
    "by_role.tsv": "target\tsource\nBonjour tout le monde\tHello everybody\n",
    "nameless.tsv": "Hello everybody\tBonjour tout le monde\n",
    "keys.jsonl": '{"translation": {"fr": "Bonjour tout le monde", "en": "Hello everybody", "ar": "x"}}\n',
    "unit.tmx": '<tmx version="1.4"><header srclang="fr"/><body><tu>'
    '<tuv xml:lang="fr-FR"><seg>Bonjour tout le monde</seg></tuv>'
    '<tuv xml:lang="EN-GB"><seg>Hello everybody</seg></tuv></tu></body></tmx>',
    "back.xlf": '<xliff version="1.2"><file source-language="fr" target-language="en"><body><trans-unit id="1"><source>'
    "Bonjour tout le monde</source><target>Hello everybody</target></trans-unit></body></file></xliff>",
}


@pytest.mark.parametrize("name", READ)
def test_sides_are_found_by_the_names_of_the_pair(name: str, tmp_path: Path):
    (tmp_path / name).write_text(READ[name], encoding="utf-8")
    (pair,) = read_corpus("a", CorpusConfig(path=str(tmp_path / name)), ENGLISH_TO_FRENCH)
    assert (pair.source, pair.target) == ("Hello everybody", "Bonjour tout le monde")


def test_parallel_files_are_found_by_the_codes_of_the_pair(tmp_path: Path):
    (tmp_path / "news.ar").write_text("مرحبا\n", encoding="utf-8")
    (tmp_path / "news.en").write_text("Hello\n", encoding="utf-8")
    corpus = CorpusConfig(path=str(tmp_path / "news.ar"))
    assert [(p.source, p.target) for p in read_corpus("a", corpus, ARABIC_TO_ENGLISH)] == [("مرحبا", "Hello")]
    assert input_files(corpus, ARABIC_TO_ENGLISH) == [tmp_path / "news.ar", tmp_path / "news.en"]
    folder = CorpusConfig(path=str(tmp_path))
    assert [file.path for file in files_of(folder, ARABIC_TO_ENGLISH)] == [str(tmp_path / "news.ar")]
    (tmp_path / "news.ar").unlink()
    (tmp_path / "other.tsv").write_text("a\tb\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"its Arabic counterpart, of the same name with \.ar, is not there"):
        check_corpus("a", folder, ARABIC_TO_ENGLISH)
    with pytest.raises(DataError, match=r"its French counterpart .*news\.fr does not exist"):
        check_corpus("a", CorpusConfig(path=str(tmp_path / "news.en")), ENGLISH_TO_FRENCH)


def test_files_of_other_languages_are_refused(tmp_path: Path):
    for name in ("unit.tmx", "back.xlf"):
        (tmp_path / name).write_text(READ[name], encoding="utf-8")
    with pytest.raises(DataError, match="no unit has both Arabic and English; its languages are en, fr"):
        list(read_corpus("a", CorpusConfig(path=str(tmp_path / "unit.tmx")), ARABIC_TO_ENGLISH))
    with pytest.raises(DataError, match="is fr to en; expected Arabic and English"):
        list(read_corpus("a", CorpusConfig(path=str(tmp_path / "back.xlf")), ARABIC_TO_ENGLISH))


def test_columns_of_one_script_need_names(tmp_path: Path):
    table = tmp_path / "table.tsv"
    table.write_text("Hello everybody here\tBonjour tout le monde\tsaid by somebody\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"which of its 3 columns is English and which French: .*; set source_column"):
        list(read_corpus("a", CorpusConfig(path=str(table)), ENGLISH_TO_FRENCH))


def test_nothing_between_the_sides_needs_two_scripts(tmp_path: Path):
    line = "سقطت المدينة عام 2014. The city fell in 2014."
    assert split_at_border(line, ARABIC_TO_ENGLISH) == ("سقطت المدينة عام 2014.", "The city fell in 2014.")
    assert split_at_border("The city fell. Город пал.", ENGLISH_TO_RUSSIAN) == ("The city fell.", "Город пал.")
    (tmp_path / "a.txt").write_text("Hello everybody. Bonjour tout le monde.\n", encoding="utf-8")
    message = "English and French are both written in Latin ones; put a tab between them and set .* to tsv"
    with pytest.raises(DataError, match=message):
        list(read_corpus("a", CorpusConfig(path=str(tmp_path / "a.txt")), ENGLISH_TO_FRENCH))


AR_LONG = "قالت الحكومة إن المحادثات ستستمر يوم الاثنين في المدينة"
EN_LONG = "The government said that the talks will go on in the city on Monday"
FR_LONG = "Le gouvernement a déclaré que les discussions se poursuivront lundi dans la ville"
DE_LONG = "Die Regierung erklärte, dass die Gespräche am Montag in der Stadt fortgesetzt werden"


@pytest.mark.parametrize(
    ("languages", "source", "target", "fault"),
    [
        (ARABIC_TO_ENGLISH, AR_LONG, EN_LONG, None),
        (ARABIC_TO_ENGLISH, EN_LONG, AR_LONG, ("wrong script", "0% of the source is Arabic")),
        (ARABIC_TO_ENGLISH, AR_LONG, DE_LONG, ("wrong language", "the target looks like `de`")),
        (ARABIC_TO_ENGLISH, AR_LONG, f"{AR_LONG} OK fine", ("wrong script", "11% of the target is Latin")),
        (
            ARABIC_TO_ENGLISH,
            "قتل 15 شخصا في المدينة",
            "In the city, 20 people were killed",
            ("numbers", "15 against 20"),
        ),
        (ARABIC_TO_ENGLISH, "قتل خمسة عشر شخصا", "15 people were killed", None),
        (ARABIC_TO_ENGLISH, "ط§ظ„ط­ظƒظˆظ…ط©", "The government", ("mojibake", "ط§ظ„ط­ظƒظˆظ…ط©")),
        # Written from left to right: the stop is at the beginning.
        (ARABIC_TO_ENGLISH, ".مدينةال ةنيدملا تطقس", "The city has fallen.", ("visual order", ".مدينةال ةنيدملا تطق")),
        (ENGLISH_TO_FRENCH, EN_LONG, FR_LONG, None),
        (ENGLISH_TO_FRENCH, EN_LONG, AR_LONG, ("wrong script", "0% of the target is Latin")),
        (ENGLISH_TO_FRENCH, EN_LONG, DE_LONG, ("wrong language", "the target looks like `de`")),
        (ENGLISH_TO_FRENCH, FR_LONG, EN_LONG, ("wrong language", "the target looks like `en`")),
        (ENGLISH_TO_FRENCH, EN_LONG, EN_LONG, ("untranslated", "the target is the source")),
        (ENGLISH_TO_FRENCH, EN_LONG, f"{EN_LONG} hier", ("untranslated", EN_LONG[:80])),
        # A name is the same in both.
        (ENGLISH_TO_FRENCH, "Victor Hugo", "Victor Hugo", None),
        # The numbers of French are not known, so nobody says that these are others.
        (ENGLISH_TO_FRENCH, "20 people live here", "Quatre-vingts en 3 mots", None),
        (ENGLISH_TO_FRENCH, "2014", "deux mille quatorze", None),
        (
            ENGLISH_TO_FRENCH,
            "The caf\u00e9 is open",
            "Le caf\u00c3\u00a9 est ouvert",
            ("mojibake", "Le caf\u00c3\u00a9 est ouvert"),
        ),
        (
            ENGLISH_TO_FRENCH,
            "Is the shop in the street open?",
            "La boutique ?? la rue est-elle ???? ouverte",
            ("lost text", "??"),
        ),
        (ENGLISH_TO_RUSSIAN, "The city fell on Monday.", "Город пал в понедельник.", None),
        (
            ENGLISH_TO_RUSSIAN,
            "The city fell on Monday.",
            "Το πόλη έπεσε.",
            ("wrong script", "0% of the target is Cyrillic"),
        ),
    ],
)
def test_cleaning_rules_fire_on_what_is_wrong_for_the_pair(
    languages: LanguagePair, source: str, target: str, fault: tuple[str, str] | None
):
    found = find_fault(source, target, CleaningConfig(), languages)
    assert (None if found is None else (found.rule, found.detail)) == fault


def test_what_is_arabic_is_mended_on_either_side():
    def prepared(pair: tuple[str, str], languages: LanguagePair) -> Prepared:
        return prepare([Pair(*pair, "a:1")], Preparation({0: None}, "", False, False, languages=languages))

    persian_keyboard, sentence = "قال الرئيس ان الحکومة فی المدینة", "The president said so in Aleppo"
    for pair, languages in (
        ((persian_keyboard, sentence), ARABIC_TO_ENGLISH),
        ((sentence, persian_keyboard), ENGLISH_TO_ARABIC),
    ):
        found = prepared(pair, languages)
        side = found.kept[0].source if languages == ARABIC_TO_ENGLISH else found.kept[0].target
        assert side == "قال الرئيس ان الحكومة في المدينة"
        assert found.mended == {(0, "Persian keyboard"): 1}
    # Persian is left as it is, and the glossary's places are looked for in English to Arabic only.
    found = prepared((sentence, persian_keyboard), ENGLISH_TO_PERSIAN)
    assert found.kept[0].target == persian_keyboard
    assert not found.mended
    assert not found.place_names
    assert prepared((sentence, "x"), ENGLISH_TO_ARABIC).place_names == {(0, "Aleppo"): 1}


def test_the_doctor_tries_sentences_of_the_source(marian_directory: Path):
    def findings(source: str) -> dict[str, str]:
        translator = load_translator(ModelConfig(name=str(marian_directory), source_language=source))
        return {finding.check: finding.detail for finding in examine(translator).findings}

    assert list(findings("fr")) == ["ties", "language tokens", "translations"]
    assert findings("fr")["translations"] == "not looked at: there are no sentences in French to try it on"
    assert findings("zho_Hans")["translations"] == "not looked at: there are no sentences in zho_Hans to try it on"
    # An untrained model reads the Arabic ones, and writes anything.
    assert list(findings("ar")) == ["ties", "language tokens", "unknown pieces", "script", "loops", "length", "variety"]


def test_the_script_is_that_of_the_target():
    assert check_script(["Le pont est ouvert"], ENGLISH_TO_FRENCH.target).passed
    finding = check_script(["Le pont est ouvert"], ENGLISH_TO_RUSSIAN.target)
    assert (finding.passed, finding.detail) == (False, "0% of the letters are Cyrillic")


def test_terms_are_for_english_to_arabic_only(tmp_path: Path):
    table = tmp_path / "terms.tsv"
    table.write_text("rebels\tثوار\tmilitary\n", encoding="utf-8")
    assert read_glossary(None, ENGLISH_TO_FRENCH).terms == []
    assert len(read_glossary(str(table), ENGLISH_TO_ARABIC).terms) == 1
    message = "holds English terms and their Arabic forms, and the languages are Arabic to English; leave it out"
    for check in (
        lambda: read_glossary(str(table), ARABIC_TO_ENGLISH),
        lambda: check_tables([None, str(table)], ARABIC_TO_ENGLISH),
        lambda: check_corpora({"terms": CorpusConfig(path=str(table), format="glossary")}, ARABIC_TO_ENGLISH),
    ):
        with pytest.raises(DataError, match=message):
            check()


def test_only_checks_that_know_both_languages_are_made():
    assert list(checks_of(ENGLISH_TO_FRENCH)) == ["repetition", "length", "characters", "quotes", "punctuation"]
    assert "untranslated" in checks_of(ARABIC_TO_ENGLISH)
    assert len(checks_of(ENGLISH_TO_ARABIC)) == 11
    assert unchecked(ENGLISH_TO_ARABIC) == ""
    missing = "numbers, names, negation, attribution, untranslated, dropped sentences, terms"
    assert unchecked(ENGLISH_TO_FRENCH).startswith(f"Not checked for English to French: {missing};")
    sources, lines = ["ذهب محمد إلى المدينة"], ["Mohammed went to المدينة"]
    results, failures = check_fidelity("a", "test", sources, lines, Glossary([]), ARABIC_TO_ENGLISH)
    assert [result.check for result in results][:2] == ["untranslated", "repetition"]
    assert [(failure.check, failure.detail) for failure in failures] == [
        ("untranslated", "left in Arabic letters: المدينة")
    ]


def test_set_of(languages: LanguagePair, sources: list[str], references: list[str]) -> TestSet:
    return TestSet("test", sources, references, ["test"] * len(sources), languages=languages)


test_set_of.__test__ = False  # type: ignore[attr-defined]


def test_cautions_are_those_of_the_pair():
    sources, references = [AR_LONG, EN_LONG], [EN_LONG, AR_LONG]
    found = find_cautions(test_set_of(ARABIC_TO_ENGLISH, sources, references), {"a": [AR_LONG, ""]}, [], Glossary([]))
    assert {caution.kind for caution in found} == {
        *("Arabic references", "English sources", "copied hypotheses", "empty hypotheses"),
    }
    persian = test_set_of(ENGLISH_TO_PERSIAN, [EN_LONG], ["دولت گفت که گفتگوها روز دوشنبه در شهر ادامه خواهد یافت"])
    assert find_cautions(persian, {"a": persian.references}, [], Glossary([])) == []
    same = test_set_of(ENGLISH_TO_FRENCH, [EN_LONG], [FR_LONG])
    assert find_cautions(same, {"a": [FR_LONG]}, [], Glossary([])) == []


def test_persian_spells_words_with_joiners():
    word = "\u0645\u06cc\u200c\u0634\u0648\u062f"
    pair = Pair("It is becoming open\u200c", f"{word} \u200fok", "a:1")
    found = prepare([pair], Preparation({0: None}, "", False, False, languages=ENGLISH_TO_PERSIAN)).kept[0]
    assert (found.source, found.target) == ("It is becoming open", f"{word} ok")
    assert (
        prepare([pair], Preparation({0: None}, "", False, False)).kept[0].target
        == f"{word.replace(chr(0x200C), '')} ok"
    )
    persian = test_set_of(ENGLISH_TO_PERSIAN, [EN_LONG], [f"شهر {word}"])
    assert find_cautions(persian, {"a": [f"شهر {word} باز"]}, [], Glossary([])) == []
    kinds = {each.kind for each in find_cautions(persian, {"a": [f"شهر\u200f {word}"]}, [], Glossary([]))}
    assert kinds == {"marks of direction in hypotheses"}
    arabic = test_set_of(ENGLISH_TO_ARABIC, [EN_LONG], [f"\u0645\u062f\u200c\u064a\u0646\u0629 {AR_LONG}"])
    assert "invisible characters" in {each.kind for each in find_cautions(arabic, {"a": [AR_LONG]}, [], Glossary([]))}


def test_french_writes_a_space_before_some_marks():
    lines = ["Qui vient ?", "Voici : personne !"] * 4
    assert list(count_signs(lines, languages=ENGLISH_TO_FRENCH)) == []
    assert [sign.kind for sign, _ in count_signs(["Il vient ."] * 4, languages=ENGLISH_TO_FRENCH)] == ["tokenised"]
    assert [sign.kind for sign, _ in count_signs(lines, languages=ARABIC_TO_ENGLISH)] == ["tokenised"]


def test_slices_by_words_that_are_known():
    sources = ["six personnes"] * 5 + ["6 personnes"] * 5
    slices = slices_of(sources, [], Glossary([]), None, pair_named("fr", "en"))
    assert [(each.name, len(each.rows)) for each in slices if each.group == "numbers"] == [
        ("with a number", 5),
        ("without", 5),
    ]


@pytest.mark.parametrize(
    ("language", "family", "known", "code"),
    [
        ("fr", "nllb", {"fra_Latn": 1, "eng_Latn": 2}, "fra_Latn"),
        ("fr", "marian", {"fra": 1}, "fra"),
        ("fr", "mbart50", {"fr_XX": 1, "fi_FI": 2}, "fr_XX"),
        ("fa", "nllb", {"pes_Arab": 1}, "pes_Arab"),
        ("ar", "nllb", {"arb_Arab": 1}, "arb_Arab"),
    ],
)
def test_models_name_languages_in_their_own_way(language: str, family: str, known: dict[str, int], code: str):
    assert family_by_name(family).resolve(language, known) == code


@pytest.mark.parametrize(
    ("fixture", "tokens"),
    [
        ("nllb_directory", ("arb_Arab", "fra_Latn")),
        ("m2m_directory", ("__ar__", "__fr__")),
        ("mbart50_directory", ("ar_AR", "fr_XX")),
    ],
)
def test_multilingual_models_are_told_the_pair(fixture: str, tokens: tuple[str, str], request: pytest.FixtureRequest):
    name = str(request.getfixturevalue(fixture))
    translator = load_translator(ModelConfig(name=name, source_language="ar", target_language="fr"))
    ours, theirs = translator.tokenizer.convert_tokens_to_ids(list(tokens))
    assert translator.tokenizer.unk_token_id not in (ours, theirs)
    assert translator.encode_sources(["a"])[0][0] == ours
    assert translator.encode_targets(["a"])[0][0] == theirs
    assert translator.model.generation_config.forced_bos_token_id == theirs
    assert check_language_tokens(translator).passed


def test_a_language_that_a_model_lacks_is_refused():
    with pytest.raises(ModelError, match="no token for language `fr`; it knows arb_Arab"):
        family_by_name("nllb").resolve("fr", {"arb_Arab": 1})


def attributes(page: str, text: str) -> str:
    """The attributes of the element that contains just this text."""
    found = re.search(rf"<\w+ ([^<>]*)>\s*{re.escape(text)}", page)
    assert found is not None, text
    return found[1]


@pytest.mark.parametrize(
    ("languages", "source", "target"),
    [(ARABIC_TO_ENGLISH, ("ar", "rtl"), ("en", "ltr")), (ENGLISH_TO_FRENCH, ("en", "ltr"), ("fr", "ltr"))],
)
def test_pages_run_in_the_directions_of_the_pair(
    languages: LanguagePair, source: tuple[str, str], target: tuple[str, str], tmp_path: Path
):
    sources, references = (AR_LONG, EN_LONG) if languages == ARABIC_TO_ENGLISH else (EN_LONG, FR_LONG)
    test_set = test_set_of(languages, [sources] * 6, [references] * 6)
    systems = {"test": {"a": ["x y"] * 6, "b": [references] * 6}}
    evaluation = evaluate_all([test_set], systems, 100, read_glossary(None, languages), None)
    assert {score.metric for score in evaluation.scores} == {"BLEU", "chrF", "chrF++", "TER"}
    assert "BLEU-norm, chrF-norm, chrF++-norm, TER-norm are left out" in " ".join(evaluation.notes)
    names = f"{languages}"
    page = render_report("Report", evaluation, {})
    assert f"{names}. Systems are compared" in page
    assert f'"source":{{"lang":"{source[0]}","dir":"{source[1]}"}}' in browser_data(evaluation, Glossary([]))
    assert f'"target":{{"lang":"{target[0]}","dir":"{target[1]}"}}' in browser_data(evaluation, Glossary([]))
    assert f"Not checked for {names}: numbers" in page
    assert f"Not checked for {names}: numbers" in render_markdown("Report", evaluation, {})
    assert "What a pass is worth" not in page
    assert "folding diacritics" not in page
    assert f'<td lang="{target[0]}" dir="{target[1]}">' in page  # n-grams
    card = render_model_card("m", evaluation, "a", {})
    assert card.startswith(f"---\nlanguage:\n- {source[0]}\n- {target[0]}\n")
    assert f"{names} translation" in card
    review = render_review("test", [], languages)
    assert f"For each {languages.source.name} sentence, say which {languages.target.name} translation" in review
    assert f'id="source" class="source" lang="{source[0]}" dir="{source[1]}"' in review
    assert review.count(f'class="target" lang="{target[0]}" dir="{target[1]}"') == 3


def test_the_data_card_of_a_pair(tmp_path: Path):
    write_tsv(tmp_path / "news.tsv", french_pairs(60))
    with (tmp_path / "news.tsv").open("a", encoding="utf-8") as file:
        file.write(f"The bread is fresh today\t{AR_LONG}\n")
    corpora = {"news": CorpusConfig(path=str(tmp_path / "news.tsv"))}
    data, report = build_data(DataConfig(corpora=corpora, similarity=1.0), tmp_path, languages=ENGLISH_TO_FRENCH)
    assert report.corpora["news"].dropped["wrong script"] == 1
    assert set(report.dropped) <= {"wrong script", "like a held-out pair", "words of a held-out pair"}
    assert min(len(data[split]) for split in ("train", "dev", "test")) > 0
    card = as_markdown(report, ENGLISH_TO_FRENCH)
    assert "Sentence pairs, English to French." in card
    assert '<p dir="ltr">' in card
    assert 'dir="rtl"' not in card
    assert "The rule `numbers` was not applied" in card
    page = render_data_card("Data", card_view(report, ENGLISH_TO_FRENCH))
    assert "English to French sentence pairs." in page
    assert attributes(page, AR_LONG) == 'class="target" lang="fr" dir="ltr"'
    assert attributes(page, "The bread is fresh today") == 'lang="en" dir="ltr"'
