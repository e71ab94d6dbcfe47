"""`evaluate.py` as it is typed: what it writes, what it refuses, and how it exits."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from mt import cli
from mt.evaluation.blind_review import hypothesis_hash
from mt.evaluation.results import Verdict
from mt.models import run_settings
from tests.conftest import run_with
from tests.helpers import make_setup, varied

SOURCES = ["The city fell in 2014.", "Troops left Raqqa.", "He did not say why.", "It ended.", "Aid arrived.", "No."]
REFERENCES = [
    "سقطت المدينة عام 2014.",
    "غادرت القوات الرقة.",
    "لم يقل السبب.",
    "انتهى الأمر.",
    "وصلت المساعدات.",
    "لا.",
]
TUNED = ["سقطت المدينة عام 2014.", "غادرت القوات الرقة.", "لم يقل لماذا.", "انتهى.", "وصلت مساعدات.", "لا."]
BASE = ["سقطت.", "غادرت القوات حلب.", "قال السبب.", "انتهى", "المساعدات", "نعم."]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two systems' translations and two test sets, 36 sentences each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, lines in (("base", BASE), ("tuned", TUNED), ("short", TUNED[:5])):
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in varied(lines, 6)), encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "other.txt").write_text("لا\n", encoding="utf-8")
    item = {"sentence": 0, "left": "0" * 64, "right": "1" * 64, "choice": "left", "comment": "", "saw_reference": False}
    ratings = {"format": "mt-ratings-1", "reviewer": "Amal", "test_set": "news", "page": "0" * 64, "items": [item]}
    (tmp_path / "amal.json").write_text(json.dumps(ratings), encoding="utf-8")
    pairs = list(zip(varied(SOURCES, 6, english=True), varied(REFERENCES, 6), strict=True))
    rows = [f"{source}\t{target}\n" for source, target in pairs]
    (tmp_path / "swapped.tsv").write_text(
        "english\tarabic\n" + "".join(f"{target}\t{source}\n" for source, target in pairs), encoding="utf-8"
    )
    for name, content in (("table", rows), ("news", rows), ("flores", rows), ("few", rows[:6])):
        (tmp_path / f"{name}.tsv").write_text("".join(content), encoding="utf-8")
    return tmp_path


def evaluate(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *options, "--resamples", "200", "--output_dir", "out"])
    return cli.evaluate_main()


def scores() -> Any:
    return json.loads(Path("out/scores.json").read_text(encoding="utf-8"))


def test_a_run_without_its_data(
    files: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run_with(files / "run", "name: run\n")
    shutil.copytree(marian_directory, files / "run" / "model")
    assert evaluate(monkeypatch, "run") == 1
    assert "run/data: the run's splits are missing; give --test_set NAME=FILE" in capsys.readouterr().err


def test_terms_that_are_not_there_stop_it_before_a_model_is_loaded(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("mt.systems.translating.open_translator", refuse)
    options = ["--decoding.terminology", "none.tsv"]
    assert evaluate(monkeypatch, "base.txt", "tiny-en-ar", "--test_set", "news=news.tsv", *options) == 1
    for command in (["review", "tuned.txt", "tiny-en-ar", "--test_set", "news=news.tsv"], ["translate", "tiny-en-ar"]):
        (files / "english.txt").write_text("Aid arrived.\n", encoding="utf-8")
        file = ["english.txt"] if command[0] == "translate" else []
        monkeypatch.setattr(sys, "argv", ["mt", *command, *file, *options])
        assert cli.main() == 1
    assert capsys.readouterr().err.count("none.tsv: no such glossary") == 3


def test_everything_is_written(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    # Of two test sets a text system has a file each.
    for name in ("base", "tuned"):
        Path(name).mkdir()
        for test_set in ("news", "flores"):
            Path(name, f"{test_set}.txt").write_bytes(Path(f"{name}.txt").read_bytes())
    options = ["base", "tuned", "--test_set", "news=news.tsv", "--general", "flores=flores.tsv"]
    assert evaluate(monkeypatch, *options) == 0
    printed = capsys.readouterr().out
    content = scores()
    assert content["general_test_sets"] == ["flores"]
    advice = "Take tuned: on news it is better than every other system, and no loss shows on flores."
    assert content["advice"] == advice
    assert advice in printed
    assert content["verdicts"][0]["text"] in printed
    assert any(note.startswith("spBLEU is left out: its SentencePiece model is not at ") for note in content["notes"])
    failed = {(f["system"], f["check"], f["sentence"]) for f in content["fidelity_failures"] if f["test_set"] == "news"}
    assert {("base", "names", 2), ("base", "numbers", 1), ("base", "negation", 3)} <= failed
    assert not any(system in ("tuned", "reference") for system, _, _ in failed)
    assert Path("out/report.md").read_text(encoding="utf-8").startswith("# Comparison of base, tuned\nTake tuned")
    html = Path("out/report.html").read_text(encoding="utf-8")
    assert "What is learnt on news, and what is forgotten on flores" in html
    assert Path("out/translations/news/tuned.txt").read_text(encoding="utf-8").splitlines()[1] == f"{TUNED[1]} اليوم"


def test_verdicts_are_formed_once_and_shown_everywhere(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    calls: list[str] = []
    verdict = Verdict("news", "tuned", "Tuned is a marvel.")
    monkeypatch.setattr("mt.evaluation.scoring.verdicts", lambda _: calls.append("verdicts") or [verdict])
    monkeypatch.setattr("mt.evaluation.scoring.advice", lambda _: calls.append("advice") or "Take whichever.")
    # Whoever asked for them again would ask for this one.
    monkeypatch.setattr("mt.evaluation.verdicts.verdict", lambda *_: pytest.fail("asked again"))
    assert evaluate(monkeypatch, "base.txt", "tuned.txt", "--test_set", "news=news.tsv") == 0
    assert calls == ["verdicts", "advice"]
    said = [scores()["verdicts"][0]["text"] + scores()["advice"], capsys.readouterr().out]
    said += [Path("out", name).read_text(encoding="utf-8") for name in ("report.html", "report.md")]
    assert all("Tuned is a marvel." in text and "Take whichever." in text for text in said)


def test_gate(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    options = ["--test_set", "news=news.tsv", "--fail_if_worse"]
    assert evaluate(monkeypatch, "tuned.txt", "base.txt", *options, "chrF") == 3
    assert "evaluate.py: On news, base is " in capsys.readouterr().err
    assert evaluate(monkeypatch, "base.txt", "tuned.txt", *options, "TER", "--overwrite") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--test_set", "few=few.tsv"], "base: 36 translations for the 6 sentences of test set `few`"),
        (["table.tsv", "--test_set", "news=news.tsv"], "table.tsv: most lines hold tabs"),
        (["--test_set", "news=news.tsv", "--general", "few=few.tsv"], "base.txt: a file holds the translations of one"),
        (
            ["texts", "--test_set", "news=news.tsv"],
            "texts/news.txt: no such file; texts needs one translation per line",
        ),
        (["out/none.txt", "--test_set", "news=news.tsv"], "out/none.txt: no such file or directory"),
        (["reference=tuned.txt", "--test_set", "news=news.tsv"], "the label `reference` is taken"),
        ([f"{'x' * 101}=tuned.txt", "--test_set", "news=news.tsv"], "the label 'xxxx"),
        (["a\nb=tuned.txt", "--test_set", "news=news.tsv"], "the label 'a\\nb' holds control"),
        (["--test_set", "news=swapped.tsv"], "swapped.tsv: 36 of the 36 references of test set `news` are not Arabic"),
        (["--test_set", "desk=news.tsv", "--ratings", "amal.json"], "amal.json: ratings of test set `news`, but"),
        (["empty.txt", "--test_set", "news=news.tsv"], "empty: 0 translations for the 36 sentences"),
        (
            ["short.txt", "--test_set", "news=news.tsv"],
            "short: 30 translations for the 36 sentences",
        ),
        (["--test_set", "news=news.tsv", "--glossary", "none.tsv"], "none.tsv: no such glossary"),
        (["--test_set", "news=news.tsv", "--glossary", "news.tsv"], "news.tsv:1: expected 3 tab-separated columns"),
        (["--test_set", "news=news.tsv", "--general", "flores=none.tsv"], "none.tsv: corpus `flores` does not exist"),
        (["--test_set", "news=news.tsv", "--ratings", "none.json"], "none.json: the ratings file does not exist"),
    ],
)
def test_refused_before_anything_slow(
    options: list[str], message: str, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # A model that would take long to load must not be reached.
    monkeypatch.setattr("mt.systems.translating.open_translator", lambda *_: pytest.fail("a model was loaded"))
    assert evaluate(monkeypatch, "base.txt", "slow=tiny-en-ar", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"evaluate.py: {message}"), error
    assert error.count("\n") == 1


def test_gate_needs_two_systems(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert evaluate(monkeypatch, "base.txt", "--test_set", "news=news.tsv", "--fail_if_worse", "chrF") == 2
    assert "--fail_if_worse compares systems with the first one; name at least two" in capsys.readouterr().err


def test_gate_takes_several_metrics(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    gate = ["--fail_if_worse", "chrF", "--fail_if_worse", "TER"]
    assert evaluate(monkeypatch, "tuned.txt", "base.txt", "--test_set", "news=news.tsv", *gate) == 3
    assert [" chrF " in line for line in capsys.readouterr().err.splitlines()] == [True, False]


def test_paths_may_hold_equals_signs(files: Path, monkeypatch: pytest.MonkeyPatch):
    Path("lr=1").mkdir()
    Path("lr=1/tuned.txt").write_bytes(Path("tuned.txt").read_bytes())
    systems = ["lr=1/tuned.txt", "better=lr=1/tuned.txt"]
    assert evaluate(monkeypatch, *systems, "--test_set", "news=news.tsv") == 0
    assert {score["system"] for score in scores()["scores"]} == {"tuned", "better"}


def test_gate_needs_enough_sentences(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (files / "few.txt").write_text("لا\n" * 6, encoding="utf-8")
    systems = ["few.txt", "same=few.txt"]
    assert evaluate(monkeypatch, *systems, "--test_set", "few=few.tsv", "--fail_if_worse", "chrF") == 1
    assert "--fail_if_worse needs at least 30 sentences in a test set, and `few` has 6" in capsys.readouterr().err


def test_gate_counts_distinct_sentences(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    rows = Path("few.tsv").read_text(encoding="utf-8")
    Path("often.tsv").write_text(rows * 6, encoding="utf-8")
    options = ["base.txt", "tuned.txt", "--test_set", "often=often.tsv"]
    assert evaluate(monkeypatch, *options, "--fail_if_worse", "chrF") == 1
    assert "and `often` has 6 distinct ones, repeated to 36; add sentences" in capsys.readouterr().err


def seen_run(root: Path, model: Path) -> None:
    """A run that was trained on the test set."""
    run_with(root, "name: run\n")
    shutil.copytree(model, root / "model")
    columns = {"source": varied(SOURCES, 6, english=True), "target": varied(REFERENCES, 6)}
    split = Dataset.from_dict({**columns, "corpus": ["x"] * 36, "group": ["y"] * 36})
    DatasetDict({"train": split, "dev": split.select([0]), "test": split}).save_to_disk(str(root / "data"))


def test_gate_and_a_run_that_was_trained_on_the_test_set(
    files: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    seen_run(Path("run"), marian_directory)
    monkeypatch.setattr("mt.systems.translating.open_translator", lambda *_: pytest.fail("a model was loaded"))
    for options in (["--test_set", "news=news.tsv"], []):
        systems = ["base.txt", "tuned=run", *options, "--fail_if_worse", "chrF"]
        assert evaluate(monkeypatch, *systems) == 1
        error = capsys.readouterr().err
        name = "news" if options else "test"
        sentence = "tuned has seen 36 of the 36 sentences in its training data (36 the same); take a test set that no"
        refusal = f"evaluate.py: --fail_if_worse cannot judge on test set `{name}`: {sentence}"
        assert error.splitlines()[-1].startswith(refusal)


def test_no_verdict_on_a_run_that_was_trained_on_the_test_set(
    files: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    seen_run(Path("run"), marian_directory)
    monkeypatch.setattr(
        "mt.systems.translating.translate_systems",
        lambda systems, test_sets, write, engines: {
            t.name: {s.label: varied(TUNED if s.run else BASE, 6) for s in systems} for t in test_sets
        },
    )
    read, files = run_settings.read_small, []
    monkeypatch.setattr(run_settings, "read_small", lambda file, *rest: files.append(str(file)) or read(file, *rest))
    assert evaluate(monkeypatch, "base.txt", "tuned=run", "--test_set", "news=news.tsv") == 0
    # Once for its languages, before anything slow; once for how it translates, before any test set is read; and once
    # for what it, and the runs before it, saw.
    assert files == ["run/config.yaml"] * 3
    printed = capsys.readouterr().out
    sentence = "tuned has seen 36 of the 36 sentences in its training data (36 the same)"
    assert f"note: on news, {sentence}" in printed
    assert f"No advice: on news, {sentence}." in printed
    assert "Take" not in printed
    assert "*" not in printed
    assert all(score["p_value"] is None for score in scores()["slices"])
    for name in ("report.md", "report.html"):
        text = Path("out", name).read_text(encoding="utf-8")
        assert sentence in text.replace("\\", "")
        assert " ▲)" not in text
        assert "significantly better" not in text
    # Alone it has nobody to be better than, and still the score says what it is worth.
    assert evaluate(monkeypatch, "tuned=run", "--overwrite") == 0
    assert "no verdict: tuned has seen 36 of the 36 sentences" in capsys.readouterr().out
    assert Path("out/report.md").read_text(encoding="utf-8").startswith("# Evaluation of tuned\n")


def test_gate_lets_no_faulty_file_pass(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    lines = Path("tuned.txt").read_text(encoding="utf-8").splitlines()
    Path("shifted.txt").write_text("\n".join([*lines[1:], lines[0]]) + "\n", encoding="utf-8")
    options = ["base.txt", "shifted.txt", "--test_set", "news=news.tsv", "--fail_if_worse", "chrF"]
    assert evaluate(monkeypatch, *options) == 1
    reason = "the hypotheses of shifted are shifted by 1 line from line 1 to line 35"
    assert f"evaluate.py: --fail_if_worse chrF: no verdict on shifted: {reason}\n" in capsys.readouterr().err
    assert {(c["system"], c["kind"]) for c in scores()["cautions"]} == {("shifted", "shifted hypotheses")}


def test_a_worse_system_outweighs_one_without_a_verdict(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    lines = Path("tuned.txt").read_text(encoding="utf-8").splitlines()
    Path("shifted.txt").write_text("\n".join([*lines[1:], lines[0]]) + "\n", encoding="utf-8")
    systems = ["tuned.txt", "base.txt", "shifted.txt"]
    assert evaluate(monkeypatch, *systems, "--test_set", "news=news.tsv", "--fail_if_worse", "chrF") == 3
    errors = capsys.readouterr().err
    assert "evaluate.py: On news, base is " in errors
    assert "--fail_if_worse chrF: no verdict on shifted" in errors


def test_names_of_test_sets_differ(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    options = ["base.txt", "--test_set", "news=news.tsv", "--general", "news=flores.tsv"]
    assert evaluate(monkeypatch, *options) == 2
    assert "--general news has the name of a --test_set" in capsys.readouterr().err


def test_comet_where_it_is_set_up(files: Path, monkeypatch: pytest.MonkeyPatch):
    make_setup()
    assert evaluate(monkeypatch, "base.txt", "tuned.txt", "--test_set", "news=news.tsv") == 0
    found = {s["system"]: s for s in scores()["scores"] if s["metric"] == "COMET"}
    # The fake one's score is the hypothesis's length over the reference's.
    ratios = [len(ours) / len(theirs) for ours, theirs in zip(varied(BASE, 6), varied(REFERENCES, 6), strict=True)]
    assert found["base"]["score"] == pytest.approx(sum(ratios) / 36)
    assert found["base"]["signature"].startswith("COMET|model:Unbabel/fake|")
    assert found["base"]["ci_low"] < found["base"]["score"] < found["base"]["ci_high"]
    assert {c["method"] for c in scores()["comparisons"] if c["metric"] == "COMET"} == {
        "paired bootstrap",
        "paired approximate randomization",
    }


def test_ratings_in_the_report(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    items = [
        {"sentence": i, "left": hypothesis_hash(f"{TUNED[i]} اليوم"), "right": hypothesis_hash(f"{BASE[i]} اليوم"),
         "choice": choice, "comment": "", "saw_reference": False}
        for i, choice in ((0, "left"), (1, "left"), (2, "right"), (4, "both_bad"))
    ]  # fmt: skip
    ratings = {"format": "mt-ratings-1", "reviewer": "Amal", "test_set": "news", "page": "0" * 64, "items": items}
    Path("amal.json").write_text(json.dumps(ratings), encoding="utf-8")
    options = ["base.txt", "tuned.txt", "--test_set", "news=news.tsv", "--ratings", "amal.json"]
    assert evaluate(monkeypatch, *options) == 0
    (preference,) = scores()["preferences"]
    assert (preference["system_wins"], preference["baseline_wins"], preference["both_bad"]) == (2, 1, 1)
    assert preference["rate"] == pytest.approx(2 / 3)
    # Wilson's interval of 2 in 3; 2 of 3 is as even as three decisions can be, so any outcome is as extreme.
    sentence = (
        "Reviewers on news, tuned against base: 2 of 3 decided sentences for tuned, a share of 0.67 (95 % interval "
        "0.21 to 0.94, sign test p = 1.000, 1 reviewer)."
    )
    assert sentence in capsys.readouterr().out
    assert sentence in Path("out/report.md").read_text(encoding="utf-8")
    assert "Blind ratings of pairs of translations" in Path("out/report.html").read_text(encoding="utf-8")


def test_documents_are_what_intervals_are_drawn_from(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    rows = (files / "news.tsv").read_text(encoding="utf-8").splitlines()
    named = ["english\tarabic\turl", *(f"{row}\tpage {number % 24}" for number, row in enumerate(rows))]
    (files / "pages.tsv").write_text("\n".join(named) + "\n", encoding="utf-8")
    sets = ("--test_set", "pages=pages.tsv", "--test_set", "news=news.tsv")
    assert evaluate(monkeypatch, "base.txt", "tuned.txt", *sets) == 1
    for name in ("base", "tuned"):
        (files / name).mkdir()
        for test_set in ("pages", "news"):
            (files / name / f"{test_set}.txt").write_bytes((files / f"{name}.txt").read_bytes())
    assert evaluate(monkeypatch, "base", "tuned", *sets) == 0
    assert scores()["drawn_by"] == {"pages": "document", "news": "sentence"}
    signatures = {row["test_set"]: row["signature"] for row in scores()["scores"] if row["metric"] == "chrF"}
    assert signatures["pages"].endswith("|bs:200|drawn:24 documents")
    assert signatures["news"].endswith("|bs:200")
    assert "resamples of its 24 documents" in Path("out/report.md").read_text(encoding="utf-8")
    capsys.readouterr()
    assert evaluate(monkeypatch, "base", "tuned", *sets, "--resampling", "document", "--overwrite") == 1
    assert "needs to know the documents of test set `news`" in capsys.readouterr().err


def test_how_a_run_held_out_its_test_split(files: Path, monkeypatch: pytest.MonkeyPatch):
    from datasets import Dataset

    from mt.data.holding_out import HeldOut
    from mt.data.report import CorpusReport, DataReport
    from mt.evaluation.faults import find_cautions
    from mt.evaluation.reading_test_sets import own_test_set
    from mt.files import write_json
    from mt.runs import RunDirectory
    from mt.text.glossary import Glossary

    run = RunDirectory(files / "run")
    run.root.mkdir()
    accounts = {"news": HeldOut("document", 2), "web": HeldOut("sentence", 0, 0, 0.2, 0.01, 40)}
    report = DataReport({name: CorpusReport(held_out=account) for name, account in accounts.items()})
    write_json(run.data_report, report.as_json())
    columns = {"source": ["A.", "B.", "C."], "target": ["ا", "ب", "ج"], "corpus": ["news", "news", "web"]}
    found = own_test_set(Dataset.from_dict({**columns, "group": ["0a", "0b", "0c"]}), run)
    assert found.documents == ["0a", "0b", ""]
    assert found.held_out == "Held out: news by document: each of its 2 documents is in one split."
    cautions = find_cautions(found, {}, [], Glossary.read())
    assert [(each.kind, each.forbids) for each in cautions if each.kind == "held out by sentence"] == [
        ("held out by sentence", False)
    ]
    assert "a new document will score lower" in found.too_easy
