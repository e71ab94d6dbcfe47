"""Slices hold the sentences they say; n-gram differences are counted by hand."""

import pytest

from mt.evaluation.metrics import collect_statistics
from mt.evaluation.ngrams import NgramDifference, ngram_differences
from mt.evaluation.slices import count_words, score_slices, slices_of
from mt.text.glossary import Glossary, Term

GLOSSARY = Glossary([Term(("Raqqa",), ("الرقة",), "place"), Term(("Hamas",), ("حماس",), "armed_group")])
SOURCES = [
    "Troops of the SDF left Raqqa.",
    "Raqqa fell.",
    "Hamas left.",
    "Five men of the group fled towards the river at dawn, and nobody has seen them since.",
    "It fell.",
] * 5


def members(group: str, name: str, word_counts: dict[str, int] | None = None, corpora: list[str] | None = None):
    found = slices_of(SOURCES, corpora or [], GLOSSARY, word_counts)
    return next((each.rows for each in found if (each.group, each.name) == (group, name)), None)


def test_members():
    assert members("place names", "with a place") == (0, 1, 5, 6, 10, 11, 15, 16, 20, 21)
    assert members("numbers", "with a number") == (3, 8, 13, 18, 23)
    assert members("acronyms", "with an acronym") == (0, 5, 10, 15, 20)
    assert members("length", "11 to 20 words") == (3, 8, 13, 18, 23)
    assert len(members("length", "1 to 10 words")) == 20
    assert members("length", "21 to 30 words") is None
    assert members("corpus", "desk") is None
    assert members("corpus", "desk", corpora=["desk", "wire"] * 12 + ["wire"])[:2] == (0, 2)


def test_rare_words():
    counts = count_words(["Raqqa fell.", "Raqqa fell, it fell", "RAQQA, it", "it left"])
    assert counts == {"raqqa": 3, "fell": 3, "it": 3, "left": 1}
    assert members("rare words", "none", counts) == (1, 4, 6, 9, 11, 14, 16, 19, 21, 24)
    assert members("rare words", "1 or 2", counts) == (2, 7, 12, 17, 22)
    assert members("rare words", "3 or more", counts) == (0, 3, 5, 8, 10, 13, 15, 18, 20, 23)
    assert members("rare words", "none") is None


def test_scores_are_those_of_the_part_alone():
    references = ["سقطت الرقة."] * 25
    systems = {"a": ["سقطت المدينة."] * 25, "b": ["سقطت الرقة." if n % 5 == 1 else "سقطت" for n in range(25)]}
    (measured,) = collect_statistics("news", systems, references, ["chrF"])
    scores = score_slices("news", slices_of(SOURCES, [], GLOSSARY, None), measured, "a", 200)
    part = [s for s in scores if (s.group, s.slice) == ("place names", "with a place")]
    assert [(s.system, s.sentences, s.metric) for s in part] == [("a", 10, "chrF"), ("b", 10, "chrF")]
    (alone,) = collect_statistics("news", {"b": ["سقطت", "سقطت الرقة."] * 5}, references[:10], ["chrF"])
    assert part[1].score == pytest.approx(alone.score("b"))
    assert part[0].difference is None
    assert part[1].difference == pytest.approx(part[1].score - part[0].score)
    assert 0 < part[1].p_value <= 1


def test_ngrams_by_hand():
    references = ["قصف الجيش المدينة.", "قصف الجيش القرية", "وصل الجيش", "عاد السكان"]
    systems = {
        "base": ["قصف", "ضرب", "وصل", "عاد السكان"],
        "tuned": ["قصف الجيش البلدة", "قصف الجيش", "وصل الجيش", "السكان"],
    }
    assert ngram_differences("news", systems, references) == [
        # الجيش alone: three times, its base none; with قصف twice.
        NgramDifference("news", "tuned", "base", "الجيش", 3, 0, 3),
        NgramDifference("news", "tuned", "base", "قصف الجيش", 2, 0, 2),
    ]


def test_lost_ngrams_follow_the_won():
    references = ["سقطت المدينة", "سقطت المدينة", "عاد", "عاد"]
    systems = {"base": ["سقطت المدينة", "سقطت المدينة", "", ""], "tuned": ["", "", "عاد", "عاد"]}
    found = ngram_differences("news", systems, references)
    assert [(d.ngram, d.matches, d.baseline_matches) for d in found] == [("عاد", 2, 0), ("سقطت المدينة", 0, 2)]
