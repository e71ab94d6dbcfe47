"""`srt` and `vtt`: subtitles. Each cue is translated on its own, and keeps its times, tags and number of lines."""

from __future__ import annotations

import html
import io
import re
from typing import Any

from mt.documents.marked import ROOT, Builder, Marked, Unit
from mt.documents.reading import bom_of, require, unix_text
from mt.errors import DataError
from mt.languages import LanguagePair

_TAG = re.compile(r"<(?P<close>/?)(?P<name>\w+)[^<>]*>|\{\\[^{}]*\}")
_SPEAKER = re.compile(r"\s*(?:(?:<[^<>]+>|\{[^{}]*\})\s*)*[-–—]\s*\S")
_TIMES = re.compile(r"^\s*(?:\d+:)?\d\d:\d\d\.\d{3}\s+-->\s+(?:\d+:)?\d\d:\d\d\.\d{3}(?:\s|$)")
_LINE_CHARACTERS = 42


class SubtitleDocument:
    """The cues of a file, whose library reads and writes all that is not their text."""

    line_end = "\n"
    """That of the file, which the libraries do not keep."""

    def __init__(self, cues: list[Any], fields: tuple[str, str], bom: bytes, *, is_vtt: bool) -> None:
        """fields: the attributes of a cue from which its text is read, with its tags, and to which it is written."""
        self._cues, self._field, self._bom, self._is_vtt = cues, fields[1], bom, is_vtt
        self._texts = [str(getattr(cue, fields[0])) for cue in cues]
        self.units = [
            Unit(_marked(text, is_vtt=is_vtt), f"cue {number}") for number, text in enumerate(self._texts, start=1)
        ]

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The file with the text of each cue translated."""
        for cue, text, translation in zip(self._cues, self._texts, translations, strict=True):
            lines = 1 if _has_own_lines(text) else len(text.strip().splitlines())
            setattr(cue, self._field, _written(translation, lines, is_vtt=self._is_vtt) if text.strip() else text)
        return self._bom + self.composed().replace("\n", self.line_end).encode("utf-8", "replace")

    def composed(self) -> str:
        """The file as its library writes it."""
        raise NotImplementedError


class SrtDocument(SubtitleDocument):
    """SubRip, by the package `srt`."""

    def composed(self) -> str:
        """The numbers of the cues stay, even where one is missing."""
        import srt

        return str(srt.compose(self._cues, reindex=False, strict=False))


class VttDocument(SubtitleDocument):
    """WebVTT, by the package `webvtt-py`."""

    def __init__(self, file: Any, bom: bytes) -> None:
        super().__init__(file.captions, ("raw_text", "text"), bom, is_vtt=True)
        self._file = file

    def composed(self) -> str:
        """With styles, notes, identifiers and settings."""
        return str(self._file.content).rstrip("\n") + "\n"


def read_srt(content: bytes, name: str) -> SrtDocument:
    """An SRT file. Raises `DataError`, naming the line at which it ceases to be one."""
    require("srt", "srt", name)
    import srt

    text, line_end = unix_text(content, name)
    if not text.strip():
        return SrtDocument([], ("content", "content"), bom_of(content), is_vtt=False)
    try:
        cues = list(srt.parse(text))
    except (srt.SRTParseError, srt.TimestampParseError, ValueError, OverflowError) as error:
        line = text.count("\n", 0, getattr(error, "expected_start", 0)) + 1
        raise DataError(
            f"{name}:{line}: no subtitle with its number and times, as `00:00:01,000 --> 00:00:02,500`; mend it there, "
            "or translate the file with --format text"
        ) from error
    document = SrtDocument(cues, ("content", "content"), bom_of(content), is_vtt=False)
    document.line_end = line_end
    return document


def read_vtt(content: bytes, name: str) -> VttDocument:
    """A WebVTT file. Raises `DataError`."""
    require("webvtt-py", "webvtt", name)
    import webvtt

    text, line_end = unix_text(content, name)
    try:
        file = webvtt.from_buffer(io.StringIO(text))
    except webvtt.errors.MalformedFileError as error:
        raise DataError(f"{name}:1: no WebVTT file ({error}); its first line must begin with WEBVTT") from error
    except (webvtt.errors.MalformedCaptionError, ValueError) as error:
        raise DataError(f"{name}: damaged WebVTT file ({error}); export it again") from error
    lost = _lost_line(text, file)
    if lost is not None:
        raise DataError(
            f"{name}:{lost}: belongs to no cue with times such as `00:00:01.000 --> 00:00:02.500`; mend it there"
        )
    document = VttDocument(file, bom_of(content))
    document.line_end = line_end
    return document


def _lost_line(text: str, file: Any) -> int | None:
    """The number of the first line that webvtt-py has passed over, as it does with what it cannot read."""
    kept = {line.strip() for line in str(file.content).splitlines()}
    lines = text.split("\n")
    times = [number for number, line in enumerate(lines, start=1) if "-->" in line]
    texts = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    lost = [number for number, line in texts if line not in kept and number not in times]
    bad = [number for number in times if not _TIMES.search(lines[number - 1])]
    return min([*lost, *bad], default=None) if bad or lost or len(times) != len(file.captions) else None


def _has_own_lines(text: str) -> bool:
    """Whether the lines of a cue are spoken by different people, and not one text in two lines."""
    return "\n\n" in text.strip("\n") or sum(bool(_SPEAKER.match(line)) for line in text.splitlines()) > 1


def _marked(text: str, *, is_vtt: bool) -> Marked:
    """The text of a cue: tags are marks, and a line break is a space unless another person goes on there."""
    text = text.strip("\n") if _has_own_lines(text) else " ".join(text.split("\n"))
    builder = Builder()
    _add(builder, text, is_vtt=is_vtt)
    return builder.marked()


def _add(builder: Builder, text: str, *, is_vtt: bool) -> None:
    position = 0
    while match := _TAG.search(text, position):
        builder.add(_unescaped(text[position : match.start()], is_vtt=is_vtt))
        end = _closing(text, match)
        if end is None:
            builder.point(match.group())
            position = match.end()
            continue
        with builder.mark((match.group(), text[end[0] : end[1]])):
            _add(builder, text[match.end() : end[0]], is_vtt=is_vtt)
        position = end[1]
    builder.add(_unescaped(text[position:], is_vtt=is_vtt))


def _closing(text: str, opening: re.Match[str]) -> tuple[int, int] | None:
    """Where the tag that closes `opening` begins and ends; None if there is none, or if it is no opening tag."""
    if not opening["name"] or opening["close"]:
        return None
    depth = 1
    for match in _TAG.finditer(text, opening.end()):
        if match["name"] == opening["name"]:
            depth += -1 if match["close"] else 1
            if not depth:
                return match.span()
    return None


def _unescaped(text: str, *, is_vtt: bool) -> str:
    return html.unescape(text) if is_vtt else text


def _written(marked: Marked, lines: int, *, is_vtt: bool) -> str:
    """The text of a cue, in as many lines as it had, if it is long enough for them."""
    breaks = _breaks(marked.text, lines)
    text = "".join("\n" if index in breaks else each for index, each in enumerate(marked.text))
    return "".join(_pieces(Marked(text, marked.marks), ROOT, is_vtt=is_vtt))


def _breaks(text: str, lines: int) -> set[int]:
    """The spaces at which a text is broken into lines of similar length."""
    count = max(1, lines if len(text) > _LINE_CHARACTERS else 1)
    spaces = [index for index, character in enumerate(text) if character == " "]
    targets = [len(text) * line / count for line in range(1, count)]
    return {min(spaces, key=lambda index: abs(index - target)) for target in targets} if spaces else set()


def _pieces(marked: Marked, parent: int, *, is_vtt: bool) -> list[str]:
    found: list[str] = []
    for piece in marked.pieces(parent):
        if isinstance(piece, str):
            found.append(html.escape(piece, quote=False) if is_vtt else piece)
            continue
        tag = marked.marks[piece].tag
        opening, closing = tag if isinstance(tag, tuple) else (tag, "")
        found += [opening, *_pieces(marked, piece, is_vtt=is_vtt), closing]
    return found
