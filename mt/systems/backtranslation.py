"""Back-translation: text that people wrote in the target language gets sources, which a model writes.

Windows of lines are translated one after the other, and kept as they come. A window always holds the same lines, and is
decoded by the same engine, whether the work was interrupted or not: on a CPU the table is the same, too.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import mt
from mt.config import DecodingConfig, ModelConfig
from mt.data.formats.backtranslated import COLUMNS, provenance_file, rows_as_bytes
from mt.errors import DataError, ModelError
from mt.input_files import is_pipe
from mt.languages import Language
from mt.models.decoding import prepared, translate
from mt.models.engines import TORCH, Engine
from mt.models.model_files import shown
from mt.models.translator import Translator
from mt.progress import ProgressMeter
from mt.systems.engine_choice import plan_engine
from mt.systems.made_with import difference, made_with
from mt.systems.streaming import lines_of
from mt.systems.translating import open_by
from mt.systems.unfinished_table import ANEW, BegunOtherwise, UnfinishedTable
from mt.text.normalise import normalise, script_share

WINDOW = 1000
"""Lines that are translated together and kept together: an interruption costs at most these."""

# A headline or two may well be in other letters.
_ENOUGH_TO_TELL = 3

Row = tuple[str, str, str, str]
"""Cells in the order of `COLUMNS`."""


@dataclass(frozen=True)
class Text:
    """A text whose lines are translated."""

    file: str
    """`-`: standard input."""
    name: str
    """Its name in the table, the document of its pairs."""

    @property
    def is_pipe(self) -> bool:
        """Whether it can be read only once."""
        return self.file == "-" or is_pipe(self.file)


def count_lines(texts: Sequence[Text], decoding: DecodingConfig) -> int:
    """The lines of all texts. Raises `DataError` for one that is not readable to its end, before hours of work."""
    return sum(1 for text in texts for _ in lines_of(decoding, text.file))


class BackTranslation:
    """One table in the making."""

    def __init__(
        self, model: ModelConfig, decoding: DecodingConfig, texts: Sequence[Text], table: UnfinishedTable
    ) -> None:
        """Raises `ModelError` if the model cannot be identified, and `ConfigError` for unknown languages."""
        self._model, self._decoding, self._texts, self._table = model, decoding, texts, table
        self._languages = model.languages
        self._made_with = made_with(model, decoding, WINDOW)
        self._translator: Translator | None = None
        self._engine: Mapping[str, str] | None = None
        self._inputs: list[dict[str, Any]] = []
        """For each text that was begun: document, lines that are done, and the SHA-256 of those."""
        self.counts: Counter[str] = Counter()
        """`lines` read; of these `blank`, `too long` for the model, `untranslated` by it; the others are `pairs`."""
        self.kept_pairs = 0
        """Those on the disk."""
        self._is_direction_known = False

    def make(self, lines: int | None = None, *, overwrite: bool = False) -> None:
        """Go on where an earlier process was, translate what is left, and give the table its name.

        lines: the number of all lines, if it is known. overwrite: begin anew if the table was begun otherwise.

        Raises `UserError`s: without `overwrite`, for a table that was begun otherwise or is damaged; for a model of
        another direction; and if there is no pair.
        """
        try:
            state = self._table.state()
            if state is not None:
                self._take_over(state)
            self._translate(lines)
        except BegunOtherwise as error:
            if not overwrite or error.has_read_pipe:
                raise
            self._table.discard()
            self._forget()
            self._translate(lines)

    def _forget(self) -> None:
        """Nothing was done."""
        self._translator, self._engine, self._inputs = None, None, []
        self.counts, self.kept_pairs = Counter(), 0

    def _take_over(self, state: Mapping[str, Any]) -> None:
        found, now = state.get("made_with"), self._made_with
        if not isinstance(found, dict) or found != now:
            raise BegunOtherwise(
                f"{self._table.unfinished}: was begun with {difference(found, now)}; go on as it was begun, or {ANEW}"
            )
        names = [each["document"] for each in state["inputs"]]
        if names != [text.name for text in self._texts][: len(names)]:
            raise BegunOtherwise(
                f"{self._table.unfinished}: was begun from {', '.join(names)}; name the same texts first, or {ANEW}"
            )
        self._inputs, self._engine = state["inputs"], state["engine"]
        self.counts = Counter(state["counts"])
        self.kept_pairs = self.counts["pairs"]

    def _translate(self, lines: int | None) -> None:
        done = self.counts["lines"]
        with ProgressMeter("back-translate", lines, "lines", done=done) as meter:
            for text, first, window in self._windows():
                rows = self._rows(text, first, window, meter)
                self._keep(rows)
        if self._table.is_empty:
            names = ", ".join(text.name for text in self._texts)
            raise DataError(f"{names}: no line could be translated ({self.in_words()})")
        self._table.finish(provenance_file(self._table.path), self._provenance())

    def in_words(self) -> str:
        """`940 pairs of 1,000 lines; left out: 50 blank, 10 too long`."""
        left_out = [f"{self.counts[name]:,} {name}" for name in ("blank", "too long", "untranslated")]
        left_out = [each for each in left_out if not each.startswith("0 ")]
        said = f"{self.counts['pairs']:,} pairs of {self.counts['lines']:,} lines"
        return f"{said}; left out: {', '.join(left_out)}" if left_out else said

    def _windows(self) -> Iterator[tuple[Text, int, list[str]]]:
        """(text, number of the first line, lines) of each window that is left."""
        begun = len(self._inputs)
        for index, text in enumerate(self._texts):
            lines, digest = lines_of(self._decoding, text.file), hashlib.sha256()
            if index < begun:
                self._skip(lines, digest, self._inputs[index], is_done=index < begun - 1)
            else:
                self._inputs.append({"document": text.name, "lines": 0, "sha256": digest.hexdigest()})
            own = self._inputs[index]
            while window := list(islice(lines, WINDOW)):
                for line in window:
                    digest.update(f"{line}\n".encode())
                first = own["lines"] + 1
                own |= {"lines": own["lines"] + len(window), "sha256": digest.hexdigest()}
                yield text, first, window

    def _skip(self, lines: Iterator[str], digest: Any, known: Mapping[str, Any], *, is_done: bool) -> None:
        """Read over the lines that were translated before. Raises `RunError` if they are others."""
        count = 0
        for line in islice(lines, known["lines"]):
            digest.update(f"{line}\n".encode())
            count += 1
        is_same = count == known["lines"] and digest.hexdigest() == known["sha256"]
        if not is_same or (is_done and next(lines, None) is not None):
            raise self._otherwise(
                f"{known['document']}: has changed since {self._table.unfinished} was begun; put the former text back"
            )

    def _otherwise(self, fault: str) -> BegunOtherwise:
        """The error for what is found while texts are read."""
        # What a pipe has given cannot be read again.
        has_read_pipe = any(text.is_pipe for text in self._texts)
        remedy = (
            f"remove {self._table.state_file} and {self._table.unfinished} to begin anew" if has_read_pipe else ANEW
        )
        return BegunOtherwise(f"{fault}, or {remedy}", has_read_pipe=has_read_pipe)

    def _rows(self, text: Text, first: int, window: list[str], meter: ProgressMeter) -> list[Row]:
        """The rows of a window; each line that occurs in it several times is translated once."""
        targets = [normalise(line) for line in window]
        distinct = list(dict.fromkeys(filter(None, targets)))
        sources = self._translations(distinct, meter) if distinct else {}
        meter.advance(len(window) - len(sources))
        rows: list[Row] = []
        for number, (line, target) in enumerate(zip(window, targets, strict=True), start=first):
            source = sources.get(target, "")
            kind = "pairs" if source else "blank" if not target else "untranslated" if target in sources else "too long"
            self.counts.update({"lines": 1, kind: 1})
            if source:
                rows.append((source, line, text.name, str(number)))
        return rows

    def _translations(self, targets: list[str], meter: ProgressMeter) -> dict[str, str]:
        """The model's translations, by target; those that are too long for it have none.

        Cut as `mt translate` cuts it, a long target would get the translation of its beginning for a source.
        """
        if not self._is_direction_known:
            self._check_letters(targets, self._languages.source, "sentences", "from")
        translator = self._translator = self._translator or self._opened(targets)
        lengths = [len(ids) for ids in translator.encode_sources(prepared(targets, self._decoding))]
        fitting = [target for target, length in zip(targets, lengths, strict=True) if length <= translator.max_tokens]
        found = translate(translator, fitting, self._decoding, meter=meter)
        if not self._is_direction_known:
            self._is_direction_known = self._check_letters(found, self._languages.target, "translations", "into")
        return dict(zip(fitting, found, strict=True))

    def _check_letters(self, texts: list[str], language: Language, what: str, preposition: str) -> bool:
        """Whether there are enough texts to tell. Raises `ModelError` if most of them are in other letters than those
        of the language."""
        if not self._languages.has_two_scripts:
            return True
        with_letters = [text for text in texts if any(map(str.isalpha, text))]
        wrong = [text for text in with_letters if script_share(text, language.script) < 0.5]
        is_enough = len(with_letters) >= _ENOUGH_TO_TELL
        if is_enough and len(wrong) * 2 > len(with_letters):
            raise ModelError(
                f"{shown(self._model.name)}: should translate {preposition} {language.name}, but {len(wrong)} of the "
                f"first {len(with_letters)} {what} are not in {language.script_name} letters, such as "
                f"`{wrong[0]:.40}`; name a model of the other direction, or set --model.source_language and "
                "--model.target_language"
            )
        return is_enough

    def _opened(self, targets: list[str]) -> Translator:
        """The model, on the engine that the table was begun with, or that the first window is large enough for."""
        decoding = self._decoding
        if self._engine is not None and decoding.engine == "auto":
            decoding = replace(decoding, engine="torch" if self._engine["name"] == TORCH else "ctranslate2")
        try:
            planned = plan_engine(self._model, decoding, len(targets))
            translator, engine = open_by(planned, self._model, decoding, targets)
        except ModelError as error:
            fault = str(error).removeprefix(f"{self._model.name}: ")
            raise ModelError(f"{shown(self._model.name)}: cannot translate {self._languages}: {fault}") from error
        if self._engine not in (None, asdict(engine)):
            raise self._otherwise(
                f"{self._table.unfinished}: was begun with {Engine(**self._engine or {})}, and this is {engine}; go on "
                "as it was begun"
            )
        self._engine = asdict(engine)
        return translator

    def _keep(self, rows: list[Row]) -> None:
        if self._table.is_empty:
            if not rows:
                return
            rows = [COLUMNS, *rows]
        state = {"made_with": self._made_with, "engine": self._engine, "inputs": self._inputs}
        self._table.add(rows_as_bytes(rows), {**state, "counts": dict(self.counts)})
        self.kept_pairs = self.counts["pairs"]

    def _provenance(self) -> dict[str, Any]:
        model, made = self._model, self._made_with
        return {
            "made_by": f"mt {mt.__version__} backtranslate",
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "model": {"name": model.name, "revision": model.revision, "identity": made["model"]},
            "languages": {"source": model.source_language, "target": model.target_language},
            "decoding": made["decoding"],
            **{name: made[name] for name in ("terms", "prompt") if made.get(name)},
            "engine": self._engine,
            "inputs": self._inputs,
            "counts": dict(self.counts),
            "sha256": self._table.sha256,
        }
