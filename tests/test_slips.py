"""Slipped lines are found with their place, and sound corpora are left alone."""

import random
from pathlib import Path

import pytest

from mt.config import CleaningConfig, CorpusConfig, DataConfig
from mt.data.builder import build_data
from mt.data.fingerprints import fingerprint
from mt.data.slips import SlipWatch
from mt.errors import DataError
from tests.conftest import news_pairs

SOURCES, TARGETS = (side[:700] for side in news_pairs())


def watched(sources: list[str], targets: list[str], chunk: int = 300) -> str | None:
    watch, found = SlipWatch(), None
    for start in range(0, len(sources), chunk):
        rows = slice(start, start + chunk)
        prints = fingerprint(sources[rows], targets[rows], "key")
        places = [f"news:{number}" for number in range(start + 1, start + 1 + len(sources[rows]))]
        found = found or watch.add(prints.source.words, prints.target.words, places)
    return found or watch.finish()


def slipped(lines: list[str], first: int, end: int | None = None, by: int = 1) -> list[str]:
    """Lines of which `by` are lost at `first`, and as many strange ones come in at `end`."""
    end = len(lines) if end is None else end
    return [*lines[:first], *lines[first + by : end], *lines[-by:], *lines[end:]]


def place_of(found: str | None) -> int:
    assert found is not None
    return int(found.partition(":")[2].partition(":")[0])


@pytest.mark.parametrize("first", [0, 100, 250, 480])
@pytest.mark.parametrize("by", [1, 2, 3])
def test_a_lost_line_of_the_target(first: int, by: int):
    found = watched(SOURCES, slipped(TARGETS, first, by=by))
    assert place_of(found) == pytest.approx(first + 1, abs=6)
    by_lines = "1 line" if by == 1 else f"{by} lines"
    assert f"each sentence belongs to the translation {by_lines} further up" in str(found)


def test_a_lost_line_of_the_source():
    found = watched(slipped(SOURCES, 200), TARGETS)
    assert place_of(found) == pytest.approx(201, abs=6)
    assert str(found).endswith("each sentence belongs to the translation 1 line further down")


def test_a_slip_that_ends():
    found = watched(SOURCES, slipped(TARGETS, 100, 330))
    assert place_of(found) == pytest.approx(101, abs=6)
    last = int(str(found).partition("to news:")[2].partition(",")[0])
    assert last == pytest.approx(329, abs=6)


@pytest.mark.parametrize("seed", [1, 2])
def test_sound_corpora(seed: int):
    pairs = list(zip(SOURCES, TARGETS, strict=True))
    random.Random(seed).shuffle(pairs)
    shuffled = [source for source, _ in pairs], [target for _, target in pairs]
    assert watched(SOURCES, TARGETS) is None
    assert watched(*shuffled) is None
    assert watched(SOURCES[:40], slipped(TARGETS[:40], 10)) is None  # too few to tell
    assert watched(["The same."] * 600, ["الشيء نفسه."] * 600) is None
    assert watched([str(number) for number in range(600)], [str(number) for number in range(600)]) is None


def test_a_side_in_another_order_has_not_slipped():
    assert watched(SOURCES, random.Random(1).sample(TARGETS, len(TARGETS))) is None


def test_the_build_stops_with_the_place(tmp_path: Path):
    (tmp_path / "news.en").write_text("\n".join(SOURCES) + "\n", encoding="utf-8")
    (tmp_path / "news.ar").write_text("\n".join(slipped(TARGETS, 200)) + "\n", encoding="utf-8")
    corpora = {"news": CorpusConfig(path=str(tmp_path / "news.en"), format="moses")}
    match = r"news\.en:(19\d|20\d): the two sides are out of step.* mend the file, or accept it as it is"
    with pytest.raises(DataError, match=match):
        build_data(DataConfig(corpora=corpora, workers=1), tmp_path)
    build_data(DataConfig(corpora=corpora, workers=1, cleaning=CleaningConfig(slipped_lines=False)), tmp_path)
