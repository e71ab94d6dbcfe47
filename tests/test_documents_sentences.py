"""Sentences of paragraphs, addresses, and where the marks of a sentence go in its translation."""

import time

import pytest

from mt.documents.addresses import address_spans
from mt.documents.assembly import assemble
from mt.documents.marked import Builder, Marked
from mt.documents.plan import Plan, plan_unit
from mt.documents.splitting import sentence_spans
from mt.languages import ARABIC, ENGLISH
from mt.systems.fitting import fitting_parts


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Mr. Smith met Gen. Ali in the U.N. building. They talked.", 2),
        ('He said: "Stop now. We leave." Then he left.', 2),
        ("See e.g. the report, i.e. page 3. It is long.", 2),
        ("On Jan. 5, 2014, the U.S. Army left for St. Petersburg in No. 5 Co. trucks.", 1),
        ("It fell on 5 May. Officials left. In May. The army came.", 4),
        ("First line\nsecond line", 2),
        ("Name:\tValue", 2),
        ("  \n\t ", 0),
        ("", 0),
        ("\u200fOne. \u200eTwo.", 2),
        ("One. “Two.” Three.", 3),
        ('One. "Two."', 2),
        ("One. (Two.) [Three.]", 2),
    ],
)
def test_english_sentences(text: str, sentences: int):
    spans = sentence_spans(text, ENGLISH)
    assert len(spans) == sentences
    assert all(text[a:b] == text[a:b].strip() and text[b - 1] not in "“([" for a, b in spans)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("قال د. أحمد إن الوضع صعب. ثم غادر؟ نعم! ربما، انتهى.", 4),
        ("وصل السيد س. م. علي إلى مقر الأمم المتحدة. قال: «توقف. ارحل.» ثم ذهب.", 3),
        ("سقطت في 5 مايو. وصل الجيش.", 2),
    ],
)
def test_arabic_sentences(text: str, sentences: int):
    assert len(sentence_spans(text, ARABIC)) == sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://example.org/a.b?c=d. Done", ["https://example.org/a.b?c=d"]),
        ("(https://en.wikipedia.org/wiki/Homs_(city))", ["https://en.wikipedia.org/wiki/Homs_(city)"]),
        ("Write to press.desk@example.co.uk, or www.example.org!", ["press.desk@example.co.uk", "www.example.org"]),
        ("On example.org/news: more[^1] text", ["example.org/news", "[^1]"]),
        ("The end.Then 3.5 or U.N. or e.g. this", []),
        ("«http://مثال.com/صفحة»، نعم", ["http://مثال.com/صفحة"]),
        ("HTTP://A.B, ftp://c (www.d.e).", ["HTTP://A.B", "ftp://c", "www.d.e"]),
        ("a@b.c+d@e.f -x.com.y@z.org -g@h.i a@b a-www.x", ["a@b.c", "+d@e.f", "-x.com", ".y@z.org", "g@h.i", "www.x"]),
        ("a.com+b.co.uk _c.com d.come /e.org/f g.org.uk/h", ["a.com", "g.org.uk/h"]),
        ("/e.a.com [^1]: [^a b] [^[^c]x [^]", ["a.com", "[^1]:", "[^[^c]"]),
        ("http://a/(b))).] www.... x.com/...", ["http://a/(b)", "www", "x.com/"]),
    ],
)
def test_addresses(text: str, found: list[str]):
    assert [text[a:b] for a, b in address_spans(text)] == found


@pytest.mark.parametrize("part", ["a.", "a-", "a+", "a-b.", "[^", "a_a.", "http://)", "x.com+", "a@b.c+", "a@"])
def test_addresses_are_found_in_time_that_grows_with_the_length(part: str):
    text = part * (40_000 // len(part))
    began = time.process_time()
    address_spans(text)
    assert time.process_time() - began < 1


def plan(*parts: str | tuple[str, str]) -> Plan:
    """A unit of text and (text, kind) marks."""
    builder = Builder()
    for part in parts:
        if isinstance(part, str):
            builder.add(part)
        elif part[0]:
            with builder.mark(part, part[1]):  # type: ignore[arg-type]
                builder.add(part[0])
        else:
            builder.point(part)
    return plan_unit(builder.marked(), ENGLISH)


def shown(marked: Marked, parent: int = -1) -> str:
    """The text with brackets around marks, and a bar for an empty one."""
    parts = []
    for piece in marked.pieces(parent):
        parts.append(piece if isinstance(piece, str) else f"[{shown(marked, piece)}]")
    return "".join(parts)


@pytest.mark.parametrize(
    ("parts", "answers", "expected"),
    [
        # The words are where their own translation is, wherever that is.
        (
            ("The ", ("Syrian army", "format"), " left."),
            {"The Syrian army left.": "غادر الجيش السوري.", "Syrian army": "الجيش السوري"},
            "غادر [الجيش السوري].",
        ),
        # Another ending or article is near enough.
        (
            ("The ", ("Syrian army", "format"), " left."),
            {"The Syrian army left.": "غادر للجيش السوري.", "Syrian army": "الجيش السوري"},
            "غادر [للجيش السوري].",
        ),
        # Of two equal words, the one at the same place.
        (
            ("war is war and ", ("war", "format"), " again."),
            {"war is war and war again.": "حرب هي حرب و حرب ثانية.", "war": "حرب"},
            "حرب هي حرب و [حرب] ثانية.",
        ),
        # What is not found goes to the end, and a link takes its words with it.
        (
            ("The ", ("army", "format"), " left ", ("Homs", "link"), "."),
            {"The army left Homs.": "غادروا.", "army": "الجيش", "Homs": "حمص"},
            "غادروا[] ([حمص]).",
        ),
        # A mark around all but the full stop.
        ((("The army left", "format"), "."), {"The army left.": "غادر الجيش."}, "[غادر الجيش]."),
        # Names and numbers are found as they are.
        (("It has ", ("45", "format"), " rooms."), {"It has 45 rooms.": "فيه 45 غرفة."}, "فيه [45] غرفة."),
        # An address at an end is not shown to the model; one in the middle is put back if the model changes it.
        (("See https://a.org/x."), {"See": "انظر"}, "انظر https://a.org/x."),
        (
            ("See https://a.org/x for more."),
            {"See https://a.org/x for more.": "انظر htps.", "See for more.": "انظر المزيد."},
            "انظر المزيد https://a.org/x.",
        ),
        (
            ("See https://a.org/x for more."),
            {"See https://a.org/x for more.": "المزيد في https://a.org/x هنا.", "See for more.": "لا"},
            "المزيد في https://a.org/x هنا.",
        ),
        # Points at the ends stay there, and one inside goes with the mark beside it, or to the end.
        ((("", "a"), "Go now.", ("", "b")), {"Go now.": "اذهب."}, "[]اذهب.[]"),
        (
            ("Go ", ("home", "format"), ("", "1"), " now."),
            {"Go home now.": "الآن البيت اذهب.", "home": "البيت"},
            "الآن [البيت][] اذهب.",
        ),
        (("Go", ("", "1"), " now."), {"Go now.": "اذهب."}, "اذهب.[]"),
        # Gaps, bullets and what has no words are copied.
        (("- Yes.  12.5 %\n\n1. No."), {"Yes.": "نعم.", "No.": "لا."}, "- نعم.  12.5 %\n\n1. لا."),
        # A mark over two sentences stays one.
        (
            ("We ", ("go home. Come", "format"), " back."),
            {"We go home.": "نذهب إلى البيت.", "go home.": "إلى البيت.", "Come back.": "عد ثانية.", "Come": "عد"},
            "نذهب [إلى البيت. عد] ثانية.",
        ),
        # A mark around a space only is like one around nothing.
        (
            ("Go ", ("home", "format"), (" ", "link"), "now."),
            {"Go home now.": "الآن البيت اذهب.", "home": "البيت"},
            "الآن [البيت][] اذهب.",
        ),
        # Marks side by side stay so, even where their words change places over the end of a sentence.
        (
            ("We ", ("go. Come", "format"), " back ", ("home", "format"), "."),
            {"We go.": "نذهب.", "go.": "", "Come back home.": "البيت عد.", "Come": "عد", "home": "البيت"},
            "نذهب[. البيت عد][].",
        ),
        # What the model gives nothing for stays.
        (("Go ", ("home", "format"), "."), {"Go home.": "", "home": ""}, "Go [home]."),
    ],
)
def test_marks_are_placed(parts: object, answers: dict[str, str], expected: str):
    own = plan(*((parts,) if isinstance(parts, str) else parts))  # type: ignore[misc]
    assert set(own.texts()) <= answers.keys() | {"45"}
    marked, _ = assemble(own, answers)
    assert shown(marked) == expected


def test_what_happened_to_a_sentence_is_counted():
    own = plan("Stay. See https://a.org/x for ", ("more", "format"), ".")
    answers = {"Stay.": "", "See https://a.org/x for more.": "لا", "See for more.": "لا.", "more": "المزيد"}
    _, sentences = assemble(own, answers)
    assert [(each.source, each.target, each.moved, each.put_back, each.is_empty) for each in sentences] == [
        ("Stay.", "Stay.", 0, 0, True),
        ("See https://a.org/x for more.", "لا https://a.org/x.", 1, 1, False),
    ]


def test_nested_marks_stay_nested():
    builder = Builder()
    builder.add("See ")
    with builder.mark("a", "link"):
        builder.add("the ")
        with builder.mark("b"):
            builder.add("last")
        builder.add(" report")
    builder.add(" now.")
    answers = {"See the last report now.": "الآن انظر آخر تقرير.", "the last report": "آخر تقرير", "last": "آخر"}
    marked, _ = assemble(plan_unit(builder.marked(), ENGLISH), answers)
    assert shown(marked) == "الآن انظر [[آخر] تقرير]."
    # The inner one is looked for inside the outer one only.
    answers |= {"See the last report now.": "آخر: انظر التقرير.", "the last report": "التقرير"}
    marked, _ = assemble(plan_unit(builder.marked(), ENGLISH), answers)
    assert shown(marked) == "آخر: انظر [التقرير[]]."


def test_long_sentences_are_cut_at_commas_then_at_spaces():
    def fits(text: str) -> bool:
        return len(text.split()) <= 4

    assert fitting_parts("one two three four", fits) == ["one two three four"]
    assert fitting_parts("one two, three four; five six", fits) == ["one two, three four;", "five six"]
    assert fitting_parts("a b c d e f", fits) == ["a b c", "d e f"]
    assert fitting_parts("word", lambda _: False) == ["word"]
