"""Where licences come from, what they forbid, and the option `licence` of a corpus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from mt.config import Config, CorpusConfig, DataConfig, ModelConfig
from mt.config.config_files import config_as_yaml
from mt.data import cache
from mt.data.report import CorpusReport, DataReport
from mt.errors import ConfigError
from mt.experiment.extension import find_changes
from mt.files import sha256_of
from mt.report.data_card import as_markdown, card_view
from mt.report.data_page import render_data_card
from mt.report.publishing_licences import KNOWN, Part, is_noncommercial, licence_chain, licence_of_model
from mt.runs import RunDirectory
from tests.conftest import ROOT, SEED, STARTER, run_with
from tests.helpers import only_line, run
from tests.test_publish import CONFIG, made_run

# Licences


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        *((name, True) for name in ("cc-by-nc-4.0", "CC BY-NC-SA 3.0", "Non-commercial use only", "research-only")),
        *((name, False) for name in ("apache-2.0", "cc-by-4.0", "ncsa", "mit", None)),
    ],
)
def test_what_forbids_commercial_use(licence: str | None, forbids: bool):
    assert is_noncommercial(licence) is forbids


def part(licence: str | None, is_in_model: bool = True) -> Part:
    return Part("corpus", "news", licence, "the config", is_in_model)


def test_the_licence_of_the_model():
    assert licence_of_model([part("mit"), part("mit")]) == "mit"
    assert licence_of_model([part("mit"), part("cc-by-4.0")]) == "other"
    assert licence_of_model([part("mit"), part(None)]) == "unknown"
    # What was only tested on, the model has not learnt from.
    assert licence_of_model([part("mit"), part("cc-by-nc-4.0", False), part(None, False)]) == "mit"
    assert not part("cc-by-nc-4.0", False).is_noncommercial
    assert licence_of_model([part("mit"), part(None)], "cc-by-4.0") == "cc-by-4.0"
    assert licence_of_model([part("cc-by-nc-4.0")], "cc-by-nc-sa-4.0") == "cc-by-nc-sa-4.0"
    with pytest.raises(
        ConfigError, match=r"--licence mit permits commercial use, but the corpus `news` is cc-by-nc-4\.0"
    ):
        licence_of_model([part("cc-by-nc-4.0")], "mit")


def chain_of(model: str, corpora: dict[str, CorpusConfig], **inputs: str) -> list[tuple[str, str | None, str]]:
    config = Config(data=DataConfig(corpora=corpora), model=ModelConfig(name=model))
    return [(each.what, each.licence, each.origin) for each in licence_chain(config, inputs)]


def test_where_licences_come_from(tmp_path: Path):
    corpora = {
        "desk": CorpusConfig(path="desk.tsv", licence="cc-by-nc-4.0"),
        "seed": CorpusConfig(path="elsewhere/copied.txt"),
        "other": CorpusConfig(path="other.tsv"),
    }
    hashes = {"elsewhere/copied.txt": sha256_of(SEED), "other.tsv": "0" * 64, "starter": sha256_of(STARTER)}
    assert chain_of("facebook/nllb-200-distilled-600M", corpora, **hashes) == [
        ("base model `facebook/nllb-200-distilled-600M`", "cc-by-nc-4.0", "known to mt"),
        ("corpus `desk`", "cc-by-nc-4.0", "the config"),
        ("corpus `seed`", "apache-2.0", "comes with mt"),
        ("corpus `other`", None, "the config names none"),
    ]
    mbart = chain_of("facebook/mbart-large-50-many-to-many-mmt", {})
    assert mbart[0][1:] == (None, "no model card on this machine names one")
    (tmp_path / "README.md").write_text("---\nlicense: other\nlicense_name: desk-terms\n---\n")
    assert chain_of(str(tmp_path), {}) == [(f"base model `{tmp_path.name}`", "desk-terms", "its model card")]
    (tmp_path / "README.md").write_text("---\nlicense: [a: b\n---\n")
    assert chain_of(str(tmp_path), {})[0][1] is None


def test_models_of_the_docs_have_the_licence_that_the_docs_say():
    table = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"\| `([\w-]+/[\w.-]+)`, ([^|]+?) \|", table))
    assert len(found) >= 11
    names = {"CC-BY 4.0": "cc-by-4.0", "CC-BY-NC 4.0": "cc-by-nc-4.0", "MIT": "mit", "Apache-2.0": "apache-2.0"}
    names |= {"Gemma terms": "gemma", "Llama 3.2 licence": "llama3.2"}
    assert {name: KNOWN.get(name) for name in found} == {name: names[licence] for name, licence in found.items()}


def test_the_chain_goes_on_below_the_base(tmp_path: Path):
    """A model that was adapted twice: what the first adaptation was made from counts, too."""
    first = made_run(tmp_path / "first", CONFIG.replace("Helsinki-NLP/opus-mt-tc-big-en-ar", "facebook/nllb-200-3.3B"))
    assert chain_of(str(first / "model"), {}) == [
        ("base model `first/model`", None, "no model card on this machine names one"),
        ("base model `facebook/nllb-200-3.3B`", "cc-by-nc-4.0", "known to mt"),
        ("corpus `news of first`", "cc-by-4.0", "the config"),
    ]


def test_a_noncommercial_base_is_said_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace("Helsinki-NLP/opus-mt-tc-big-en-ar", "facebook/nllb-200-distilled-600M")
    made_run(tmp_path / "run", text.replace(", licence: cc-by-4.0", ""))
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "out") == 0
    base = "base model `facebook/nllb-200-distilled-600M` (cc-by-nc-4.0)"
    said = f"NOT FOR COMMERCIAL USE, because of the licence of {base}."
    unknown = "The licence is unknown of corpus `news`: find it out before the model is used."
    assert capsys.readouterr().err.splitlines()[:2] == [f"mt publish: {said}", f"mt publish: {unknown}"]
    card = ModelCard.load(Path("out/README.md"))
    assert card.text.strip().splitlines()[2].startswith("> **NOT FOR COMMERCIAL USE")
    assert (card.data.license, "non-commercial" in card.data.tags) == ("unknown", True)
    assert "find it out before the model is used" in card.text
    assert "Licences: news unknown." in Path("out/data_card.md").read_text(encoding="utf-8")
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "more", "--licence", "mit") == 1
    assert "--licence mit permits commercial use" in only_line(capsys)
    assert not Path("more").exists()


def test_a_licence_that_the_hub_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    made_run(tmp_path / "run")
    assert run(monkeypatch, "mt", "publish", "run", "a/b", "--dry_run", "out", "--licence", "Desk Terms 2") == 0
    data = ModelCard.load(Path("out/README.md")).data
    assert (data.license, data.license_name, data.license_link) == (
        *("other", "desk-terms-2", "https://huggingface.co/a/b#licences"),
    )


# The option `licence` of a corpus


def with_licence(licence: str | None) -> Config:
    return Config(data=DataConfig(corpora={"news": CorpusConfig(path="news.tsv", licence=licence)}))


def test_the_data_cards_name_licences():
    report = DataReport({"news": CorpusReport(9), "desk": CorpusReport(3)})
    licences = {"news": "cc-by-4.0", "desk": None}
    assert "\nLicences: news cc-by-4.0; desk unknown.\n" in as_markdown(report, licences=licences)
    page = render_data_card("Data", card_view(report, licences=licences))
    assert "<p>Licences: news cc-by-4.0; desk unknown.</p>" in page
    for none in (None, {"news": None, "desk": None}):
        assert "Licences" not in as_markdown(report, licences=none)
        assert "Licences" not in render_data_card("Data", card_view(report, licences=none))


@pytest.mark.slow
def test_mt_data_hands_the_licence_on(few_news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(f"data: {{corpora: {{news: {{path: {few_news}, licence: cc-by-4.0}}}}}}\n")
    assert run(monkeypatch, "mt", "data", "small.yaml", "--output_dir", "out") == 0
    for name in ("data_card.md", "data_card.html"):
        assert "Licences: news cc-by-4.0." in Path("out", name).read_text(encoding="utf-8")


def test_a_licence_changes_nothing_that_is_built_or_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("news.tsv").write_text("One.\tواحد.\n", encoding="utf-8")
    configs = [with_licence(licence) for licence in (None, "mit")]
    assert len({cache._key(each.data, each.data.corpora, each.model.languages) for each in configs}) == 1
    before = run_with(tmp_path / "run", config_as_yaml(with_licence(None)))
    changes = find_changes(RunDirectory(before), with_licence("mit"))
    assert [str(change) for change in changes] == ["data.corpora.news.licence was None and is now mit"]


def test_an_empty_licence_is_a_mistake():
    with pytest.raises(ConfigError, match="licence of a corpus must not be empty; leave it out if it is unknown"):
        CorpusConfig(path="news.tsv", licence=" ")
