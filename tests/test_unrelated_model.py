"""The rule `unrelated` by a model: what it is asked, what it is worth, and what is said of one that cannot judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt.config import CleaningConfig, Config, CorpusConfig, DataConfig, ModelConfig, ScratchConfig
from mt.data import cache
from mt.data.builder import build_data
from mt.data.cache import cached_build
from mt.data.collecting import Collection
from mt.data.engines.local import Local
from mt.data.model_margins import ModelMargins, choose
from mt.data.store import PairStore
from mt.errors import ConfigError, ModelError
from mt.languages import ENGLISH_TO_ARABIC
from mt.models.pair_scoring import ModelScorer, scorer_of
from tests.conftest import news_pairs
from tests.helpers import run
from tests.test_unrelated import built, corpus_file, planted

BY_MODEL = CleaningConfig(unrelated="model")


class Judge:
    """Finds a target likely after a source with the same number at its end: log-probability -1, otherwise -5.

    spread: how far strangers may be from that, in either direction. patience: calls until it is interrupted.
    """

    name = "judge"

    def __init__(self, version: int = 1, spread: int = 0, patience: int = 1000) -> None:
        self.spread, self.patience = spread, patience
        self.identity: Mapping[str, Any] = {"version": version}
        self.asked: list[tuple[str, str]] = []
        self.is_loaded = False

    @contextmanager
    def loaded(self) -> Iterator[None]:
        self.is_loaded = True
        yield
        self.is_loaded = False

    def mean_log_probabilities(self, sources: Sequence[str], targets: Sequence[str]) -> list[float]:
        assert self.is_loaded
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt
        pairs = list(zip(sources, targets, strict=True))
        self.asked += pairs
        numbers = [[int(side.split()[-1]) for side in pair] for pair in pairs]
        return [-1.0 if one == other else one % (2 * self.spread + 1) - 5.0 - self.spread for one, other in numbers]


def numbered(tmp_path: Path, count: int, wrong: Sequence[int] = ()) -> CorpusConfig:
    """Pairs with a number at their end, the same on both sides but in the places `wrong`."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [letters[i // 676] + letters[i // 26 % 26] + letters[i % 26] for i in range(count)]
    sources = [f"{word} {word}y {word}z went {i}" for i, word in enumerate(words)]
    targets = [f"كلمة أخرى في هذا السطر {i + 1 if i in wrong else i}" for i in range(count)]
    return corpus_file(tmp_path / "news.tsv", sources, targets)


def test_a_target_is_compared_after_its_own_source_and_after_four_others(tmp_path: Path):
    config = DataConfig(corpora={"news": numbered(tmp_path, 40)}, workers=1)
    judge = Judge()
    with PairStore(tmp_path) as store, judge.loaded():
        Collection(config, {}, ENGLISH_TO_ARABIC).store_in(store, Local(1))
        margins = ModelMargins(store, [], judge).of(np.arange(40))
    assert margins.own.tolist() == [4.0] * 40
    assert margins.strangers.tolist() == [0.0] * 40
    assert margins.words.tolist() == [6.0] * 40
    assert len(judge.asked) == 40 * 5
    assert len(set(judge.asked)) == 40 * 5


def test_windows_read_the_store_once_and_in_order(tmp_path: Path):
    # Three windows over two chunks, and not all of the pairs.
    config = DataConfig(corpora={"news": numbered(tmp_path, 2300)}, workers=1)
    judge = Judge()
    with PairStore(tmp_path) as store, judge.loaded():
        Collection(config, {}, ENGLISH_TO_ARABIC).store_in(store, Local(1))
        some = np.arange(1500, 2300, 2)
        margins = ModelMargins(store, [], judge).of(some)
    assert margins.own.tolist() == [4.0] * len(some)


def test_strangers_are_chosen_in_order_of_length_and_a_pair_without_any_is_its_own():
    near = np.array([[0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 4, 5]])
    is_stranger = np.array([[False, True, True, False, True, True], [True, False, False, True, False, False]])
    assert choose(near, is_stranger).tolist() == [[1, 2, 4, 5], [0, 3, 1, 1]]
    assert choose(np.array([[0, 1], [1, 0]]), ~np.eye(2, dtype=bool)).tolist() == [[0] * 4, [1] * 4]


def test_wrong_pairs_are_dropped_and_the_model_is_gone_afterwards(tmp_path: Path):
    judge, wrong = Judge(spread=2), {20, 77, 150}
    config = DataConfig(
        corpora={
            "news": numbered(tmp_path, 200, sorted(wrong)),
            "more": _more(tmp_path),
        },
        cleaning=replace(BY_MODEL, numbers="none"),
        workers=1,
    )
    _, report = build_data(config, tmp_path, scorer=judge)
    assert report.corpora["news"].dropped["unrelated"] == 3
    assert [pair.origin for pair in report.corpora["news"].examples["unrelated"]] == [
        f"{tmp_path / 'news.tsv'}:{place + 2}" for place in sorted(wrong)
    ]
    assert not judge.is_loaded


def test_an_interrupted_build_does_not_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.data.unrelated._PIECE_PAIRS", 100)
    corpora = {"news": replace(numbered(tmp_path, 300), split="train"), "more": _more(tmp_path)}
    config = DataConfig(corpora=corpora, cleaning=BY_MODEL, workers=1)
    (tmp_path / "work").mkdir()
    whole, first, second = Judge(spread=2), Judge(spread=2, patience=12), Judge(spread=2)
    _, expected = build_data(config, tmp_path, scorer=whole)
    with pytest.raises(KeyboardInterrupt):
        build_data(config, tmp_path, work=tmp_path / "work", scorer=first)
    _, report = build_data(config, tmp_path, work=tmp_path / "work", scorer=second)
    # A look at 150 pairs, then three pieces of 100, of which the first is not asked about again.
    asked = [len(judge.asked) // 5 for judge in (whole, second)]
    assert asked == [150 + 300, 150 + 200]
    assert report.as_json() == expected.as_json()


def _more(tmp_path: Path) -> CorpusConfig:
    """A few other sentences, for dev and test, about which nobody is asked."""
    lines = [f"Sentence {letter} of several words.\tجملة {letter}\n" for letter in "abcdefghijklmnopqrst"]
    (tmp_path / "more.tsv").write_text("".join(lines), encoding="utf-8")
    return CorpusConfig(path=str(tmp_path / "more.tsv"), clean=False)


def test_which_model_judged_is_part_of_the_key(tmp_path: Path):
    corpora = {"news": numbered(tmp_path, 20)}
    by_model, off = DataConfig(corpora=corpora, cleaning=BY_MODEL), DataConfig(corpora=corpora)
    keys = [cache._key(by_model, {}, ENGLISH_TO_ARABIC, Judge(version)) for version in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]
    assert len({cache._key(off, {}, ENGLISH_TO_ARABIC, judge) for judge in (Judge(1), Judge(2), None)}) == 1
    with pytest.raises(ValueError, match="no model to judge with was given"):
        cached_build(replace(by_model, cache_dir=str(tmp_path)), {})


def test_the_bundled_model_tells_pairs_from_strangers(tmp_path: Path):
    sources, targets = (side[:150] for side in news_pairs())
    moved, wrong = planted(targets)
    config = Config(data=DataConfig(cleaning=BY_MODEL), model=ModelConfig(name="tiny-en-ar"))
    scorer = scorer_of(config)
    assert isinstance(scorer, ModelScorer)
    report, dropped = built(
        tmp_path, {"news": corpus_file(tmp_path / "n.tsv", sources, moved)}, BY_MODEL, scorer=scorer
    )
    assert len(dropped & wrong) >= 0.6 * len(wrong)
    assert len(dropped - wrong) <= 3
    account = report.corpora["news"].unrelated
    assert account is not None
    assert account.in_words().startswith("Whether two sentences belong together was judged by the base model for ")


def test_an_untrained_model_is_refused_in_one_sentence(tmp_path: Path, marian_directory: Path):
    sources, targets = news_pairs()
    scorer = ModelScorer(ModelConfig(name=str(marian_directory)))
    match = r"marian\S*: finds the translation likelier .* in only \d+% of \d+ pairs, .*: name a model that knows both"
    with pytest.raises(ModelError, match=match):
        built(tmp_path, {"news": corpus_file(tmp_path / "n.tsv", sources, targets)}, BY_MODEL, scorer=scorer)


def test_a_model_that_is_not_there_or_has_no_such_language_is_refused_before_anything_is_read(
    tmp_path: Path,
    few_news: Path,
    nllb_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    file = tmp_path / "small.yaml"
    file.write_text(f"data: {{corpora: {{news: {few_news}}}, cache_dir: {tmp_path}}}\n", encoding="utf-8")
    options = (str(file), "--data.cleaning.unrelated", "model", "--output_dir", str(tmp_path / "out"))

    def never(*_: object) -> None:
        raise AssertionError("read before the model was loaded")

    monkeypatch.setattr("mt.data.builder.Collection.store_in", never)
    assert run(monkeypatch, "mt", "data", *options, "--model.name", "./nowhere") == 1
    assert "./nowhere: no such model directory" in capsys.readouterr().err
    french = (
        "--model.name",
        str(nllb_directory),
        "--model.target_language",
        "arb_Arab",
        "--model.source_language",
        "xx",
    )
    assert run(monkeypatch, "mt", "data", *options, *french) == 1
    assert "xx" in capsys.readouterr().err


def test_a_new_model_cannot_judge():
    with pytest.raises(ConfigError, match=r"data\.cleaning\.unrelated must be alignment or none with model\.scratch"):
        Config(data=DataConfig(cleaning=BY_MODEL), model=ModelConfig(scratch=ScratchConfig()))
    assert scorer_of(Config()) is None
