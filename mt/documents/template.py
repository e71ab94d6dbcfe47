"""Documents that are text: what is copied, with the translations of the units between."""

from __future__ import annotations

from mt.documents.marked import Marked, Unit
from mt.languages import LanguagePair


class TextDocument:
    """A file in pieces, each of them text that is copied or a unit; its translation is in UTF-8."""

    def __init__(self, bom: bytes = b"") -> None:
        """bom: what the translation begins with."""
        self.units: list[Unit] = []
        self._bom = bom
        self._parts: list[str | int] = []

    def copy(self, text: str) -> None:
        """Go on with text that is not translated."""
        self._parts.append(text)

    def translate(self, unit: Unit) -> None:
        """Go on with a unit."""
        self._parts.append(len(self.units))
        self.units.append(unit)

    def as_text(self, unit: Unit, translation: Marked) -> str:
        """How the translation of a unit is written; formats with markup have their own way."""
        return translation.text

    def render(self, translations: list[Marked], languages: LanguagePair) -> bytes:
        """The file with the translations in place of the units."""
        texts = [self.as_text(*each) for each in zip(self.units, translations, strict=True)]
        whole = "".join(part if isinstance(part, str) else texts[part] for part in self._parts)
        return self._bom + whole.encode("utf-8", "replace")
