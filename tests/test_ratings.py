"""Ratings find their systems again by the translations' hashes, and the statistics are those of the literature."""

import json
import logging
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mt.errors import DataError
from mt.evaluation.ratings import Preference, read_ratings

SENTENCES = 40
BASE = [f"قاعدة {n}" for n in range(SENTENCES)]
TUNED = [f"مضبوط {n}" for n in range(SENTENCES)]
HYPOTHESES = {"news": {"base": BASE, "tuned": TUNED}}


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def item(sentence: int, verdict: str, **changes: Any) -> dict[str, Any]:
    """Rated `tuned`, `base`, `both_good` or `both_bad`; tuned stands left of every even sentence."""
    left, right = (TUNED, BASE) if sentence % 2 == 0 else (BASE, TUNED)
    sides = {"tuned": "left", "base": "right"} if left is TUNED else {"tuned": "right", "base": "left"}
    choice = sides.get(verdict, verdict)
    rated = {"sentence": sentence, "left": sha(left[sentence]), "right": sha(right[sentence]), "choice": choice}
    return {**rated, "comment": "", "saw_reference": False, **changes}


def write(path: Path, items: Sequence[Any], **changes: Any) -> Path:
    head = {"format": "mt-ratings-1", "reviewer": path.stem, "test_set": "news", "page": "a page"}
    path.write_text(json.dumps({**head, "items": items, **changes}), encoding="utf-8")
    return path


def preference(files: Sequence[Path]) -> Preference:
    (found,) = read_ratings(files, HYPOTHESES)
    return found


def test_sides_are_resolved_to_systems(tmp_path: Path):
    verdicts = ["tuned", "tuned", "tuned", "base", "both_good", "both_bad", "both_bad"]
    items = [item(n, verdict) for n, verdict in enumerate(verdicts)]
    items[2] |= {"comment": "«نعم»", "saw_reference": True}
    found = preference([write(tmp_path / "noor.json", items)])
    assert (found.test_set, found.system, found.baseline, found.reviewers) == ("news", "tuned", "base", ("noor",))
    assert (found.system_wins, found.baseline_wins, found.both_good, found.both_bad) == (3, 1, 1, 2)
    assert (found.sentences, found.saw_reference, found.shared_sentences) == (7, 1, 0)
    assert (found.rate, found.agreement, found.alpha) == (0.75, None, None)
    assert found.p_value == pytest.approx(0.625)  # 2 * (C(4,0) + C(4,1)) / 2**4
    verdicts_read = [rating.verdict for rating in found.ratings]
    assert verdicts_read == ["system", "system", "system", "baseline", "both_good", "both_bad", "both_bad"]
    assert found.ratings[2].comment == "«نعم»"
    as_json = json.loads(json.dumps(found.as_json()))
    assert as_json["rate"] == 0.75
    assert as_json["ratings"][2]["saw_reference"] is True


def test_translations_of_reviewers_change_no_rating(tmp_path: Path):
    correction = {"source": "One.", "target": "واحد.", "machine": "", "from": None}
    rated = [item(0, "tuned", correction=correction), item(1, "base", correction=None)]
    alone = item(2, "tuned", choice=None, correction=correction)
    found = preference([write(tmp_path / "noor.json", [*rated, alone], format="mt-ratings-2")])
    former = preference([write(tmp_path / "amal.json", [item(0, "tuned"), item(1, "base")])])
    assert (found.system_wins, found.baseline_wins, found.sentences) == (1, 1, 2)
    assert (former.system_wins, former.baseline_wins, former.sentences) == (1, 1, 2)
    with pytest.raises(DataError, match="contains no ratings; leave it out"):
        preference([write(tmp_path / "omar.json", [alone], format="mt-ratings-2")])
    with pytest.raises(DataError, match="item 1: `choice` is missing or not a text"):
        preference([write(tmp_path / "omar.json", [item(2, "tuned", choice=None)], format="mt-ratings-2")])


@pytest.mark.parametrize(
    ("wins", "decided", "low", "high", "p_value"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
        (0, 20, 0.0, 0.1611, 2 / 2**20),
        (1, 29, 0.0061, 0.1718, 2 * (1 + 29) / 2**29),
        # The formula: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) with p = 0.9, n = 10, z = 1.96.
        (9, 10, 0.5958, 0.9821, 2 * (1 + 10) / 2**10),
    ],
)
def test_wilson_interval_and_sign_test(
    wins: int, decided: int, low: float, high: float, p_value: float, tmp_path: Path
):
    items = [item(n, "tuned" if n < wins else "base") for n in range(decided)]
    found = preference([write(tmp_path / "noor.json", items)])
    assert found.rate == wins / decided
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=5e-5)
    assert found.p_value == pytest.approx(p_value)


def test_nothing_decided(tmp_path: Path):
    found = preference([write(tmp_path / "noor.json", [item(0, "both_good"), item(1, "both_bad")])])
    assert (found.rate, found.ci_low, found.ci_high, found.p_value) == (None, None, None, 1.0)


def test_sentences_and_not_ratings_are_tested(tmp_path: Path):
    ratings = {
        "a": ["tuned", "tuned", "base", "tuned"],
        "b": ["tuned", "base", "base", "both_good"],
        "c": ["base", "both_bad", "base", "both_good"],
    }
    files = [write(tmp_path / f"{who}.json", [item(n, v) for n, v in enumerate(x)]) for who, x in ratings.items()]
    found = preference(files)
    assert (found.system_wins, found.baseline_wins, found.both_good, found.both_bad) == (4, 5, 2, 1)
    # Sentence 0 goes to tuned by 2 to 1, 1 is a draw, 2 goes to base, 3 to tuned by 1 to 0.
    assert (found.sentences, found.sentences_for_system, found.sentences_for_baseline) == (4, 2, 1)
    assert found.rate == pytest.approx(2 / 3)
    assert found.p_value == 1.0
    # Of the 3 pairs of ratings of each sentence, 1, 0, 3 and 1 are alike.
    assert found.agreement == pytest.approx(5 / 12)


def coded(tmp_path: Path, values: dict[str, str], coders: dict[str, str]) -> Preference:
    """Ratings from strings as papers print them: a character a sentence, `*` where there is none."""
    return preference(
        [
            write(tmp_path / f"{who}.json", [item(n, values[code]) for n, code in enumerate(codes) if code != "*"])
            for who, codes in coders.items()
        ]
    )


def test_alpha_of_two_reviewers(tmp_path: Path):
    """Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", A: Meg and Owen, alpha 0.095.

    Coincidences 10 and 2 on the diagonal, 4 off it, marginals 14 and 6: alpha = 1 - 19 * 4 / (14 * 6).
    """
    found = coded(tmp_path, {"0": "tuned", "1": "base"}, {"meg": "0100000010", "owen": "1110010000"})
    assert found.alpha == pytest.approx(1 - 76 / 84)
    assert found.agreement == pytest.approx(0.6)


def test_alpha_of_three_reviewers_with_gaps(tmp_path: Path):
    """The example of en.wikipedia.org, "Krippendorff's alpha": 15 units, four values, nominal alpha 0.691.

    Coincidences 20 of 26 on the diagonal, marginals 7, 4, 10, 5:
    alpha = 1 - 25 * 6 / (26² - 7² - 4² - 10² - 5²) = 1 - 150 / 486.
    """
    coders = {"a": "*****34121133*3", "b": "1*213343*******", "c": "**21344*21133*4"}
    values = {"1": "tuned", "2": "base", "3": "both_good", "4": "both_bad"}
    found = coded(tmp_path, values, coders)
    assert found.alpha == pytest.approx(1 - 150 / 486)
    # Rated by two: ten sentences, of which eight alike; by three: two, with 1 and 3 of 3 pairs alike.
    assert found.agreement == pytest.approx((8 + 4) / (10 + 6))
    assert found.shared_sentences == 12
    assert found.reviewers == ("a", "b", "c")


def test_alpha_needs_a_difference(tmp_path: Path):
    files = [write(tmp_path / f"{who}.json", [item(0, "tuned"), item(2, "tuned")]) for who in "ab"]
    found = preference(files)
    assert (found.agreement, found.alpha) == (1.0, None)


def test_reviewers_who_share_no_sentence(tmp_path: Path):
    files = [write(tmp_path / "a.json", [item(0, "tuned")]), write(tmp_path / "b.json", [item(1, "base")])]
    found = preference(files)
    assert (found.sentences, found.shared_sentences, found.agreement, found.alpha) == (2, 0, None, None)


def test_third_system_and_line_breaks(tmp_path: Path):
    """Only the pair that wrote all rated translations counts; a hash is of the line that `translations/` holds."""
    third = [BASE[0], *(f"ثالث {n}" for n in range(1, SENTENCES))]
    broken = [line.replace(" ", "\n") for line in BASE]
    files = [write(tmp_path / "a.json", [item(0, "tuned"), item(1, "base")])]
    (found,) = read_ratings(files, {"news": {"third": third, "base": broken, "tuned": TUNED}})
    assert (found.baseline, found.system) == ("base", "tuned")
    assert (found.baseline_wins, found.system_wins) == (1, 1)


def test_systems_that_wrote_the_same_count_alike(tmp_path: Path):
    found = read_ratings(
        [write(tmp_path / "a.json", [item(0, "tuned")])], {"news": {"base": BASE, "tuned": TUNED, "copy": TUNED}}
    )
    assert [(p.baseline, p.system, p.system_wins) for p in found] == [("base", "tuned", 1), ("base", "copy", 1)]


def test_a_rating_of_one_translation_against_itself(tmp_path: Path):
    same = {**item(0, "base"), "left": sha(BASE[0]), "right": sha(BASE[0])}
    with pytest.raises(DataError, match="no two of base, copy wrote all the translations that were rated"):
        read_ratings([write(tmp_path / "a.json", [same])], {"news": {"base": BASE, "copy": BASE}})


def test_second_page_of_a_reviewer(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    first = write(tmp_path / "a.json", [item(0, "tuned"), item(1, "tuned")])
    second = write(tmp_path / "b.json", [item(1, "base"), item(2, "base")], reviewer="a", page="another page")
    with caplog.at_level(logging.WARNING):
        found = preference([first, second])
    assert (found.sentences, found.system_wins, found.baseline_wins) == (3, 2, 1)
    assert "1 were left out because the same reviewer rated the sentence on another page" in caplog.text


GOOD = item(0, "tuned")
BAD_FILES: list[tuple[str, Any, dict[str, Any], str]] = [
    (
        "format",
        [GOOD],
        {"format": "mt-ratings-3"},
        'expected format mt-ratings-2, found "mt-ratings-3"; export it again',
    ),
    ("head", [GOOD], {"page": None}, "lacks reviewer, test_set, page or items; export it again"),
    ("items", {}, {}, "lacks reviewer, test_set, page or items"),
    ("anonymous", [GOOD], {"reviewer": " "}, "no reviewer; write a name into the file"),
    ("empty", [], {}, "contains no ratings; leave it out"),
    ("no object", ["x"], {}, "item 1: `sentence` is missing or not a whole number"),
    (
        "true is no number",
        [GOOD, {**GOOD, "sentence": True}],
        {},
        "item 2: `sentence` is missing or not a whole number",
    ),
    ("no flag", [{**GOOD, "saw_reference": "no"}], {}, "item 1: `saw_reference` is missing or not a boolean"),
    ("choice", [{**GOOD, "choice": "up"}], {}, "item 1: choice `up` is not one of left, right, both_good, both_bad"),
    ("twice", [GOOD, GOOD], {}, "sentence 0 is rated 2 times"),
    ("test set", [GOOD], {"test_set": "x"}, "ratings of test set `x`, but there is only news; evaluate the test set"),
    (
        "left",
        [{**GOOD, "left": "ab" * 32}],
        {},
        "the left translation (SHA-256 abababababab...) is not by any of base, tuned",
    ),
    ("right", [{**GOOD, "right": "ab" * 32}], {}, "the right translation (SHA-256 abababababab...) is not by any of"),
    ("same side", [{**GOOD, "right": GOOD["left"]}], {}, "no two of base, tuned wrote all the translations"),
    ("range", [{**GOOD, "sentence": 40}], {}, "of sentence 41, the left translation"),
    ("negative", [{**GOOD, "sentence": -40}], {}, "of sentence -39, the left translation"),
]


@pytest.mark.parametrize(("items", "changes", "message"), [x[1:] for x in BAD_FILES], ids=[x[0] for x in BAD_FILES])
def test_bad_file(items: Any, changes: dict[str, Any], message: str, tmp_path: Path):
    path = write(tmp_path / "noor.json", items, **changes)
    with pytest.raises(DataError) as error:
        read_ratings([path], HYPOTHESES)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"format": ', "not JSON ("),
        (b"\xff\xfe{", "byte 0xff is not UTF-8; save the ratings file as UTF-8"),
        (b'{"format": "\\ud800"}', "not JSON ("),
        (b"[" * 100_000, "not JSON ("),
        (b"[]", "expected format mt-ratings-2, found null"),
        (None, "the ratings file does not exist (seen from "),
    ],
)
def test_no_ratings_at_all(content: bytes | None, message: str, tmp_path: Path):
    path = tmp_path / "noor.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_ratings([path], HYPOTHESES)
    assert str(error.value).partition(": ")[2].startswith(message)
    assert str(error.value).startswith(str(path))


def test_reviewer_twice_for_a_page(tmp_path: Path):
    first = write(tmp_path / "a.json", [GOOD])
    second = write(tmp_path / "b.json", [item(1, "base")], reviewer=" a ")
    for files in ([first, second], [first, first]):
        with pytest.raises(DataError, match="both are a's ratings of the same page; leave one out, or"):
            read_ratings(files, HYPOTHESES)
