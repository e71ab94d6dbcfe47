"""`tmx` and `xliff`: translation memories in XML. No entity is resolved, no DTD loaded, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from mt.config import CorpusConfig
from mt.data.formats.lines import open_stream, shorten
from mt.data.pair import Pair
from mt.errors import DataError

_ENGLISH, _ARABIC = ("en", "eng"), ("ar", "ara", "arb")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements whose content is code of the original document, not text.
_CODES = {"bpt", "ept", "ph", "it", "ut", "x", "bx", "ex", "sc", "ec", "cp"}

_CHUNK_BYTES = 1 << 15
_PROLOGUE_CHUNK_BYTES = 256
_MAX_PROLOGUE_BYTES = 1 << 16
_MAX_UNIT_BYTES = 1 << 20
_MAX_LANGUAGES = 100


def read_tmx(path: Path, _: CorpusConfig) -> Iterator[Pair]:
    """TMX 1.4; a unit that lacks a side has it empty. Raises `DataError`, also if no unit has both languages."""
    languages: set[str] = set()
    is_usable = False
    for number, unit in enumerate(_elements(path, "tu"), start=1):
        sides: dict[str, str] = {}
        for variant in unit.iterchildren("{*}tuv"):
            language = _language(variant.get(_LANGUAGE) or variant.get("lang") or "")
            segment = variant.find("{*}seg")
            sides.setdefault(language, "" if segment is None else _text(segment))
        languages |= set(sides) if len(languages) < _MAX_LANGUAGES else set()
        is_usable |= {"en", "ar"} <= set(sides)
        yield Pair(sides.get("en", ""), sides.get("ar", ""), place=f"{path}:unit {number}")
    if languages and not is_usable:
        found = shorten(", ".join(sorted(languages)))
        raise DataError(f"{path}: no unit holds both English and Arabic; its languages are {found}")


def read_xliff(path: Path, _: CorpusConfig) -> Iterator[Pair]:
    """XLIFF 1.2 and 2.0, in either direction; a segment without a target has it empty. Raises `DataError`."""
    number = 0
    for element in _elements(path, "trans-unit", "segment"):
        source, target = element.find("{*}source"), element.find("{*}target")
        if source is None:
            continue
        number += 1
        english, arabic = _text(source), "" if target is None else _text(target)
        if not _is_from_english(element, path):
            english, arabic = arabic, english
        yield Pair(english, arabic, place=f"{path}:unit {number}")


def _is_from_english(element: Any, path: Path) -> bool:
    for ancestor in element.iterancestors():
        codes = [ancestor.get(name) for name in ("source-language", "srcLang", "target-language", "trgLang")]
        if any(codes):
            source, target = (_language(codes[i] or codes[i + 1] or "") for i in (0, 2))
            if {source, target} <= {"en", "ar", ""} and source != target:
                return source == "en" or target == "ar"
            raise DataError(f"{path}: is {source or '?'} to {target or '?'}; expected English and Arabic")
    raise DataError(f"{path}: its languages are not declared; write them into source-language and target-language")


def _language(code: str) -> str:
    primary = code[:20].replace("_", "-").partition("-")[0].casefold()
    return "en" if primary in _ENGLISH else "ar" if primary in _ARABIC else primary


def _elements(path: Path, *names: str) -> Iterator[Any]:
    """The elements of these names as they are completed; they, and all that lies around them, are freed meanwhile."""
    with open_stream(path) as stream:
        try:
            prologue, root_tag = _read_prologue(path, stream)
            parser = _pull_parser(("start", "end"), [root_tag, *(f"{{*}}{name}" for name in names)])
            parser.feed(prologue)
            _, root = next(iter(parser.read_events()))
            watch = _Watch(path, root, names)
            for chunk in chain([b""], iter(lambda: stream.read(_CHUNK_BYTES), b"")):
                parser.feed(chunk)
                for event, element in parser.read_events():
                    if event == "end" and element is not root:
                        _refuse_entities(element, path)
                        yield element
                        _free(element)
                        watch.unit_bytes = 0
                watch.look(chunk)
            parser.close()
        except etree.XMLSyntaxError as error:
            line, problem = error.lineno or 1, " ".join((error.msg or "").split())
            raise DataError(f"{path}:{line}: not valid XML ({problem}); export or fetch it again") from error


def _pull_parser(events: tuple[str, ...], tags: list[str] | None) -> Any:
    return etree.XMLPullParser(
        events=events,
        tag=tags,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _read_prologue(path: Path, stream: BinaryIO) -> tuple[bytes, str]:
    """(bytes read, tag of the root) once the root has begun. Raises `DataError` for what may not precede it."""
    parser, prologue = _pull_parser(("start",), None), b""
    while len(prologue) < _MAX_PROLOGUE_BYTES:
        chunk = stream.read(_PROLOGUE_CHUNK_BYTES)
        prologue += chunk
        parser.feed(chunk) if chunk else parser.close()
        for _, root in parser.read_events():
            if b"<!ATTLIST" in prologue.replace(b"\0", b""):
                # A default would be written into every element: a small file that fills the memory.
                raise DataError(f"{path}: declares attributes of its own (ATTLIST), which is refused, for safety")
            if ":" in _local_name(root):
                raise DataError(
                    f"{path}: the prefix of its root `{shorten(root.tag)}` is not declared; export it again"
                )
            return prologue, root.tag
    raise DataError(f"{path}: no element in its first {_MAX_PROLOGUE_BYTES} bytes; is it a translation memory?")


class _Watch:
    """What a file holds between its units, as much as it likes, and none of it is kept."""

    def __init__(self, path: Path, root: Any, names: tuple[str, ...]) -> None:
        self.unit_bytes = 0
        """Bytes since a unit ended, while another one is open."""
        self._path, self._root, self._names = path, root, names
        self._tagless_bytes = 0

    def look(self, chunk: bytes) -> None:
        """Free what came with a chunk and is in no unit. Raises `DataError` for a unit or text without end."""
        end = chunk.rfind(b">")
        self._tagless_bytes = self._tagless_bytes + len(chunk) if end < 0 else len(chunk) - end
        is_in_unit = _prune(self._root, self._names)
        self.unit_bytes = self.unit_bytes + len(chunk) if is_in_unit else 0
        if max(self.unit_bytes, self._tagless_bytes) > _MAX_UNIT_BYTES:
            what = "a unit" if is_in_unit else "a text or tag"
            raise DataError(
                f"{self._path}: {what} of more than {_MAX_UNIT_BYTES} bytes, which is no sentence pair; "
                "export or fetch it again"
            )


def _refuse_entities(element: Any, path: Path) -> None:
    entity = next(element.iter(etree.Entity), None)
    if entity is not None:
        raise DataError(
            f"{path}:{element.sourceline}: the entity `{entity.text}` is not one of XML's own five and is not "
            "resolved, for safety; write its text out"
        )


def _free(element: Any) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _prune(root: Any, names: tuple[str, ...]) -> bool:
    """Remove all that is closed for good and outside the units; returns whether a unit may still be open at the end."""
    element = root
    while len(element):
        # The last one may still be open, or text may still come behind it.
        del element[:-1]
        element = element[-1]
        if not isinstance(element.tag, str):
            return False
        if _local_name(element) in names:
            # A unit that was read is empty now.
            return len(element) > 0 or element.text is not None
    return False


def _local_name(element: Any) -> str:
    """Its tag without the namespace; with a prefix that is not declared, which lxml's QName refuses."""
    return str(element.tag).rpartition("}")[2]


def _text(element: Any) -> str:
    """The text of a segment without the codes inside it."""
    parts = [element.text or ""]
    for child in element:
        is_code = _local_name(child) in _CODES
        parts += ["" if is_code else _text(child), child.tail or ""]
    return "".join(parts)
