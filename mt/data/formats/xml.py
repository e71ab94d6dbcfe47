"""The elements of XML files, streamed. No entity is resolved, no DTD loaded, nothing downloaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from mt.errors import DataError
from mt.languages import LanguagePair
from mt.text.lines import open_stream, utf8_from_utf16
from mt.wording import shorten

INVALID = "\ufdd0"
"""A noncharacter that replaces characters that XML forbids."""

_CHUNK_BYTES = 1 << 15
_PROLOGUE_CHUNK_BYTES = 256
_MAX_PROLOGUE_BYTES = 1 << 16
_MAX_UNIT_BYTES = 1 << 20

# In any encoding that begins with ASCII.
_MARKER = f"&#x{ord(INVALID):X};".encode()
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
_CONTROL = re.compile(b"[%s]" % re.escape(_CONTROLS))
_REFERENCE = re.compile(rb"&#(?:x([0-9a-fA-F]+)|([0-9]+)|[a-zA-Z]?[0-9a-fA-F]*);?")
_OPEN_REFERENCE = re.compile(rb"&(?:#[0-9a-zA-Z]{0,20})?$")


def language_of(code: str, languages: LanguagePair) -> str:
    """The code of a language of the pair, or another language, from a code such as `en-GB` or a name."""
    return _language_of(code[:40], languages)


@lru_cache(maxsize=256)
def _language_of(code: str, languages: LanguagePair) -> str:
    primary = re.split("[-_ (]", code.strip()[:20], maxsplit=1)[0].casefold()
    ours = (language.code for language in (languages.source, languages.target) if primary in language.names)
    return next(ours, primary)


def has_invalid_character(text: str) -> bool:
    """Whether the text has a mark for a character that XML forbids; in CDATA, the mark is a reference."""
    return INVALID in text or _MARKER.decode() in text


def without_marks(text: str) -> str:
    """The text with a replacement character for every invalid one."""
    return text.replace(INVALID, "\ufffd").replace(_MARKER.decode(), "\ufffd")


class _Mended:
    """Replaces characters at which an XML parser would stop by a mark, chunk by chunk.

    Files in UTF-32, and in UTF-16 without a BOM, are left as they are.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._is_on: bool | None = None

    def __call__(self, chunk: bytes) -> bytes:
        if self._is_on is None:
            self._is_on = b"\0" not in chunk
        if not self._is_on:
            return chunk
        content = self._rest + chunk
        # A reference may go on in the next chunk.
        cut = _OPEN_REFERENCE.search(content)
        end = cut.start() if cut else len(content)
        content, self._rest = content[:end], content[end:]
        if len(content.translate(None, _CONTROLS)) != len(content):
            content = _CONTROL.sub(_MARKER, content)
        return _REFERENCE.sub(_mended_reference, content) if b"&#" in content else content

    def rest(self) -> bytes:
        """The bytes held back at the end."""
        return self._rest


def _mended_reference(match: re.Match[bytes]) -> bytes:
    hexadecimal, decimal = match.groups()
    digits = hexadecimal or decimal
    if not digits or not match.group().endswith(b";") or len(digits) > 20:
        return _MARKER
    code = int(digits, 16 if hexadecimal else 10)
    is_valid = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return match.group() if is_valid else _MARKER


def elements(path: Path, *names: str) -> Iterator[Any]:
    """The elements with these names, as they are completed; memory for them and what is around them is freed."""
    with open_stream(path) as given:
        recoded = utf8_from_utf16(given)
        stream, encoding = (given, None) if recoded is None else (recoded, "utf-8")
        try:
            prologue, root_tag = _read_prologue(path, stream, encoding)
            parser = _pull_parser(("start", "end"), [root_tag, *(f"{{*}}{name}" for name in names)], encoding)
            mended = _Mended()
            parser.feed(mended(prologue))
            _, root = next(iter(parser.read_events()))
            watch = _Watch(path, root, names)
            for chunk in chain([b""], iter(lambda: stream.read(_CHUNK_BYTES), b"")):
                parser.feed(mended(chunk))
                for event, element in parser.read_events():
                    if event == "end" and element is not root:
                        _refuse_entities(element, path)
                        yield element
                        _free(element)
                        watch.unit_bytes = 0
                watch.look(chunk)
            parser.feed(mended.rest())
            parser.close()
        except etree.XMLSyntaxError as error:
            line, problem = error.lineno or 1, " ".join((error.msg or "").split())
            raise DataError(f"{path}:{line}: not valid XML ({problem}); export or fetch it again") from error
        except UnicodeError as error:
            raise DataError(f"{path}: not valid UTF-16; export or fetch it again") from error


def _pull_parser(events: tuple[str, ...], tags: list[str] | None, encoding: str | None) -> Any:
    """encoding: that of the bytes, whatever the file declares; None: the declared one."""
    return etree.XMLPullParser(
        encoding=encoding,
        events=events,
        tag=tags,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _read_prologue(path: Path, stream: BinaryIO, encoding: str | None) -> tuple[bytes, str]:
    """(bytes read so far, tag of the root). Raises `DataError` for what must not precede the root."""
    parser, prologue, mended = _pull_parser(("start",), None, encoding), b"", _Mended()
    while len(prologue) < _MAX_PROLOGUE_BYTES:
        chunk = stream.read(_PROLOGUE_CHUNK_BYTES)
        prologue += chunk
        parser.feed(mended(chunk)) if chunk else parser.close()
        for _, root in parser.read_events():
            if b"<!ATTLIST" in prologue.replace(b"\0", b""):
                # Defaults would be written into every element, so that a small file could fill the memory.
                raise DataError(f"{path}: declares attributes of its own (ATTLIST), which is refused, for safety")
            if ":" in local_name(root):
                raise DataError(
                    f"{path}: the prefix of its root `{shorten(root.tag)}` is not declared; export it again"
                )
            return prologue, root.tag
    raise DataError(f"{path}: no element in its first {_MAX_PROLOGUE_BYTES} bytes; is it a translation memory?")


class _Watch:
    """Frees what a file has between its units, and refuses units without end."""

    def __init__(self, path: Path, root: Any, names: tuple[str, ...]) -> None:
        self.unit_bytes = 0
        """Bytes of the unit that is open."""
        self._path, self._root, self._names = path, root, names
        self._tagless_bytes = 0

    def look(self, chunk: bytes) -> None:
        """Free what came with a chunk outside units. Raises `DataError` for a unit or text without end."""
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
    """Remove all closed elements outside the units. Returns whether a unit may still be open at the end."""
    element = root
    while len(element):
        # The last one may still be open, or be followed by text.
        del element[:-1]
        element = element[-1]
        if not isinstance(element.tag, str):
            return False
        if local_name(element) in names:
            # A unit that was read has been emptied.
            return len(element) > 0 or element.text is not None
    return False


def local_name(element: Any) -> str:
    """The tag of an element without its namespace; an undeclared prefix stays, where lxml's QName would raise."""
    return str(element.tag).rpartition("}")[2]
