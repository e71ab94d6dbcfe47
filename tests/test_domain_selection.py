"""Selection: the training pairs of a general corpus that are most like the domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt.commands.data import parse_data
from mt.config import CorpusConfig, DataConfig, SelectConfig
from mt.data import domain_likeness, selection_size
from mt.data.builder import build_data
from mt.data.cache import cached_build
from mt.data.domain_likeness import CrossEntropyDifference
from mt.data.domain_selection import in_order
from mt.data.fingerprints import fingerprint
from mt.data.language_model import BigramModel, Tokens, Vocabulary
from mt.data.pair import Pair
from mt.data.report import DataReport
from mt.data.selection_size import Size, best_size, perplexities, sizes_to_try
from mt.data.store import PairStore
from mt.errors import ConfigError, DataError
from mt.languages import ENGLISH_TO_ARABIC
from mt.report.data_card import as_markdown, card_view, summary
from mt.report.data_page import render_data_card
from tests.conftest import ROOT

PLACES = ["aleppo", "homs", "raqqa", "idlib", "hama", "daraa", "palmyra", "latakia"]
ARABIC_PLACES = ["حلب", "حمص", "الرقة", "إدلب", "حماة", "درعا", "تدمر", "اللاذقية"]
THINGS = ["bread", "milk", "tea", "rice", "fish", "salt", "honey", "fruit"]
ARABIC_THINGS = ["خبز", "حليب", "شاي", "أرز", "سمك", "ملح", "عسل", "فاكهة"]
LETTERS = list(zip("abcdefgh", "ابتثجحخد", strict=True))


def domain_pairs() -> list[tuple[str, str]]:
    """64 sentences about shelling, each with a place and a letter of its own."""
    return [
        (
            f"Shells hit the town {place} near camp {letter}",
            f"سقطت قذائف على بلدة {arabic} قرب مخيم {other}",
        )
        for place, arabic in zip(PLACES, ARABIC_PLACES, strict=True)
        for letter, other in LETTERS
    ]


def kitchen_pairs() -> list[tuple[str, str]]:
    """64 sentences about food."""
    return [
        (
            f"I would like some more {thing} with soup {letter} please",
            f"أود مزيدا من ال{arabic} مع حساء {other} من فضلك",
        )
        for thing, arabic in zip(THINGS, ARABIC_THINGS, strict=True)
        for letter, other in LETTERS
    ]


ALIKE = [
    ("Yesterday shells hit the camp at night again", "أمس سقطت قذائف على مخيم ليلا مجددا"),
    ("Shells fell near the town in the dark morning", "سقطت القذائف قرب بلدة في الصباح الباكر"),
    ("They hit the town near the old river bridge", "على بلدة قرب جسر النهر القديم سقطت"),
]


def write(path: Path, pairs: Iterable[tuple[str, str]]) -> str:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return str(path)


def config(
    tmp_path: Path,
    general: list[tuple[str, str]],
    select: SelectConfig | None,
    test: Sequence[tuple[str, str]] = (),
    **more: Any,
) -> DataConfig:
    corpora = {
        "domain": CorpusConfig(path=write(tmp_path / "domain.tsv", domain_pairs()), split="train"),
        "general": CorpusConfig(path=write(tmp_path / "general.tsv", general), split="train", select=select),
    }
    if test:
        corpora["held"] = CorpusConfig(path=write(tmp_path / "held.tsv", test), split="test", clean=False)
    # One pair of these in train would make the others of the same template leak.
    options = {"dev_share": 0.0, "test_share": 0.0, "blocks": "off", "similarity": 0.9, "workers": 1}
    return DataConfig(corpora=corpora, **(options | more))  # type: ignore[arg-type]


def build(tmp_path: Path, *arguments: Any, **more: Any) -> tuple[list[str], DataReport]:
    """(the sources taken from the general corpus, the report)."""
    work = tmp_path / "build"
    work.mkdir(exist_ok=True)
    data, report = build_data(config(tmp_path, *arguments, **more), work)
    train = data["train"]
    return [pair["source"] for pair in train if pair["corpus"] == "general"], report


def store_of(tmp_path: Path, pairs: list[tuple[str, str]]) -> PairStore:
    store = PairStore(tmp_path)
    prints = fingerprint(*zip(*pairs, strict=True), "key")  # type: ignore[arg-type]
    store.begin().append([Pair(*pair) for pair in pairs], prints, len(pairs))
    store.finish()
    return store


def test_bigram_model_by_hand(tmp_path: Path):
    with store_of(tmp_path, [("a b", "x"), ("a b", "x"), ("c", "x"), ("a b", "x"), ("a d", "x")]) as store:
        side = store.side("source")
        text = side.words_at(np.arange(3))
        vocabulary = Vocabulary(text.hashes)
        # a, b, c, any other word, and the border.
        assert vocabulary.size == 5
        model = BigramModel(vocabulary.encode(text), vocabulary)
        asked = vocabulary.encode(side.words_at(np.array([3, 4])))
        # Of 8 tokens a and b are two each, c one, the border three; 0.75 * 4 / 8 / 5 = 0.075 goes to each.
        # p(a) = p(b) = 1.25 / 8 + 0.075 = 0.23125, p(border) = 2.25 / 8 + 0.075 = 0.35625.
        # p(a | border) = 1.25 / 3 + 0.75 * 2 / 3 * 0.23125, p(b | a) = 1.25 / 2 + 0.75 / 2 * 0.23125,
        # p(border | b) = 1.25 / 2 + 0.75 / 2 * 0.35625; d is unknown: p(d | a) = 0.75 / 2 * 0.075, and nothing was seen
        # after it: p(border | d) = p(border).
        by_hand = [0.5322917, 0.7117188, 0.7585938, 0.5322917, 0.028125, 0.35625]
        assert 2 ** -model.bits(asked) == pytest.approx(by_hand, rel=1e-6)
        assert model.cross_entropy(asked) == pytest.approx([0.5996442, 2.5169174], rel=1e-6)


def test_probabilities_sum_to_one(tmp_path: Path):
    texts = ["a b", "a b", "c", "b a c a"]
    with store_of(tmp_path, [(text, "x") for text in texts]) as store:
        text = store.side("source").words_at(np.arange(4))
        vocabulary = Vocabulary(text.hashes)
        model = BigramModel(vocabulary.encode(text), vocabulary)
        every = np.arange(vocabulary.size)
        for before in every:
            tokens = Tokens(every, np.full(len(every), before), np.array([len(every)]))
            assert (2 ** -model.bits(tokens)).sum() == pytest.approx(1, abs=1e-12)


def test_cross_entropy_difference_by_hand(tmp_path: Path):
    pairs = [("a b", "x"), ("c d", "y"), ("c d", "y")]
    with store_of(tmp_path, pairs) as store:
        likeness = CrossEntropyDifference(store, np.array([0]), np.array([1, 2]), store.column("pairs", np.uint64))
        # Source, of the domain's model: each of 3 tokens once, p = 0.25 / 3 + 0.75 / 6 = 0.208333 for a, b and the
        # border and 0.125 for others; each after the one before it 0.25 + 0.75 * 0.208333 = 0.40625, or 1.299560 bits.
        # Of the general model: 0.75 * 0.125, then 0.125 (nothing was seen after a), then 0.208333: 2.892688 bits.
        # Target, in the same way: 0.484375 twice, 1.045803 bits; 0.140625 and 0.3125, 2.254073 bits.
        # 1.299560 - 2.892688 + 1.045803 - 2.254073 = -2.80140, and the other way round for the general pairs.
        assert likeness.scores(np.arange(3)) == pytest.approx([-2.80140, 2.80140, 2.80140], abs=1e-5)


def test_a_pair_is_not_compared_with_a_model_that_has_seen_it(tmp_path: Path):
    pairs = [("a b", "x"), ("c d", "y"), ("e f", "z")]
    with store_of(tmp_path, pairs) as store:
        likeness = CrossEntropyDifference(store, np.array([0]), np.array([1, 2]), store.column("pairs", np.uint64))
        # One of the two trained one model, the other the other: neither finds its own sentence there.
        first, second = likeness.scores(np.array([1, 2]))
        assert first == pytest.approx(second, abs=1e-6)
        assert abs(first) < 0.5


def test_most_alike_first_and_ties_by_content():
    scores = np.array([0.5, -1.0, 0.5, 0.5], np.float32)
    keys = np.array([7, 8, 9, 10], np.uint64)
    order = in_order(scores, keys)
    assert order[0] == 1
    # The same pairs in another order of the file: the same order of contents.
    shuffled = np.array([3, 0, 2, 1])
    assert keys[shuffled][in_order(scores[shuffled], keys[shuffled])].tolist() == keys[order].tolist()


def test_scores_depend_on_neither_windows_nor_threads(tmp_path: Path, monkeypatch):
    pairs = domain_pairs() + kitchen_pairs() + ALIKE
    with store_of(tmp_path, pairs) as store:
        general = np.arange(64, len(pairs))
        likeness = CrossEntropyDifference(store, np.arange(64), general, store.column("pairs", np.uint64))
        found = []
        for window, cores in ((20_000, 1), (20_000, 4), (7, 1), (7, 4), (1, 3)):
            monkeypatch.setattr(domain_likeness, "WINDOW_PAIRS", window)
            monkeypatch.setattr(domain_likeness, "usable_cores", lambda cores=cores: cores)
            found.append(likeness.scores(general).tolist())
        assert found == [found[0]] * 5
        assert {*np.argsort(found[0])[:3].tolist()} == {64, 65, 66}


def test_the_pairs_most_like_the_domain_are_taken(tmp_path: Path):
    general = kitchen_pairs() + ALIKE
    taken, report = build(tmp_path, general, SelectConfig(pairs=3))
    assert {*taken} == {source for source, _ in ALIKE}
    found = report.corpora["general"]
    assert found.kept["train"] == 3
    assert found.selected is not None
    assert (found.selected.candidates, found.selected.taken, found.selected.left) == (67, 3, 64)
    assert found.epoch_pairs == 3.0
    # Nothing is wrong with what was left: it is no rejected pair.
    assert not found.dropped
    assert len((tmp_path / "build" / "rejected.tsv").read_text(encoding="utf-8").splitlines()) == 1
    assert "not selected: 64" in summary(report)


def test_the_same_is_taken_whatever_the_workers_and_the_order(tmp_path: Path):
    general = kitchen_pairs() + ALIKE
    taken, report = build(tmp_path, general, SelectConfig(pairs=20))
    for lines, workers in ((general, 2), (general[::-1], 1)):
        again, other = build(tmp_path, lines, SelectConfig(pairs=20), workers=workers)
        assert sorted(again) == sorted(taken)
        assert other.corpora["general"].selected.threshold == report.corpora["general"].selected.threshold  # type: ignore[union-attr]


def test_what_is_like_a_test_sentence_is_never_taken(tmp_path: Path):
    test = [("The market of the old harbour was hit by shells", "تعرض سوق المرفأ القديم لقذائف")]
    copied = ("the market of the OLD harbour was hit by shells!", "تعرض سوق المرفأ القديم لقذائف!")
    general = [*kitchen_pairs(), *ALIKE, copied]
    taken, report = build(tmp_path, general, SelectConfig(pairs=4))
    assert copied[0] in taken
    taken, report = build(tmp_path, general, SelectConfig(pairs=4), test)
    assert copied[0] not in taken
    assert len(taken) == 4
    assert dict(report.corpora["general"].dropped) == {"like a held-out pair": 1}


def test_the_domain_is_learnt_from_training_pairs_only(tmp_path: Path):
    thresholds, sources = [], []
    for test in ([], [("Some more tea with soup", "مزيد من الشاي مع حساء")], [("Nothing at all", "لا شيء البتة")]):
        taken, report = build(tmp_path, kitchen_pairs() + ALIKE, SelectConfig(pairs=10), test)
        thresholds.append(report.corpora["general"].selected.threshold)  # type: ignore[union-attr]
        sources.append(taken)
    assert thresholds == [thresholds[0]] * 3
    assert sources == [sources[0]] * 3


def test_more_than_there_are(tmp_path: Path, caplog):
    taken, _ = build(tmp_path, ALIKE, SelectConfig(pairs=4))
    assert len(taken) == 3
    assert (
        "data.corpora.general.select.pairs is 4, but only 3 training pairs can be taken: taking all of them"
        in caplog.text
    )


def test_a_corpus_of_one_pair_is_taken(tmp_path: Path):
    taken, report = build(tmp_path, ALIKE[:1], SelectConfig(pairs=1))
    assert len(taken) == 1
    assert "took 1 of 1 training pairs" in as_markdown(report)


def test_sizes_to_try():
    assert sizes_to_try(99) == [99]
    assert sizes_to_try(850) == [106, 212, 425, 850]
    assert len(sizes_to_try(10**9)) == 14


def test_perplexity_by_hand(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(selection_size, "_BORROWED", (1.0,))
    monkeypatch.setattr(selection_size, "sizes_to_try", lambda candidates: [1, 2])
    # Dev, then a pair like it, then another one; `q` of dev is in no vocabulary and not predicted.
    with store_of(tmp_path, [("a b", "a b"), ("a b", "a b"), ("b", "b"), ("a b q", "a b")]) as store:
        found = perplexities(store, np.array([2, 1]), np.array([1, 0]), np.array([0]), np.array([0]))
        # One pair: 3 tokens; a, b, any other and the border: p(a) = (1 + 1/4) / 4, p(a | border) = (1 + 0.3125) / 2,
        # and so for all three: 1 / 0.65625. Two: p(a) = 1.25 / 6, p(b) = p(border) = 2.25 / 6 = 0.375;
        # p(a | border) = (1 + 0.208333) / 3, p(b | a) = (1 + 0.375) / 2, p(border | b) = (2 + 0.375) / 3:
        # (0.402778 * 0.6875 * 0.791667) ** (-1/3) = 1.6592.
        assert found == [Size(1, 1.52), Size(2, 1.66)]
        assert best_size(found) == 1
        with_unknown = perplexities(store, np.array([2, 1]), np.array([1, 0]), np.array([3]), np.array([0]))
        # Without `q` the border comes after an unseen word: p(border) = 1.25 / 4, then (0 + 0.3125) / (0 + 1).
        assert with_unknown[0].perplexity == round((0.65625**5 * 0.3125) ** (-1 / 6), 2)


def test_the_number_is_chosen_on_dev(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(selection_size, "_FEWEST_PAIRS", 4)
    options = config(tmp_path, kitchen_pairs() + ALIKE, SelectConfig())
    with pytest.raises(DataError, match=r"general\.select\.pairs is auto, but domain has no dev pairs"):
        build_data(options, tmp_path)
    dev = write(tmp_path / "dev.tsv", [("Shells hit the old bridge near Homs", "سقطت قذائف على الجسر القديم قرب حمص")])
    options = replace(options, corpora={**options.corpora, "dev": CorpusConfig(path=dev, split="dev")})
    _, report = build_data(options, tmp_path)
    selected = report.corpora["general"].selected
    assert selected is not None
    assert [size.pairs for size in selected.sizes] == [4, 8, 16, 33, 67]
    assert selected.taken == best_size(selected.sizes)
    assert selected.dev_share > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": 0}, r"select\.pairs must be auto or at least 1, got 0"),
        ({"like": ["nwes"]}, r"data\.corpora\.general\.select\.like must name corpora of data\.corpora, got 'nwes'"),
        (
            {"like": ["general"]},
            r"select\.like must name other corpora than the one that is selected from, got 'general'",
        ),
        ({"like": ["held"]}, r"select\.like must name corpora with training pairs, got 'held'"),
    ],
)
def test_mistakes_in_a_select(tmp_path: Path, change: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, ALIKE, SelectConfig(**change), ALIKE[:1])


def test_what_is_typed_wrong_is_named():
    typed = ["--data.corpora.general.path", "g.tsv", "--data.corpora.general.select.pairs", "few"]
    with pytest.raises(ConfigError, match=r"data\.corpora: select: expected one of \['auto'\] or int .*, got 'few'"):
        parse_data([str(ROOT / "configs" / "demo.yaml"), *typed], "mt data")


def test_every_corpus_selects(tmp_path: Path):
    one = CorpusConfig(path="a.tsv", select=SelectConfig())
    with pytest.raises(ConfigError, match=r"data\.corpora\.one\.select must leave a corpus to resemble"):
        DataConfig(corpora={"one": one, "other": one})
    named = CorpusConfig(path="a.tsv", select=SelectConfig(like=["other"]))
    with pytest.raises(
        ConfigError, match=r"one\.select\.like must name corpora that select nothing themselves, got 'other'"
    ):
        DataConfig(corpora={"one": named, "other": one, "third": CorpusConfig(path="b.tsv")})


@pytest.mark.parametrize("options", [{"format": "glossary"}, {"split": "test"}])
def test_a_corpus_that_nothing_can_be_selected_from(options: dict[str, Any]):
    general = CorpusConfig(path="a.tsv", select=SelectConfig(), **options)
    with pytest.raises(ConfigError, match=r"data\.corpora\.general\.select must be left out"):
        DataConfig(corpora={"general": general, "news": CorpusConfig(path="b.tsv")})


def test_card(tmp_path: Path):
    _, report = build(tmp_path, kitchen_pairs() + ALIKE, SelectConfig(pairs=3))
    report = DataReport.from_json(report.as_json())
    card = as_markdown(report)
    assert "| general | 67 | 64 not selected | 3 | 0 | 0 | 3 |" in card
    assert "The selection took 3 of 67 training pairs, those most like domain by cross entropy: scores up to " in card
    after = card.partition("most like the domain:")[2].partition("Left, ")
    assert all(source in after[0] for source, _ in ALIKE)
    assert "soup" in after[2]
    # 8 of the 24 words taken are `the` and `shells`, as in a few of the 600 words of the corpus.
    words = report.corpora["general"].selected.words["source"]  # type: ignore[union-attr]
    assert {"the", "shells"} <= {word.word for word in words}
    assert all(word.after > word.before for word in words)
    page = render_data_card("Data", card_view(report))
    assert "and 64 not selected" in page
    assert "Scores of pairs of general" in page
    assert "Words of the source whose share rose most" in page
    without = as_markdown(report, ENGLISH_TO_ARABIC, with_sentences=False)
    assert "shells" not in without.casefold()


def test_another_selection_is_another_build(tmp_path: Path):
    general = kitchen_pairs() + ALIKE
    builds = [
        cached_build(config(tmp_path, general, select, cache_dir=str(tmp_path / "cache")), {})
        for select in (None, SelectConfig(pairs=3), SelectConfig(pairs=4), SelectConfig(pairs=3))
    ]
    assert len({*builds[:3]}) == 3
    assert builds[3] == builds[1]
