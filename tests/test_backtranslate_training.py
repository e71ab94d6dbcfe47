"""Back-translations as a corpus: for training only, tagged, kept away from test sentences, and said to be synthetic."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_from_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mt.config import Config, CorpusConfig, DataConfig, DecodingConfig, EvaluationConfig, ModelConfig, TrainingConfig
from mt.data.builder import build_data
from mt.data.formats.backtranslated import COLUMNS, read_provenance, rows_as_bytes
from mt.data.readers import check_corpus, format_of, read_corpus
from mt.errors import ConfigError, DataError
from mt.evaluation.reading_test_sets import read_named_test_set
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.report.back_translations import made_in_words
from mt.report.publishing_licences import licence_chain
from mt.training.encoding import encode_training
from tests.backtranslation_cases import save_arabic_to_english
from tests.commands import write_small_config
from tests.conftest import news_pairs
from tests.helpers import run

ROWS = [
    ("The road is close", "الطريق مغلق.", "news.ar.txt", "1"),
    ('He say: "No".', "قال: «لا».", "news.ar.txt", "3"),
]
FACTS: dict[str, Any] = {
    "model": {"name": "/home/me/runs/ar-en/model", "revision": "main", "identity": {}},
    "languages": {"source": "ar", "target": "en"},
    "decoding": {"num_beams": 4, "mbr": 0},
    "engine": {"name": "torch", "version": "2.13.0", "precision": "float32"},
    "inputs": [{"document": "news.ar.txt", "lines": 3, "sha256": "0"}],
    "counts": {"lines": 3, "pairs": 2, "blank": 1},
}


def table(path: Path, rows: list[tuple[str, ...]] | None = None) -> Path:
    path.write_bytes(rows_as_bytes([COLUMNS, *(ROWS if rows is None else rows)]))
    return path


def with_provenance(path: Path) -> Path:
    from mt.files import sha256_of

    table(path)
    Path(f"{path}.json").write_text(json.dumps({**FACTS, "sha256": sha256_of(path)}), encoding="utf-8")
    return path


def test_no_cell_is_a_formula(tmp_path: Path):
    rows = [("=1+1", "- لا.", "@news.ar.txt", "1"), ("'=1+1", "'لا'.", "a", "2"), ("Yes.", "نعم - لا", "a", "3")]
    path = table(tmp_path / "news.backtranslated.tsv", rows)
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    assert lines == ["'=1+1\t'- لا.\t'@news.ar.txt\t1", "''=1+1\t'لا'.\ta\t2", "Yes.\tنعم - لا\ta\t3"]
    pairs = list(read_corpus("news", CorpusConfig(path=str(path))))
    assert [(pair.source, pair.target, pair.document) for pair in pairs] == [row[:3] for row in rows]


def test_rows_are_pairs(tmp_path: Path):
    path = table(tmp_path / "news.backtranslated.tsv")
    assert path.read_text(encoding="utf-8").splitlines()[2] == '"He say: ""No""."\tقال: «لا».\tnews.ar.txt\t3'
    pairs = list(read_corpus("news", CorpusConfig(path=str(path))))
    assert [pair[:4] for pair in pairs] == [
        ("The road is close", "الطريق مغلق.", f"{path}:2", "news.ar.txt"),
        ('He say: "No".', "قال: «لا».", f"{path}:3", "news.ar.txt"),
    ]
    as_table = CorpusConfig(path=str(path), format="tsv")
    assert [pair[:2] for pair in read_corpus("news", as_table)] == [pair[:2] for pair in pairs]
    assert (as_table.own_split, as_table.training_tag) == (None, "")


_CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(str.split)


@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_text_is_read_as_it_was_written(tmp_path: Path, pairs: list[tuple[str, str]]):
    rows = [(source, target, "a.txt", str(number)) for number, (source, target) in enumerate(pairs, start=1)]
    path = table(tmp_path / "any.backtranslated.tsv", rows)
    found = [pair[:2] for pair in read_corpus("any", CorpusConfig(path=str(path)))]
    assert found == [(" ".join(source.split()), " ".join(target.split())) for source, target in pairs]


def test_a_table_without_its_columns(tmp_path: Path):
    path = tmp_path / "a.backtranslated.tsv"
    path.write_text("english\tarabic\nA road.\tطريق.\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.backtranslated\.tsv:1: no column `source`"):
        list(read_corpus("news", CorpusConfig(path=str(path))))


def test_known_by_the_name_and_for_training_only(tmp_path: Path):
    for name in ("a.backtranslated.tsv", "d/a.ar.backtranslated.TSV", "a.backtranslated.tsv.gz"):
        corpus = CorpusConfig(path=name)
        assert (format_of(corpus), corpus.own_split, corpus.training_tag) == ("backtranslated", "train", "<BT>")
    assert CorpusConfig(path="a.backtranslated.tsv", tag="<synthetic>").training_tag == "<synthetic>"
    assert CorpusConfig(path="a.tsv", format="backtranslated").own_split == "train"
    assert not CorpusConfig(path="backtranslated.tsv").is_backtranslated
    with pytest.raises(
        ConfigError, match="split of back-translations must be train, because a model wrote the sources"
    ):
        CorpusConfig(path="a.backtranslated.tsv", split="test")
    corpus = CorpusConfig(path=str(table(tmp_path / "a.backtranslated.tsv")))
    with pytest.raises(ConfigError, match="the test set `desk` must hold sources that people wrote"):
        Config(evaluation=EvaluationConfig(test_sets={"desk": corpus}))
    with pytest.raises(DataError, match="test set `desk` holds back-translations, whose sources a model wrote"):
        read_named_test_set("desk", corpus, DataConfig())
    with pytest.raises(DataError, match=r"a\.backtranslated\.tsv: corpus `all`: back-translations among other pairs"):
        check_corpus("all", CorpusConfig(path=str(tmp_path)))
    check_corpus("all", CorpusConfig(path=str(tmp_path), format="backtranslated"))


def test_targets_like_a_test_sentence_are_dropped(tmp_path: Path):
    """The source is new to the builder; the target, which a person wrote, is that of a test pair."""
    english, arabic = news_pairs()
    news, test = tmp_path / "news.tsv", tmp_path / "test.tsv"
    lines = [f"{source}\t{target}" for source, target in zip(english, arabic, strict=True)]
    news.write_text("\n".join(lines[:300]), encoding="utf-8")
    test.write_text("\n".join(lines[300:310]), encoding="utf-8")
    longer = f"{arabic[302]} اليوم"
    rows = [
        ("A model has written this about a water pump.", arabic[301], "a", "1"),
        ("Nothing of it is like any other of them, really.", longer, "a", "2"),
        ("The farmers went back to the fields of barley.", "عاد المزارعون إلى حقول الشعير قرب النهر.", "a", "3"),
    ]
    made = table(tmp_path / "made.backtranslated.tsv", rows)
    corpora = {"news": CorpusConfig(path=str(news)), "made": CorpusConfig(path=str(made))}
    sets = {"desk": CorpusConfig(path=str(test))}
    splits, report = build_data(DataConfig(corpora=corpora, workers=1), tmp_path, sets)
    assert [row["target"] for row in splits["train"] if row["corpus"] == "made"] == [rows[2][1]]
    assert "made" not in {*splits["dev"]["corpus"], *splits["test"]["corpus"]}
    assert report.corpora["made"].dropped == {"like a held-out pair": 2}
    rejected = (tmp_path / "rejected.tsv").read_text(encoding="utf-8")
    assert f"{test}:2 in test" in rejected
    assert f"{test}:3 in test" in rejected


def encoded(
    translator: TransformersTranslator, terms: Path | None = None, **options: Any
) -> tuple[list[int], list[int]]:
    """The source of a pair of people and that of a back-translated one, as training sees them."""
    columns = {"source": ["The road.", "The road."], "target": ["طريق.", "طريق."], "corpus": ["news", "made"]}
    corpora = {"news": CorpusConfig(path="a.tsv"), "made": CorpusConfig(path="a.backtranslated.tsv", **options)}
    config = Config(data=DataConfig(corpora=corpora))
    if terms is not None:
        decoding, training = DecodingConfig(terminology=str(terms)), TrainingConfig(term_share=1.0)
        config = replace(config, decoding=decoding, training=training)
    pairs, left_out = encode_training(translator, Dataset.from_dict(columns), config)
    assert left_out == 0
    plain, tagged = (list(pairs.sources[index]) for index in (0, 1))
    return plain, tagged


def test_sources_are_tagged_in_training():
    """Five pieces of the vocabulary, behind the token of the language; none is special, and none unknown."""
    translator = load_translator(ModelConfig())
    plain, tagged = encoded(translator)
    tokens = translator.tokenizer.convert_ids_to_tokens
    assert tokens(tagged) == [">>ara<<", "▁", "<", "B", "T", ">", *tokens(plain)[1:]]
    assert len(translator.tokenizer) == translator.model.config.vocab_size
    assert not set(tagged[1:-1]) & set(translator.tokenizer.all_special_ids)
    _, other = encoded(translator, tag="new")
    assert tokens(other)[1] == "▁new"


def test_terms_come_after_the_tag(tmp_path: Path):
    terms = tmp_path / "terms.tsv"
    terms.write_text("english\tarabic\tkind\nroad\tطريق\tmilitary\n", encoding="utf-8")
    translator = load_translator(ModelConfig())
    tagged = encoded(translator, terms=terms)[1]
    assert translator.tokenizer.decode(tagged, skip_special_tokens=True) == ">>ara<< <BT> The road. طريق"


def test_the_tag_where_the_vocabulary_lacks_its_signs(nllb_directory: Path):
    """NLLB's tokenizer, here with few letters: what is unknown becomes <unk>, and the rest of the tag stays."""
    translator = load_translator(ModelConfig(name=str(nllb_directory)))
    plain, tagged = encoded(translator)
    tokens = translator.tokenizer.convert_ids_to_tokens(tagged)
    assert tokens[0] == "eng_Latn"
    assert tagged[-len(plain) + 1 :] == plain[1:]
    assert "".join(tokens[1 : -len(plain) + 1]) in ("▁<BT>", "▁<unk>BT<unk>")


def test_what_is_said_of_it(tmp_path: Path):
    path = with_provenance(tmp_path / "news.backtranslated.tsv")
    said = (
        "Synthetic: the sources in news.backtranslated.tsv were translated from Arabic to English by ar-en/model, "
        "4 beams, torch in float32; its targets are 2 lines of news.ar.txt."
    )
    assert made_in_words(read_provenance(path)) == said
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert made_in_words(read_provenance(packed)) == said.replace(".tsv", ".tsv.gz")
    table(path, ROWS[:1])
    assert made_in_words(read_provenance(path)) == f"{said} The table was changed since."
    Path(f"{path}.json").unlink()
    assert made_in_words(read_provenance(path)) == (
        "Synthetic: the sources in news.backtranslated.tsv were written by a model, and no file beside it says by "
        "which."
    )


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", "{}", "[" * 100_000),
        json.dumps(FACTS),
        *(json.dumps({**FACTS, "sha256": "", **wrong}) for wrong in ({"model": 3}, {"inputs": [{}]}, {"counts": {}})),
        json.dumps({**FACTS, "sha256": "", "model": {**FACTS["model"], "name": None}}),
        json.dumps({**FACTS, "sha256": "", "decoding": {"num_beams": "4"}}),
    ],
)
def test_provenance_that_is_none(content: str, tmp_path: Path):
    path = table(tmp_path / "news.backtranslated.tsv")
    Path(f"{path}.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"news\.backtranslated\.tsv\.json: is no provenance of back-translations"):
        read_provenance(path)


def test_its_model_is_part_of_the_licence_chain(tmp_path: Path):
    made = {"made": [{"model": {"name": "facebook/nllb-200-1.3B", "revision": "main"}}, {"table": "a"}]}
    chain = licence_chain(Config(), {}, made)
    assert chain[-1].what == "model of back-translations `facebook/nllb-200-1.3B`"
    assert chain[-1].is_noncommercial


@pytest.mark.slow
def test_from_arabic_text_to_a_run(
    marian_directory: Path, few_news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Back-translate lines, one of them a target of the test split; train; the run says what is synthetic, and how."""
    model = save_arabic_to_english(tmp_path / "ar-en")
    config = write_small_config(tmp_path, marian_directory, few_news, max_updates=2)
    assert run(monkeypatch, "mt", "data", str(config), "--output_dir", str(tmp_path / "data")) == 0
    [held_out, *_] = load_from_disk(str(tmp_path / "data" / "data"))["test"]
    text = tmp_path / "news.ar.txt"
    text.write_text("\n".join([held_out["target"], *news_pairs()[1][900:930]]) + "\n", encoding="utf-8")
    options = ["--decoding.max_length_ratio", "0.2", "--decoding.engine", "torch"]
    assert run(monkeypatch, "mt", "backtranslate", str(text), "--model", str(model), *options) == 0
    made = tmp_path / "news.backtranslated.tsv"
    argv = ["--data.corpora.made", str(made), "--data.cleaning.max_repeats", "null"]
    argv += ["--data.cleaning.language", "false", "--data.cleaning.numbers", "none"]
    assert run(monkeypatch, "train", str(config), *argv) == 0
    out = tmp_path / "run"
    report = json.loads((out / "data_report.json").read_text(encoding="utf-8"))["corpora"]["made"]
    assert (report["read"], report["kept"]["dev"], report["kept"]["test"]) == (31, 0, 0)
    assert report["dropped"]["like a held-out pair"] >= 1
    assert report["back_translations"][0]["model"]["name"] == str(model)
    train = load_from_disk(str(out / "data"))["train"]
    assert held_out["target"] not in train["target"]
    assert 0 < train["corpus"].count("made") == report["kept"]["train"]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["back_translations"]["made"][0]["counts"]["lines"] == 31
    said = "Synthetic: the sources in news.backtranslated.tsv were translated from Arabic to English by ar-en, 4 beams"
    for name in ("report.html", "data_card.md", "model/README.md"):
        assert said in (out / name).read_text(encoding="utf-8"), name
