"""The data card: figures worked out by hand on a few pairs."""

from pathlib import Path

from mt.config import CorpusConfig, DataConfig
from mt.data.builder import build_data
from mt.data.pair import Pair
from mt.data.place_names import count_place_names, place_names_in
from mt.data.report import DataReport
from mt.data.vocabulary import measure_vocabulary
from mt.models.transformers_model import TransformersTranslator
from mt.report.data_card import as_markdown, card_view, length_bars, summary
from mt.report.data_page import render_data_card


def build(tmp_path: Path) -> DataReport:
    file = tmp_path / "news.tsv"
    lines = [f"Shells hit Deir ez-Zor and Aleppo, {c}.\tسقطت قذائف على دير الزور وحلب {c}" for c in "abcdefgh"]
    lines += ["Only <script>alert(1)</script> here\tكل ما يقال هنا اليوم في المدينة عن <script>alert(1)</script> فقط"]
    file.write_text("\n".join(lines), encoding="utf-8")
    config = DataConfig(corpora={"news": CorpusConfig(path=str(file), weight=2.0)}, dev_share=0.0, test_share=0.0)
    return build_data(config, tmp_path)[1]


def test_figures(tmp_path: Path):
    report = build(tmp_path)
    news = report.corpora["news"]
    assert (news.read, dict(news.dropped), news.kept["train"], news.epoch_pairs) == (9, {"markup": 1}, 8, 16.0)
    assert dict(news.place_names) == {"Deir ez-Zor": 8, "Aleppo": 8}
    # Seven words in English, seven in Arabic: deir ez-Zor is three words to the splitter of words.
    assert news.source_words == [0, 8]
    assert news.target_words == [0, 8]
    assert len(news.samples) == 8
    assert summary(report) == "8 train, 0 dev, 0 test; not used: 1 (1 markup)"
    assert DataReport.from_json(report.as_json()).as_json() == report.as_json()


def test_page_and_markdown_escape_what_corpora_hold(tmp_path: Path):
    report = build(tmp_path)
    report.tokenizer = "<b>"
    page = render_data_card("Data of a & b", card_view(report))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<svg") == 3
    assert 'dir="rtl"' in page
    assert "http" not in page.replace("http://www.w3.org", "").replace(
        "http-equiv", ""
    )  # nothing is fetched; the rest are names of XML
    card = as_markdown(report)
    assert "| news | 9 | 1 markup | 8 | 0 | 0 | 16 |" in card
    assert "<script>" not in card
    assert "&lt;script>alert(1)" in card


def test_length_bars():
    assert length_bars([3, 0, 2]) == (["0-4", "5-9", "10-14"], [3, 0, 2])
    labels, values = length_bars([1] * 20)
    assert (labels[-1], values[-1], len(labels)) == ("80+", 4, 17)


def test_places():
    assert place_names_in("In Deir Ezzor, al-Bab and the Gaza Strip's south; Homs’s old town, Ar-Raqqa.") == {
        "Deir ez-Zor",
        "al-Bab",
        "Gaza Strip",
        "Homs",
        "Raqqa",
    }
    assert place_names_in("South Sudan is not Sudan") == {"South Sudan", "Sudan"}
    assert place_names_in("South Sudan and the homs of nobody") == {"South Sudan"}
    assert place_names_in("The White House and rebels") == set()


def test_places_of_a_sentence_are_counted_in_order():
    # A set's order changes from run to run, and the data report lists places of equal counts as they were counted.
    pair = Pair("Homs, Sudan, Raqqa, the Gaza Strip, al-Bab, Aleppo and Deir Ezzor", "", "news.tsv:1")
    named = [name for _, name in count_place_names([pair])]
    assert named == ["Aleppo", "Deir ez-Zor", "Gaza Strip", "Homs", "Raqqa", "Sudan", "al-Bab"]


def test_vocabulary(marian: TransformersTranslator, tmp_path: Path):
    file = tmp_path / "news.tsv"
    file.write_text("".join(f"The war {c}\tالحرب {c} ☃\n" for c in "abcdefgh"), encoding="utf-8")
    config = DataConfig(corpora={"news": CorpusConfig(path=str(file))}, dev_share=0.0, test_share=0.0)
    data, _ = build_data(config, tmp_path)
    sides = measure_vocabulary(marian.tokenizer, data)["news"]
    assert sides["source"]["unknown_share"] == 0.0
    assert sides["source"]["words_covered"] == 1.0
    assert sides["target"]["unknown_characters"] == "☃"
    pieces = [marian.tokenizer.encode(text, add_special_tokens=False) for text in data["train"]["source"]]
    assert sides["source"]["pieces_per_word"] == round(sum(map(len, pieces)) / 24, 3)
    target = [marian.tokenizer(text_target=text)["input_ids"][:-1] for text in data["train"]["target"]]
    # One unknown piece in each target.
    assert sides["target"]["unknown_share"] == round(8 / sum(map(len, target)), 6)
