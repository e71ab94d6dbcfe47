"""Faults of files are told from bad systems, and nobody who translates well is suspected."""

import random
from collections.abc import Sequence

import pytest

from mt.evaluation.cautions import Caution
from mt.evaluation.faults import find_cautions
from mt.evaluation.overlap import Overlap
from mt.evaluation.results import Evaluation
from mt.evaluation.shifts import shift_between, shift_of_translations
from mt.evaluation.signs import count_signs
from mt.evaluation.test_set import TestSet
from mt.text.glossary import Glossary
from tests.conftest import news_pairs

GLOSSARY = Glossary.read()
SOURCES, REFERENCES = (side[:200] for side in news_pairs())


def noisy(lines: Sequence[str], kept: float = 0.6, seed: int = 1) -> list[str]:
    """What a system of some quality writes: each word stays with this probability."""
    generator = random.Random(seed)
    words = [word for line in lines for word in line.split()]
    return [
        " ".join(w if generator.random() < kept else generator.choice(words) for w in line.split()) for line in lines
    ]


SYSTEM = noisy(REFERENCES)


def found(
    hypotheses: Sequence[str], sources: Sequence[str] = SOURCES, references: Sequence[str] = REFERENCES
) -> dict[str, Caution]:
    test_set = TestSet("news", list(sources), list(references))
    return {each.kind: each for each in find_cautions(test_set, {"base": list(hypotheses)}, [], GLOSSARY)}


def moved(lines: Sequence[str], by: int, start: int = 0, end: int | None = None) -> list[str]:
    """Lines of a part moved down; what falls out comes in on top."""
    part = list(lines[start:end])
    return [*lines[:start], *part[-by:], *part[:-by], *lines[start + len(part) :]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hypotheses", "kind", "text", "forbids"),
    [
        (["", *SYSTEM[1:]], "empty hypotheses", "1 of the 200 hypotheses of base is empty", False),
        (["\u200b\u202a \ufeff"] * 11 + SYSTEM[11:], "empty hypotheses",
         "11 of the 200 hypotheses of base are empty", True),
        (SOURCES[:10] + SYSTEM[10:], "copied hypotheses",
         "10 of the 200 hypotheses of base are copies of their sources", False),
        ([source.upper() for source in SOURCES], "copied hypotheses",
         "200 of the 200 hypotheses of base are copies of their sources", True),
        (["Les troupes ont quitté la ville.", *SYSTEM[1:]], "hypotheses that are not Arabic",
         "1 of the 200 hypotheses of base is not in Arabic letters", False),
        (["???? ??? ?????"] * 20 + SYSTEM[20:], "hypotheses that are not Arabic",
         "20 of the 200 hypotheses of base are not in Arabic letters", True),
        (["قال المتحدث ذلك"] * 30 + SYSTEM[30:], "repeated hypotheses",
         "30 of the 200 hypotheses of base are the same as those of other sentences", False),
        (["\u200c".join(line) for line in SYSTEM], "invisible characters",
         "200 of the 200 hypotheses of base are split by invisible, zero-width characters", True),
        ([line.replace(" ", " ", 1).replace(".", " .").replace("،", " ،") for line in SYSTEM], "tokenised hypotheses",
         "are tokenised (spaces before punctuation), which costs BLEU: detokenise them first", False),
        ([f"{line} &quot;" for line in SYSTEM[:3]] + SYSTEM[3:], "HTML entities in hypotheses",
         "3 of the 200 hypotheses of base are left with HTML entities (`&quot;`): unescape them first", False),
        ([f"{SYSTEM[0]}</s>", SYSTEM[1].replace(" ", "@@ ", 1), f"▁{SYSTEM[2]}", *SYSTEM[3:]],
         "marks of a tokenizer in hypotheses",
         "3 of the 200 hypotheses of base are left with marks of a tokenizer", False),
        ([f"\u200f{line}" for line in SYSTEM[:50]] + SYSTEM[50:], "marks of direction in hypotheses",
         "50 of the 200 hypotheses of base are written with marks of direction", False),
        ([line.replace("ي", "ی") for line in SYSTEM[:9]] + SYSTEM[9:], "letters of a Persian keyboard in hypotheses",
         "9 of the 200 hypotheses of base are typed with letters of a Persian keyboard", False),
        ([line.encode("iso8859_6", "ignore").decode("cp1256") for line in REFERENCES[:20]] + SYSTEM[20:],
         "mojibake in hypotheses",
         "20 of the 200 hypotheses of base are mojibake, decoded with the wrong encoding", True),
        (moved(SYSTEM, 1), "shifted hypotheses",
         "the hypotheses of base are shifted by 1 line from line 2 to line 200", True),
        (moved(SYSTEM, -2), "shifted hypotheses",
         "the hypotheses of base are shifted by 2 lines from line 1 to line 198", True),
        (moved(SYSTEM, 1, 100), "shifted hypotheses",
         "the hypotheses of base are shifted by 1 line from line 102 to line 200", True),
        (SYSTEM[::-1], "hypotheses in another order",
         "the hypotheses of base are in a different order than the sentences", True),
    ],
)  # fmt: skip
def test_hypotheses(hypotheses: list[str], kind: str, text: str, forbids: bool):
    cautions = found(hypotheses)
    assert set(cautions) == {kind}
    assert text in cautions[kind].text
    assert (cautions[kind].forbids, cautions[kind].system) == (forbids, "base")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "kind"),
    [
        ("سقط ١٢ قتيلا", "سقط 12 قتيلا", "0-9 in hypotheses"),
        ("سقط 12 قتيلا", "سقط ١٢ قتيلا", "٠-٩ in hypotheses"),
        ("هل سقط، أم لا؟", "هل سقط, أم لا?", "Latin punctuation in hypotheses"),
        ("سَقَطَ قَتِيلٌ", "سقط قتيل", "no vowel signs in hypotheses"),
        ("سقط قتيل", "سَقَطَ قَتِيلٌ", "vowel signs in hypotheses"),
        ("قالت BBC إن", "قالت bbc إن", "lower case in hypotheses"),
        ("قال الرجل", "و+ قال ال+ رجل", "segmented hypotheses"),
    ],
)
def test_other_habits_of_writing(reference: str, hypothesis: str, kind: str):
    habits = {sign.kind for sign, _ in count_signs([hypothesis] * 4, [reference] * 4)}
    assert habits == {kind.removesuffix(" hypotheses")}
    assert list(count_signs([reference] * 4, [reference] * 4)) == []


@pytest.mark.parametrize(
    "hypotheses",
    [REFERENCES, [f"{line} " for line in REFERENCES], REFERENCES[:120] + SYSTEM[120:]],
)
@pytest.mark.slow
def test_the_reference_as_a_system(hypotheses: list[str]):
    caution = found(hypotheses)["references as hypotheses"]
    assert caution.text.endswith("longer hypotheses of base are the references, word for word")
    assert caution.forbids


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sources", "references", "kind", "text", "forbids"),
    [
        (SOURCES, ["\u200b\u200f", *REFERENCES[1:]], "empty references",
         "1 of the 200 references is empty: they contain nothing visible", False),
        (SOURCES, ["؟؟؟ ؟؟", *REFERENCES[1:]], "references without letters",
         "1 of the 200 references is without any Arabic letter", False),
        (SOURCES, ["\u200b".join(line) for line in REFERENCES], "invisible characters",
         "200 of the 200 references are split by invisible, zero-width characters", True),
        (SOURCES, ["این یک جمله فارسی است که برای آزمایش نوشته شده", *REFERENCES[1:]], "Persian references",
         "1 of the 200 references is in Persian, not Arabic, letters", False),
        (SOURCES, [f"\u202b{line}\u202c" for line in REFERENCES], "marks of direction in references",
         "200 of the 200 references are written with marks of direction, no-break spaces or other invisible "
         "characters, which BLEU and chrF count as mistakes, BLEU-norm and chrF-norm do not", False),
        (SOURCES, SOURCES[:20] + REFERENCES[20:], "English references",
         "20 of the 200 references are not in Arabic letters", True),
        (REFERENCES[:5] + SOURCES[5:], REFERENCES, "Arabic sources",
         "5 of the 200 sources are in Arabic letters, as if the sides were swapped", False),
        (SOURCES, ["لم يترجم هذا السطر"] * 20 + REFERENCES[20:], "repeated references",
         "20 of the 200 references are the same as those of other sentences", True),
    ],
)  # fmt: skip
def test_test_sets(sources: list[str], references: list[str], kind: str, text: str, forbids: bool):
    cautions = {k: v for k, v in found(SYSTEM, sources, references).items() if v.system is None}
    assert set(cautions) == {kind}
    assert (cautions[kind].text, cautions[kind].forbids) == (text, forbids)


def test_shifted_references_are_not_the_systems_fault():
    cautions = found(SYSTEM, SOURCES, moved(REFERENCES, 1, 20))
    assert set(cautions) == {"shifted references"}
    assert cautions["shifted references"].text.startswith("the references are shifted by 1 line from line 2")
    assert cautions["shifted references"].forbids


@pytest.mark.slow
@pytest.mark.parametrize("quality", [0.0, 0.05, 0.2, 0.5, 0.9])
def test_a_weak_system_is_only_weak(quality: float):
    for start in (0, 30, 60, 90):
        rows = slice(start, start + 30)
        assert found(noisy(REFERENCES[rows], quality, start), SOURCES[rows], REFERENCES[rows]) == {}
    assert found(noisy(REFERENCES, quality)) == {}


def test_words_drawn_at_random_are_not_shifted():
    generator = random.Random(1)
    words = [word for line in REFERENCES[:5] for word in line.split()]
    drawn = [[" ".join(generator.choices(words, k=15)) for _ in range(1000)] for _ in range(4)]
    assert [shift_between(lines, drawn[0]) for lines in drawn[1:]] == [None] * 3


@pytest.mark.parametrize(
    ("sources", "references", "hypotheses"),
    [
        # An address, names of accounts and acronyms stay as they are.
        (["https://example.org/a", "@user #tag", "YPG, SDF", "Troops left."],
         ["https://example.org/a", "@user #tag", "YPG, SDF", "غادرت القوات."],
         ["https://example.org/a", "@user #tag", "YPG, SDF", "رحلت القوات."]),
        ([str(n) for n in range(40)], [str(n) for n in range(40)], [str(n) for n in range(40)]),
        # One word each, translated as the reference has it.
        (["Yes.", "Yeah.", "Bread", "Water", "Aleppo", "Rice"] * 8, ["نعم", "أجل", "خبز", "ماء", "حلب", "أرز"] * 8,
         ["نعم", "نعم", "خبز", "ماء", "حلب", "رز"] * 8),
    ],
)  # fmt: skip
def test_nothing_is_wrong(sources: list[str], references: list[str], hypotheses: list[str]):
    assert set(found(hypotheses, sources, references)) <= {"repeated sentences"}


@pytest.mark.slow
def test_real_pairs_in_sets_of_thirty_are_not_shifted():
    sources, references = news_pairs()
    sets = [slice(start, start + 30) for start in range(0, len(sources) - 30, 60)]
    assert len(sets) > 15
    assert [shift_of_translations(sources[rows], references[rows], GLOSSARY) for rows in sets] == [None] * len(sets)
    whole = shift_of_translations(sources, moved(references, 3), GLOSSARY)
    assert whole is not None
    assert (abs(whole.offset), whole.lines > 0.9 * len(sources)) == (3, True)


def test_the_gravest_of_several_reasons_is_named():
    cautions = find_cautions(
        TestSet("news", SOURCES, REFERENCES),
        {"base": [""] * 20 + SYSTEM[:180], "copy": [""] * 60 + REFERENCES[60:]},
        [Overlap("base", "news", 150, 0, 0, 200, tuple(range(1, 151)))],
        GLOSSARY,
    )
    evaluation = Evaluation("base", cautions=cautions)
    kinds = {s: [c.kind for c in cautions if c.forbids and c.system == s] for s in ("base", "copy")}
    assert kinds["base"][-1] == "hypotheses in another order"
    assert set(kinds["base"]) == {"overlap", "empty hypotheses", "hypotheses in another order"}
    assert evaluation.refusal("news", "base") == "the hypotheses of base are in a different order than the sentences"
    assert set(kinds["copy"]) == {"empty hypotheses", "references as hypotheses"}
    assert evaluation.refusal("news", "copy").endswith("are the references, word for word")
    assert evaluation.refusal("news", "base", "copy").endswith("are the references, word for word")
    # Of two of a kind, and of kinds without a rank, the one that concerns more sentences.
    few, many = (Caution("news", "a", f"mark {n}", n, 200, f"{n} lines", True) for n in (12, 150))
    assert Evaluation("a", cautions=[few, many]).refusal("news", "a") == "150 lines"
    assert Evaluation("a", cautions=[few, many]).refusal("flores", "a") == ""
