"""Translation memories: inline codes, segments, states, documents and damaged characters."""

from pathlib import Path

import pytest

from mt.config import CorpusConfig
from mt.data.readers import read_corpus
from mt.errors import DataError
from tests.helpers import read_pairs, texts

NAMESPACE = 'xmlns="urn:oasis:names:tc:xliff:document:1.2"'


def tmx(*units: str, header: str = '<header srclang="en"/>') -> str:
    return f'<?xml version="1.0"?><tmx version="1.4">{header}<body>{"".join(units)}</body></tmx>'


def unit(english: str, arabic: str = "حرب.", inside: str = "") -> str:
    variants = (("en", english), ("ar", arabic))
    return f"<tu>{inside}" + "".join(f'<tuv xml:lang="{c}"><seg>{t}</seg></tuv>' for c, t in variants) + "</tu>"


def xliff(*units: str, file: str = 'original="a.docx"') -> str:
    languages = 'source-language="en-GB" target-language="ar-SY"'
    return f'<xliff version="1.2" {NAMESPACE}><file {file} {languages}><body>{"".join(units)}</body></file></xliff>'


def xliff_2(*units: str, file: str = 'id="f1"') -> str:
    body = "".join(units)
    namespace = "urn:oasis:names:tc:xliff:document:2.0"
    return f'<xliff version="2.0" srcLang="en" trgLang="ar" xmlns="{namespace}"><file {file}>{body}</file></xliff>'


BREAK = "&lt;br/&gt;"
CODES = [
    ("a placeholder that is a break", f'One<ph x="1">{BREAK}</ph>Two', "One Two"),
    ("a break beside a space", f"One <ph>{BREAK}</ph>Two", "One Two"),
    ("a break behind a full stop", f"One.<ph>{BREAK}</ph>Two", "One. Two"),
    ("a newline in a code", "One<ph>\\n</ph>Two", "One Two"),
    ("a paragraph of Word", "One<ph>&lt;w:br/&gt;</ph>Two", "One Two"),
    ("table cells", '<bpt i="1">&lt;td&gt;</bpt>One<ept i="1">&lt;/td&gt;</ept><bpt i="2"/>Two<ept i="2"/>', "One Two"),
    ("one format behind another", '<bpt i="1"/>One<ept i="1"/><bpt i="2"/>Two<ept i="2"/>', "One Two"),
    ("a placeholder of no known kind", "One<ph>{1}</ph>Two", "One Two"),
    ("a placeholder before punctuation", "One<ph>{1}</ph>, Two", "One, Two"),
    ("a placeholder between punctuation and a word", "One.<ph>{1}</ph>Two", "One. Two"),
    ("bold on half a word", 'Un<bpt i="1">&lt;b&gt;</bpt>believ<ept i="1">&lt;/b&gt;</ept>able', "Unbelievable"),
    ("bold on half a word, by single codes", "Un<ph>&lt;b&gt;</ph>believ<ph>&lt;/b&gt;</ph>able", "Unbelievable"),
    ("highlighted half a word", "Un<hi>believ</hi>able", "Unbelievable"),
    ("an isolated end of bold", 'Un<it pos="end">&lt;/b&gt;</it>able', "Unable"),
    ("a soft hyphen", "Un<ph>&amp;shy;</ph>able", "Unable"),
    ("an Arabic vowel sign before a break of words", "قصفاً<ph>{1}</ph>عنيفا", "قصفاً عنيفا"),
]


@pytest.mark.parametrize(("segment", "expected"), [case[1:] for case in CODES], ids=[case[0] for case in CODES])
def test_inline_codes_of_tmx(segment: str, expected: str, tmp_path: Path):
    assert read_pairs(tmp_path / "m.tmx", tmx(unit(segment)))[0].source == expected


XLIFF_CODES = [
    ('One<x id="1" ctype="lb"/>Two', "One Two"),
    ('One<x id="LINE_BREAK" equiv-text="&lt;br/&gt;"/>Two', "One Two"),
    ('One<x id="1" equiv-text="&lt;br&gt;"/>Two', "One Two"),
    ('Un<x id="START_BOLD" equiv-text="&lt;b&gt;"/>able', "Unable"),
    ('<g id="1">One</g><g id="2">Two</g>', "One Two"),
    ('Un<g id="1" ctype="bold">believ</g>able', "Unbelievable"),
    ('<g id="1" ctype="x-html-p">One</g>Two', "One Two"),
    ('One<mrk mtype="x-sdl-deleted"> old</mrk> Two', "One Two"),
]


@pytest.mark.parametrize(("segment", "expected"), XLIFF_CODES)
def test_inline_codes_of_xliff(segment: str, expected: str, tmp_path: Path):
    content = xliff(f'<trans-unit id="1"><source>{segment}</source><target>حرب.</target></trans-unit>')
    assert read_pairs(tmp_path / "m.xlf", content)[0].source == expected


def test_a_code_of_xliff_2_is_what_its_unit_says(tmp_path: Path):
    content = xliff_2(
        '<unit id="1"><originalData><data id="d1">&lt;br/&gt;</data><data id="d2">&lt;b&gt;</data></originalData>'
        '<segment><source>One<ph id="1" dataRef="d1"/>Two<pc id="2" dataRefStart="d2">s</pc></source>'
        "<target>حرب.</target></segment></unit>"
    )
    assert read_pairs(tmp_path / "m.xlf", content)[0].source == "One Twos"


MARKED = (
    '<trans-unit id="1"><source>One. Two. Three.</source><seg-source><g id="1"><mrk mtype="seg" mid="1">One.</mrk>'
    ' <mrk mtype="seg" mid="2">Two.</mrk></g> <mrk mtype="seg" mid="3">Three.</mrk></seg-source>{}</trans-unit>'
)
MARKED_TARGETS = {
    "one of three": (
        '<target><mrk mtype="seg" mid="2">اثنان.</mrk><mrk mtype="seg" mid="3"/></target>',
        ["", "اثنان.", ""],
    ),
    "another order": (
        '<target><mrk mtype="seg" mid="3">ثلاثة.</mrk><mrk mtype="seg" mid="1">واحد.</mrk></target>',
        ["واحد.", "", "ثلاثة."],
    ),
    "no target": ("", ["", "", ""]),
    "an empty target": ("<target/>", ["", "", ""]),
}


@pytest.mark.parametrize("name", MARKED_TARGETS)
def test_a_pair_for_each_marked_segment(name: str, tmp_path: Path):
    target, expected = MARKED_TARGETS[name]
    path = tmp_path / "m.sdlxliff"
    pairs = read_pairs(path, xliff(MARKED.format(target)))
    assert texts(pairs) == list(zip(["One.", "Two.", "Three."], expected, strict=True))
    assert [pair.origin for pair in pairs] == [f"{path}:unit 1, segment {n}" for n in (1, 2, 3)]


def test_an_unmarked_target_belongs_to_the_whole_unit(tmp_path: Path):
    pairs = read_pairs(tmp_path / "m.xlf", xliff(MARKED.format("<target>واحد. اثنان. ثلاثة.</target>")))
    assert texts(pairs) == [("One. Two. Three.", "واحد. اثنان. ثلاثة.")]


def test_segments_of_xliff_2(tmp_path: Path):
    content = xliff_2(
        '<unit id="1"><segment><source>One.</source><target>واحد.</target></segment><ignorable><source> </source>'
        "</ignorable><segment><source>Two.</source></segment></unit>"
    )
    assert texts(read_pairs(tmp_path / "m.xlf", content)) == [("One.", "واحد."), ("Two.", "")]


SOURCE = "<source>A war.</source>"
STATES = [
    ('<trans-unit id="1" approved="no">{}<target>حرب.</target></trans-unit>', 'approved="no"'),
    ('<trans-unit id="1" translate="no">{}<target>A war.</target></trans-unit>', 'translate="no"'),
    ('<trans-unit id="1">{}<target state="needs-translation">حرب.</target></trans-unit>', 'state="needs-translation"'),
    ('<trans-unit id="1">{}<target state="new">حرب.</target></trans-unit>', 'state="new"'),
    (
        '<trans-unit id="1">{}<target state-qualifier="fuzzy-match">حرب.</target></trans-unit>',
        'state-qualifier="fuzzy-match"',
    ),
    (
        '<trans-unit id="1" xmlns:m="urn:m" m:confirmed="0">{}<target>حرب.</target></trans-unit>',
        'confirmed="0"',
    ),
    (
        '<trans-unit id="1" xmlns:mq="urn:mq" mq:status="Pretranslated">{}<target>حرب.</target></trans-unit>',
        'status="Pretranslated"',
    ),
]
GOOD_STATES = [
    '<trans-unit id="1">{}<target>حرب.</target></trans-unit>',
    '<trans-unit id="1" approved="yes">{}<target state="translated">حرب.</target></trans-unit>',
    '<trans-unit id="1">{}<target state="signed-off" state-qualifier="fuzzy-match">حرب.</target></trans-unit>',
    '<trans-unit id="1">{}<target state-qualifier="exact-match">حرب.</target></trans-unit>',
    '<trans-unit id="1" xmlns:m="urn:m" m:confirmed="1">{}<target>حرب.</target></trans-unit>',
]


@pytest.mark.parametrize(("content", "detail"), STATES)
def test_what_is_not_approved_is_left_out_unless_it_is_kept(content: str, detail: str, tmp_path: Path):
    content = xliff(content.format(SOURCE))
    assert read_pairs(tmp_path / "m.xlf", content)[0].fault == ("not approved", detail)
    assert read_pairs(tmp_path / "m.xlf", content, keep_unapproved=True)[0].fault is None


@pytest.mark.parametrize("content", GOOD_STATES)
def test_what_is_finished_or_says_nothing_is_used(content: str, tmp_path: Path):
    assert read_pairs(tmp_path / "m.xlf", xliff(content.format(SOURCE)))[0].fault is None


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ("", None),
        ('state="translated"', None),
        ('state="final"', None),
        ('state="initial"', ("not approved", 'state="initial"')),
        ('state="translated" subState="weblate:fuzzy"', ("not approved", 'subState="weblate:fuzzy"')),
    ],
)
def test_states_of_xliff_2(attributes: str, fault: tuple[str, str] | None, tmp_path: Path):
    content = xliff_2(f'<unit id="1"><segment {attributes}>{SOURCE}<target>حرب.</target></segment></unit>')
    assert read_pairs(tmp_path / "m.xlf", content)[0].fault == fault


def test_a_unit_of_xliff_2_that_is_not_to_be_translated(tmp_path: Path):
    content = xliff_2(f'<unit id="1" translate="no"><segment>{SOURCE}<target>A war.</target></segment></unit>')
    assert read_pairs(tmp_path / "m.xlf", content)[0].fault == ("not approved", 'translate="no"')


def test_confirmations_of_trados_are_those_of_each_segment(tmp_path: Path):
    content = xliff(
        MARKED.format(
            '<target><mrk mtype="seg" mid="1">واحد.</mrk><mrk mtype="seg" mid="2">اثنان.</mrk>'
            '<mrk mtype="seg" mid="3">ثلاثة.</mrk></target><sdl:seg-defs xmlns:sdl="urn:sdl"><sdl:seg id="1" '
            'conf="Translated"/><sdl:seg id="2" conf="Draft"/><sdl:seg id="3"/></sdl:seg-defs>'
        )
    )
    faults = [pair.fault for pair in read_pairs(tmp_path / "m.sdlxliff", content)]
    assert faults == [None, ("not approved", 'conf="Draft"'), ("not approved", 'conf=""')]


def test_alternative_translations_and_notes_are_no_text(tmp_path: Path):
    content = xliff(
        '<trans-unit id="1"><source>A war.</source><note>Reuters</note><alt-trans><target>نزاع.</target></alt-trans>'
        "</trans-unit>",
        '<trans-unit id="2"><source>A city.</source><target>مدينة.</target><note>ok</note></trans-unit>',
    )
    assert texts(read_pairs(tmp_path / "m.xlf", content)) == [("A war.", ""), ("A city.", "مدينة.")]


def test_the_document_of_a_unit_in_xliff(tmp_path: Path):
    one = '<trans-unit id="1"><source>A war.</source><target>حرب.</target></trans-unit>'
    assert read_pairs(tmp_path / "a.xlf", xliff(one))[0].document == "a.docx"
    two = f'<unit id="1"><segment>{SOURCE}<target>حرب.</target></segment></unit>'
    assert read_pairs(tmp_path / "b.xlf", xliff_2(two))[0].document == "f1"


PROPS = [
    ('<prop type="x-document">brief.docx</prop>', "brief.docx"),
    ('<prop type="file">src/a.txt</prop>', "src/a.txt"),
    ('<prop type="Txt::Doc. No.">32004R0001</prop>', "32004R0001"),
    ('<prop type="x-Domain">law</prop>', ""),
]


@pytest.mark.parametrize(("prop", "document"), PROPS)
def test_the_document_of_a_unit_in_tmx(prop: str, document: str, tmp_path: Path):
    assert read_pairs(tmp_path / "m.tmx", tmx(unit("A war.", inside=prop)))[0].document == document


def test_bitextor_names_the_document_in_the_variant(tmp_path: Path):
    variants = (
        '<tuv xml:lang="en"><prop type="source-document">http://a/en</prop><seg>A war.</seg></tuv>'
        '<tuv xml:lang="ar"><prop type="source-document">http://a/ar</prop><seg>حرب.</seg></tuv>'
    )
    assert read_pairs(tmp_path / "m.tmx", tmx(f"<tu>{variants}</tu>"))[0].document == "http://a/en"


FORBIDDEN = [
    "&#x1F;",
    "&#31;",
    "&#x0;",
    "&#xD800;",
    "&#xFFFE;",
    "&#x110000;",
    "&#99999999;",
    "&#;",
    "&#x;",
    "&#7",
    "\x1f",
]


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_a_unit_with_a_character_that_xml_forbids_is_counted_and_the_others_read(forbidden: str, tmp_path: Path):
    units = [unit("One."), unit(f"Two.{forbidden}"), unit("Three &#233; &#x2014;.")]
    pairs = read_pairs(tmp_path / "m.tmx", tmx(*units))
    assert [pair.fault and pair.fault[0] for pair in pairs] == [None, "invalid character", None]
    assert [pair.source for pair in pairs][::2] == ["One.", "Three é —."]
    assert pairs[1].source == "Two.\ufffd"
    assert pairs[1].origin.endswith("m.tmx:unit 2")


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5])
def test_a_reference_across_two_chunks(cut: int, tmp_path: Path):
    head = tmx().partition("</body>")[0] + "<tu><tuv xml:lang='en'><seg>"
    # The first 256 bytes are read alone.
    filling = "x" * (256 + (1 << 15) - len(head) - cut)
    content = tmx(unit(filling + "&#x1F;"), unit("Two."))
    pairs = read_pairs(tmp_path / "m.tmx", content)
    assert [pair.fault is None for pair in pairs] == [False, True]


def test_a_memory_without_seg_says_so(tmp_path: Path):
    bare = '<tu><tuv lang="en-US">A war.</tuv><tuv lang="ar-SA">حرب.</tuv></tu>'
    with pytest.raises(DataError, match=r"m\.tmx: no `<tuv>` has a `<seg>`, .* put the text .* into a `<seg>`"):
        read_pairs(tmp_path / "m.tmx", tmx(bare, bare))
    pairs = read_pairs(tmp_path / "m.tmx", tmx(bare, unit("A city.")))
    assert pairs[0].fault == ("empty side", "no <seg> in the <tuv>")


LANGUAGES = [
    ('<tuv xml:lang="en-GB"><seg>A war.</seg></tuv><tuv xml:lang="ar-SY"><seg>حرب.</seg></tuv>'),
    ('<tuv xml:lang="EN_US"><seg>A war.</seg></tuv><tuv xml:lang="ARA"><seg>حرب.</seg></tuv>'),
    ('<tuv xml:lang="English"><seg>A war.</seg></tuv><tuv xml:lang="Arabic (Syria)"><seg>حرب.</seg></tuv>'),
    ('<tuv xml:lang="ar"><seg>حرب.</seg></tuv><tuv><seg>A war.</seg></tuv>'),
    (
        '<tuv xml:lang="en-US"><seg/></tuv><tuv xml:lang="en-GB"><seg>A war.</seg></tuv>'
        '<tuv xml:lang="en-AU"><seg>War.</seg></tuv><tuv xml:lang="ar"><seg>حرب.</seg></tuv>'
    ),
]


@pytest.mark.parametrize("variants", LANGUAGES)
def test_languages_of_variants(variants: str, tmp_path: Path):
    assert texts(read_pairs(tmp_path / "M.TMX", tmx(f"<tu>{variants}</tu>"))) == [("A war.", "حرب.")]


def test_a_confirmation_level_of_trados_in_tmx(tmp_path: Path):
    content = tmx(unit("A war.", inside='<prop type="x-ConfirmationLevel">Draft</prop>'))
    assert read_pairs(tmp_path / "m.tmx", content)[0].fault == ("not approved", "Draft")


def test_a_forbidden_character_in_utf_16(tmp_path: Path):
    content = tmx(unit("One."), unit("Two.&#x1F;"), unit("Three."))
    path = tmp_path / "m.tmx"
    path.write_bytes(content.replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"))
    pairs = list(read_corpus("news", CorpusConfig(path=str(path))))
    assert [pair.fault is None for pair in pairs] == [True, False, True]
    assert texts(pairs)[0] == ("One.", "حرب.")
