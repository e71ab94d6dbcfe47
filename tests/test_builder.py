"""From corpora to splits, with every drop counted."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mt.config import CleaningConfig, Config, CorpusConfig, DataConfig, EvaluationConfig
from mt.data.builder import build_data, read_test_set
from mt.data.cache import cached_build, code_files
from mt.data.report import DataReport
from mt.errors import ConfigError, DataError
from mt.experiment.early_checks import check_data
from mt.files import UNFINISHED
from mt.report.data_card import as_markdown
from tests.conftest import ROOT, SEED, STARTER


def config(path: Path, **options: object) -> DataConfig:
    return DataConfig(corpora={"news": CorpusConfig(path=str(path))}, **options)  # type: ignore[arg-type]


def test_seed_and_starter_make_splits_without_overlap(tmp_path: Path):
    corpora = {"seed": CorpusConfig(path=str(SEED)), "starter": CorpusConfig(path=str(STARTER))}
    data, report = build_data(DataConfig(corpora=corpora, dev_share=0.1, test_share=0.25), tmp_path)
    assert {name: corpus.read for name, corpus in report.corpora.items()} == {"seed": 8, "starter": 1756}
    assert sum(len(data[split]) for split in data) == 1764
    assert data["train"].column_names == ["source", "target", "corpus", "group"]
    groups = {split: set(data[split]["group"]) for split in data}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["dev"]
    assert not groups["dev"] & groups["test"]
    assert all(len(data[split]) > 0 for split in data)


def test_drops_are_counted_by_rule(tmp_path: Path):
    lines = ["A war.\tحرب.", "A war. \tحرب.", "A city.\t \u200f", *(f"Day {i} of {i}.\tاليوم {i} ك" for i in range(3))]
    lines += [f"Word {letter}.\tكلمة {letter}" for letter in "abcdefgh"]
    path = tmp_path / "news.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    data, report = build_data(config(path), tmp_path)
    news = report.corpora["news"]
    assert news.read == 14
    assert dict(news.dropped) == {"exact duplicate": 1, "empty side": 1}
    assert sum(news.kept.values()) == sum(len(data[split]) for split in data) == 12
    assert "| news | 14 | 1 empty side, 1 exact duplicate |" in as_markdown(report)


def test_training_targets_are_normalised_and_references_are_not(tmp_path: Path):
    path = tmp_path / "news.tsv"
    path.write_text("".join(f"Word {c}.\tكلـــمة {c}\n" for c in "abcdefghijkl"), encoding="utf-8")
    data, _ = build_data(config(path), tmp_path)
    assert all(target.startswith("كلمة") for target in data["train"]["target"])
    assert all(target.startswith("كلـــمة") for target in [*data["dev"]["target"], *data["test"]["target"]])


def test_digits_and_diacritics_on_request(tmp_path: Path):
    path = tmp_path / "news.tsv"
    path.write_text("".join(f"Word {c}.\tكَلمة {c} ٢٠\n" for c in "abcdefghijkl"), encoding="utf-8")
    data, _ = build_data(config(path, remove_diacritics=True, western_digits=True), tmp_path)
    assert all(target.startswith("كلمة") and target.endswith("20") for target in data["train"]["target"])


def test_one_pair_cannot_be_split(tmp_path: Path):
    path = tmp_path / "news.tsv"
    path.write_text("A war.\tحرب.\n", encoding="utf-8")
    with pytest.raises(DataError, match="split is empty: the corpora hold 1 usable pair"):
        build_data(config(path), tmp_path)


def test_no_corpus():
    with pytest.raises(ConfigError, match=r"data\.corpora is empty"):
        check_data(DataConfig())


def test_test_set_refuses_an_empty_side(tmp_path: Path):
    path = tmp_path / "test.tsv"
    path.write_text("A war.\tحرب.\nA city.\t\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.tsv:2: an empty side in test set `news`"):
        read_test_set("news", CorpusConfig(path=str(path)), DataConfig())


def lines_of(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


SENTENCE = "The relief convoy crossed the river at dawn and reached the {} camp before the guards had closed its gates."
ARABIC = "عبرت قافلة الإغاثة النهر عند الفجر ووصلت إلى مخيم {} قبل أن يغلق الحراس بواباته."


def test_rejected_pairs_are_listed_with_rule_and_place(tmp_path: Path):
    file = tmp_path / "news.tsv"
    lines = ["They killed 12.\tقتلوا 21.", "A war.\t", *(f"Word {c}.\tكلمة {c}" for c in "abcdefgh"), "Word a.\tكلمة a"]
    file.write_text("\n".join(lines), encoding="utf-8")
    _, report = build_data(config(file), tmp_path)
    assert lines_of(tmp_path / "rejected.tsv") == [
        ["rule", "detail", "place", "source", "target"],
        ["numbers", "12 against 21", f"{file}:1", "They killed 12.", "قتلوا 21."],
        ["empty side", "no target", f"{file}:2", "A war.", ""],
        ["exact duplicate", f"{file}:3", f"{file}:11", "Word a.", "كلمة a"],
    ]
    assert report.corpora["news"].examples["numbers"][0].origin == f"{file}:1"


def test_training_pairs_like_a_test_set_are_dropped(tmp_path: Path):
    train, test = tmp_path / "news.tsv", tmp_path / "test.tsv"
    others = [f"Nothing like it, number {c} {c}{c}.\tلا شيء يشبه {c} {c}{c}" for c in "abcdefghijkl"]
    alike = SENTENCE.format("northern") + "\t" + ARABIC.format("الشمال")
    # The whole of the test sentence, in the middle of a longer one: no neighbour, but thirteen words in a row.
    around = (
        "Officials who would not be named told reporters on Monday evening that all of this was so: {} They added "
        "that nobody had been hurt, that the drivers had gone home and that the trucks would be sent back at once."
    )
    arabic = "قال مسؤولون رفضوا الكشف عن أسمائهم إن كل ذلك صحيح تماما " * 4
    holding = around.format(SENTENCE.format("southern")) + "\t" + arabic
    train.write_text("\n".join([*others, alike, holding]), encoding="utf-8")
    test.write_text(SENTENCE.format("southern") + "\t" + ARABIC.format("الجنوب"), encoding="utf-8")
    options = DataConfig(corpora={"news": CorpusConfig(path=str(train), split="train")}, dev_share=0.0, test_share=0.0)
    data, _ = build_data(options, tmp_path, {"desk": CorpusConfig(path=str(test))})
    assert len(data["train"]) == 12
    assert len(data["test"]) == 0  # a test set is guarded against, not taken in
    rejected = {row[2]: row[:2] for row in lines_of(tmp_path / "rejected.tsv")[1:]}
    assert rejected == {
        f"{train}:13": ["like a held-out pair", f"{test}:1 in test"],
        f"{train}:14": ["words of a held-out pair", f"{test}:1 in test"],
    }
    untouched, _ = build_data(options, tmp_path)
    assert len(untouched["train"]) == 14


def test_corpora_are_pinned_to_splits(tmp_path: Path):
    corpora = {}
    for split in ("train", "dev", "test"):
        file = tmp_path / f"{split}.tsv"
        file.write_text("".join(f"{split} word {c}\t{c} كلمة {split}\n" for c in "abcd"), encoding="utf-8")
        corpora[split] = CorpusConfig(path=str(file), split=split)  # type: ignore[arg-type]
    cleaning = CleaningConfig(min_script_share=None, max_copied_share=None)
    data, _ = build_data(DataConfig(corpora=corpora, similarity=1.0, cleaning=cleaning), tmp_path)
    assert {split: set(data[split]["corpus"]) for split in data} == {s: {s} for s in ("train", "dev", "test")}
    assert all(len(data[split]) == 4 for split in data)


def test_too_many_targets_and_neighbours(tmp_path: Path):
    file = tmp_path / "news.tsv"
    targets = ["قف", "توقف", "قفي", "قفوا"]
    alike = [SENTENCE.format(side) + "\t" + ARABIC.format(side) for side in ("northern", "southern", "western")]
    file.write_text("\n".join([*(f"Stop!\t{t}" for t in targets), *alike]), encoding="utf-8")
    cleaning = CleaningConfig(max_targets_per_source=3, near_duplicates="neighbours")
    options = config(file, dev_share=0.0, test_share=0.0, cleaning=cleaning)
    data, report = build_data(options, tmp_path)
    assert dict(report.corpora["news"].dropped) == {"too many targets": 1, "near duplicate": 2}
    assert list(data["train"]["target"])[:3] == targets[:3]


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path):
    file = tmp_path / "news.tsv"
    rng = np.random.default_rng(0)
    words = [f"w{''.join(chr(97 + int(d)) for d in str(i))}" for i in range(500)]
    rows = rng.integers(0, 500, (6000, 9)).tolist()
    lines = [" ".join(words[i] for i in row) + "\t" + "كلمة " * 4 + words[row[0]] for row in rows]
    file.write_text("\n".join(lines), encoding="utf-8")
    contents = []
    for workers in (1, 3):
        directory = tmp_path / str(workers)
        directory.mkdir()
        build_data(config(file, workers=workers), directory)
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        contents.append([(path.relative_to(directory), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]
    assert {str(path) for path, _ in contents[0]} >= {"rejected.tsv", "data/train/data-00000-of-00001.arrow"}


@pytest.mark.slow
def test_a_full_disk_is_one_sentence(tmp_path: Path):
    file, cache = tmp_path / "news.tsv", tmp_path / "cache"
    words = [chr(97 + i // 676) + chr(97 + i // 26 % 26) + chr(97 + i % 26) for i in range(3000)]
    lines = [f"Sentence {word} {word[::-1]}x\tجملة طويلة واحدة {word}\n" for word in words]
    file.write_text("".join(lines), encoding="utf-8")
    options = config(file, cache_dir=str(cache), workers=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Files may grow to 100 kB and no further, as on a disk that is full.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cache.*: the build cannot be written \(.*\); what is finished is kept"):
            cached_build(options, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    finished = cached_build(options, {})
    assert (finished / "data" / "dataset_dict.json").is_file()
    assert list(cache.iterdir()) == [finished]


@pytest.mark.slow
def test_a_second_build_is_taken_from_the_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "news.tsv"
    file.write_text("".join(f"Word {c}.\tكلمة {c}\n" for c in "abcdefgh"), encoding="utf-8")
    options = config(file, cache_dir=str(tmp_path / "cache"))
    other = tmp_path / "other.tsv"
    other.write_text("A sentence.\tجملة.\n", encoding="utf-8")
    first = cached_build(options, {})
    stamp = (first / "data_report.json").stat().st_mtime_ns
    with caplog.at_level("INFO"):
        assert cached_build(options, {}) == first
    assert "built before" in caplog.text
    assert (first / "data_report.json").stat().st_mtime_ns == stamp
    assert DataReport.read(first / "data_report.json").corpora["news"].read == 8
    # Another input, rule or test set is another build.
    others = {
        cached_build(replace(options, similarity=0.9), {}),
        cached_build(options, {"t": CorpusConfig(path=str(other))}),
    }
    file.write_text(file.read_text(encoding="utf-8") + "More.\tالمزيد\n", encoding="utf-8")
    others.add(cached_build(options, {}))
    assert len({first, *others}) == 4


def test_a_damaged_build_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "news.tsv"
    file.write_text("".join(f"Word {c}.\tكلمة {c}\n" for c in "abcdefgh"), encoding="utf-8")
    options = config(file, cache_dir=str(tmp_path / "cache"))
    built = cached_build(options, {})
    good = {path: path.read_bytes() for path in built.rglob("*") if path.is_file()}
    train, test = (next((built / "data" / split).glob("*.arrow")) for split in ("train", "test"))
    for damage in (
        lambda: test.write_bytes(train.read_bytes()),
        lambda: os.truncate(train, 100),
        lambda: (built / "rejected.tsv").unlink(),
        lambda: (built / "checksums.json").write_text("{}"),
    ):
        damage()
        assert cached_build(options, {}) == built
        assert {path: path.read_bytes() for path in built.rglob("*") if path.is_file()} == good
    assert caplog.text.count("the kept build is damaged") == 4


def test_a_builds_key_holds_all_code_that_it_runs():
    names = {path.relative_to(ROOT / "mt").as_posix() for path in code_files()}
    assert {"data/builder.py", "data/formats/xml.py", "data/cleaning.py", "config/data.py"} <= names
    assert {"text/normalise.py", "text/numbers/__init__.py"} <= names
    assert {"text/glossary.py", "data/fingerprints.py"} <= names
    assert not {"experiment/run.py", "training/trainer.py", "report/comparison_report.py", "cli.py"} & names


@pytest.mark.slow
def test_an_interrupted_build_is_not_taken_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, cache = tmp_path / "news.tsv", tmp_path / "cache"
    file.write_text("".join(f"Word {c}.\tكلمة {c}\n" for c in "abcdefgh"), encoding="utf-8")
    options = config(file, cache_dir=str(cache))
    # A fork a stage, so that they import once.
    script = f"""
import os
from pathlib import Path
import mt.data.builder as builder
from mt.config import CorpusConfig, DataConfig
from mt.data.cache import cached_build

def build(stage):
    if stage == "rename":
        Path.rename = lambda *_: os._exit(9)
    else:
        setattr(builder._Build if stage in ("write", "describe") else builder, stage, lambda *_: os._exit(9))
    cached_build(DataConfig(corpora={{"news": CorpusConfig(path={str(file)!r})}}, cache_dir={str(cache)!r}), {{}})

for stage in ("select_pairs", "write", "describe", "save_splits", "rename"):
    child = os.fork()
    if not child:
        try:
            build(stage)
        finally:
            os._exit(1)
    print(stage, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ends = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert ends == "select_pairs 9\nwrite 9\ndescribe 9\nsave_splits 9\nrename 9\n"
    assert all(path.name.startswith(UNFINISHED) for path in cache.iterdir())
    built = cached_build(options, {})
    assert list(cache.iterdir()) == [built]
    clean = cached_build(replace(options, cache_dir=str(tmp_path / "other")), {})
    for path in sorted(clean.rglob("*.*")):
        if path.is_file():
            assert (built / path.relative_to(clean)).read_bytes() == path.read_bytes()


def test_strict_stops_at_the_first_reject(tmp_path: Path):
    file = tmp_path / "news.tsv"
    lines = [*(f"Word {c}.\tكلمة {c}" for c in "abcdefgh"), "They killed 12.\tقتلوا 21.", "Word a.\tكلمة a"]
    file.write_text("\n".join(lines), encoding="utf-8")
    options = config(file, cache_dir=str(tmp_path / "cache"), strict=True)
    message = r"news\.tsv:9: numbers \(12 against 21\); in total, 2 pairs are not used \(1 numbers, 1 exact duplicate\)"
    with pytest.raises(DataError, match=message):
        cached_build(options, {})
    file.write_text("\n".join(lines[:8]), encoding="utf-8")
    assert cached_build(options, {}).is_dir()


TERMS = "english\tarabic\tkind\nRaqqa | al-Raqqa | Raqqah\tالرقة\tplace\n"


def test_a_glossary_is_all_for_training(tmp_path: Path):
    (tmp_path / "terms.tsv").write_text(TERMS, encoding="utf-8")
    words = [f"Word {c}{d}.\tكلمة {c}{d}\n" for c in "abcdefghijkl" for d in "mnopq"]
    (tmp_path / "news.tsv").write_text("".join(words), encoding="utf-8")
    corpora = {
        "news": CorpusConfig(path=str(tmp_path / "news.tsv")),
        "terms": CorpusConfig(path=str(tmp_path / "terms.tsv"), format="glossary", clean=False),
    }
    data, report = build_data(DataConfig(corpora=corpora, dev_share=0.3, test_share=0.3), tmp_path)
    assert dict(report.corpora["terms"].kept) == {"train": 3, "dev": 0, "test": 0}
    assert {pair["source"] for pair in data["train"] if pair["corpus"] == "terms"} == {"Raqqa", "al-Raqqa", "Raqqah"}


def test_a_glossary_is_no_test(tmp_path: Path):
    (tmp_path / "terms.tsv").write_text(TERMS, encoding="utf-8")
    terms = CorpusConfig(path=str(tmp_path / "terms.tsv"), format="glossary")
    message = r"split of a glossary must be train, because terms are no test sentences, got 'test'"
    with pytest.raises(ConfigError, match=message):
        replace(terms, split="test")
    with pytest.raises(ConfigError, match=r"the test set `words` must hold sentences, not terms, got 'glossary'"):
        Config(evaluation=EvaluationConfig(test_sets={"words": terms}))
    with pytest.raises(DataError, match=r"terms\.tsv:1: a table of terms.*set the corpus's `format` to glossary"):
        build_data(config(tmp_path / "terms.tsv"), tmp_path)


@pytest.mark.parametrize(("clean", "kept"), [(True, 1), (False, 3)])
def test_duplicates_stay_where_cleaning_is_off(clean: bool, kept: int, tmp_path: Path):
    (tmp_path / "same.tsv").write_text("A war.\tحرب.\nA war!\tحرب.\nA war.\tحرب.\n", encoding="utf-8")
    corpora = {"same": CorpusConfig(path=str(tmp_path / "same.tsv"), clean=clean, split="train")}
    data, _ = build_data(DataConfig(corpora=corpora, dev_share=0, test_share=0), tmp_path)
    assert len(data["train"]) == kept
