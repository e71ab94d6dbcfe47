"""XLIFF and TMX: empty targets are filled and marked, everything else stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from mt.config import CorpusConfig
from mt.data.readers import read_corpus
from mt.documents.formats import Format
from mt.errors import DataError
from tests.document_cases import text_of, translated

XLIFF_1 = """<?xml version="1.0" encoding="UTF-8"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
  <file original="a" source-language="en-GB" datatype="plaintext">
    <body>
      <trans-unit id="1">
        <source>Hello <g id="1">big</g> world.<x id="2"/> Bye.</source>
      </trans-unit>
      <trans-unit id="2"><source>Done</source><target state="final">x</target></trans-unit>
      <trans-unit id="3"><source>A <bpt id="1">&lt;b&gt;</bpt>bold<ept id="1">&lt;/b&gt;</ept> one</source>\
<target state="new"/><note>n</note></trans-unit>
      <trans-unit id="4"><source>One. Two.</source><seg-source><mrk mtype="seg" mid="0">One.</mrk> \
<mrk mtype="seg" mid="1">Two.</mrk></seg-source></trans-unit>
      <trans-unit id="5" translate="no"><source>Not</source></trans-unit>
      <trans-unit id="6"><source/></trans-unit>
      <trans-unit id="7"><source><x id="9"/></source><target state="needs-l10n"/></trans-unit>
      <trans-unit id="8"><source>Three. Four.</source><seg-source><mrk mtype="seg" mid="0">Three.</mrk> \
<mrk mtype="seg" mid="1">Four.</mrk></seg-source><target><mrk mtype="seg" mid="0">ثلاثة.</mrk> \
<mrk mtype="seg" mid="1"/></target></trans-unit>
    </body>
  </file>
</xliff>
"""
XLIFF_2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en">
 <file id="f">
  <unit id="1">
   <originalData><data id="d">&lt;br/&gt;</data></originalData>
   <segment id="s1">
    <source>Hello <pc id="1">big</pc> world. <ph id="2" dataRef="d"/></source>
   </segment>
   <ignorable><source> </source></ignorable>
   <segment state="translated"><source>Done</source><target>x</target></segment>
   <segment><source>Say <sc id="3"/>loud<ec startRef="3"/> <mrk id="m" translate="no">ls</mrk></source>\
<target/></segment>
  </unit>
  <unit id="2" translate="no"><segment><source>Not</source></segment></unit>
 </file>
</xliff>
"""
TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="x"/>
<body>
  <tu>
    <tuv xml:lang="en-US"><seg>Hello <hi>there</hi> <ph x="1">&lt;br&gt;</ph></seg></tuv>
  </tu>
  <tu><tuv xml:lang="en"><seg>B</seg></tuv><tuv xml:lang="ar"><seg>ب</seg></tuv></tu>
  <tu><tuv xml:lang="en"><seg>C</seg></tuv><tuv xml:lang="ar-SY"><seg></seg></tuv></tu>
  <tu><tuv xml:lang="fr"><seg>D</seg></tuv></tu>
</body></tmx>
"""


def targets(content: str, kind: Format) -> list[tuple[str, dict[str, str]]]:
    """(content of each target as XML without namespace, its attributes) after the translation."""
    root = etree.fromstring(translated(content, kind).content)
    found = []
    for target in root.iter("{*}target"):
        inner = (target.text or "") + "".join(etree.tostring(child, encoding="unicode") for child in target)
        found.append((re.sub(r' xmlns="[^"]*"', "", inner), dict(target.attrib)))
    return found


def test_xliff_1():
    new = {"state": "needs-review-translation", "state-qualifier": "mt-suggestion"}
    assert targets(XLIFF_1, "xliff") == [
        ('HELLO <g id="1">BIG</g> WORLD.<x id="2"/> BYE.', new),
        ("x", {"state": "final"}),
        ('A <bpt id="1">&lt;b&gt;</bpt>BOLD<ept id="1">&lt;/b&gt;</ept> ONE', new),
        ('<mrk mtype="seg" mid="0">ONE.</mrk> <mrk mtype="seg" mid="1">TWO.</mrk>', new),
        ('<x id="9"/>', {"state": "needs-l10n", "state-qualifier": "mt-suggestion"}),
        ('<mrk mtype="seg" mid="0">ثلاثة.</mrk> <mrk mtype="seg" mid="1">FOUR.</mrk>', new),
    ]


def test_everything_else_in_an_xliff_stays():
    found = text_of(XLIFF_1, "xliff")
    without = re.sub(r"\s*<target\b.*?</target>|\s*<target [^>]*/>", "", found, flags=re.DOTALL)
    assert ' target-language="ar"' in without
    without = without.replace(' target-language="ar"', "")
    before = re.sub(r"<target\b[^/]*?</target>|<target [^>]*/>|<target>.*?</target>", "", XLIFF_1, flags=re.DOTALL)
    assert [etree.canonicalize(text) for text in (without,)] == [etree.canonicalize(before)]
    assert "\n        <target state" in found, "on a line of its own, where the source is"


def test_xliff_2():
    assert targets(XLIFF_2, "xliff") == [
        ('HELLO <pc id="1">BIG</pc> WORLD. <ph id="2" dataRef="d"/>', {}),
        ("x", {}),
        ('SAY <sc id="3"/>LOUD<ec startRef="3"/> <mrk id="m" translate="no">ls</mrk>', {}),
    ]
    root = etree.fromstring(translated(XLIFF_2, "xliff").content)
    assert root.get("trgLang") == "ar"
    assert [(each.get("state"), each.get("subState")) for each in root.iter("{*}segment")] == [
        ("initial", "mt:machine-translated"),
        ("translated", None),
        ("initial", "mt:machine-translated"),
        (None, None),
    ]


def test_machine_translations_are_no_training_data(tmp_path: Path):
    for name, content in (("one.xlf", XLIFF_1), ("two.xlf", XLIFF_2)):
        (tmp_path / name).write_bytes(translated(content, "xliff").content)
        pairs = list(read_corpus("news", CorpusConfig(path=str(tmp_path / name))))
        kept = [pair.source for pair in pairs if pair.fault is None and pair.target]
        assert kept == ["Done"]


def test_tmx():
    found = translated(TMX, "tmx").content
    root = etree.fromstring(found)
    variants = [
        [(each.get("{http://www.w3.org/XML/1998/namespace}lang"), "".join(each.itertext()).strip()) for each in unit]
        for unit in root.iter("tu")
    ]
    assert variants == [
        [("en-US", "Hello there <br>"), ("ar", "HELLO THERE <br>")],
        [("en", "B"), ("ar", "ب")],
        [("en", "C"), ("ar-SY", "C")],
        [("fr", "D")],
    ]
    assert [each.get("creationid") for each in root.iter("tuv")].count("machine translation") == 2
    assert b'<!DOCTYPE tmx SYSTEM "tmx14.dtd">' in found
    assert b'<seg>HELLO <hi>THERE</hi> <ph x="1">&lt;br&gt;</ph></seg>' in found


@pytest.mark.parametrize("kind", ["xliff", "tmx"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "in:1: not valid XML ("),
        ("<xliff>\n<file>", "in:2: not valid XML ("),
        ("<html/>", "in:1: its root is `html`, not "),
        (
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<x>&a;</x>',
            "in:2: the entity `&a;` is not one of XML's own five and is not resolved",
        ),
        (
            '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]>\n<x>&c;</x>',
            "in:2: the entity `&c;` is not one of XML's own five and is not resolved",
        ),
    ],
)
def test_damaged_xml(kind: Format, content: str, message: str):
    with pytest.raises(DataError, match=re.escape(message)):
        translated(content, kind)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (XLIFF_1.replace("en-GB", "de"), "xliff", "in:3: its source language is `de`, and the model's is English"),
        (XLIFF_2.replace('srcLang="en"', 'srcLang="en" trgLang="fr"'), "xliff", "in:1: its target language is `fr`"),
        (TMX.replace('"en', '"de'), "tmx", "in:3: its source language is `de`"),
    ],
)
def test_other_languages(content: str, kind: Format, message: str):
    with pytest.raises(DataError, match=re.escape(message)):
        translated(content, kind)


def test_white_space_that_counts():
    unit = '<trans-unit id="1"{}><source>One\n  two.\nThree.</source></trans-unit>'
    file = '<xliff version="1.2"><file source-language="en"><body>{}</body></file></xliff>'
    assert "<target state" in text_of(file.format(unit.format("")), "xliff")
    (folded,) = targets(file.format(unit.format("")), "xliff")
    assert folded[0] == "ONE TWO. THREE."
    (kept,) = targets(file.format(unit.format(' xml:space="preserve"')), "xliff")
    assert kept[0] == "ONE\n  TWO.\nTHREE."


def test_thousand_segments():
    unit = '<trans-unit id="{0}"><source>Number <g id="1">{0}</g> left.</source></trans-unit>'
    units = "".join(unit.format(number) for number in range(1000))
    file = f'<xliff version="1.2"><file source-language="en"><body>{units}</body></file></xliff>'
    assert [each for each, _ in targets(file, "xliff")] == [f'NUMBER <g id="1">{n}</g> LEFT.' for n in range(1000)]
