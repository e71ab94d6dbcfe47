"""`mt translate`: window by window, in order, in flat memory."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.config import DecodingConfig, ModelConfig
from mt.models import decoding as decoding_module
from mt.models.translator import Translator
from mt.systems import streaming, translating
from mt.systems.streaming import translate_file, translate_lines
from tests.document_cases import Shouting
from tests.helpers import sources

MODEL, SEARCH = ModelConfig(name="none"), DecodingConfig(num_beams=1, engine="torch")


class Source:
    """Numbered lines, every seventh blank, that count how far they were read."""

    def __init__(self, count: int) -> None:
        self.count, self.read = count, 0

    def __iter__(self) -> Iterator[str]:
        for number in range(self.count):
            self.read += 1
            yield "" if number % 7 == 0 else f"line {number}"


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Translating is writing in capitals."""

    monkeypatch.setattr(translating, "open_translator", lambda model, search: Shouting())


@pytest.mark.usefixtures("shouting")
def test_nothing_is_read_ahead_of_its_window():
    source = Source(2500)
    found = translate_lines(MODEL, SEARCH, source)
    assert source.read == 0
    window = next(found)
    assert source.read == 1000
    assert window[:3] == ["", "LINE 1", "LINE 2"]
    assert window[7] == ""
    assert next(found)[0] == "LINE 1000"
    assert source.read == 2000
    assert len(next(found)) == 500
    assert next(found, None) is None


@pytest.mark.slow
@pytest.mark.usefixtures("shouting")
def test_memory_does_not_grow_with_the_text():
    peaks = []
    for count in (5_000, 100_000):
        tracemalloc.start()
        lines = sum(len(window) for window in translate_lines(MODEL, SEARCH, Source(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert lines == count
    assert peaks[1] < 1.2 * peaks[0]


def test_blank_text_loads_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(translating, "open_translator", lambda *_: pytest.fail("loaded"))
    assert list(translate_lines(MODEL, SEARCH, ["", "  ", ""])) == [["", "", ""]]
    assert list(translate_lines(MODEL, SEARCH, [])) == []
    (tmp_path / "empty.txt").write_text("")
    assert list(translate_file(MODEL, SEARCH, str(tmp_path / "empty.txt"))) == []


@pytest.mark.parametrize(("window", "engine"), [(20, "CTranslate2Translator"), (10, "TransformersTranslator")])
def test_first_window_decides_on_the_engine(
    window: int, engine: str, marian_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    used: list[str] = []

    def spy(translator: Translator, *arguments: object) -> list[str]:
        used.append(type(translator).__name__)
        return decoding_module.translate(translator, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(streaming, "translate", spy)
    monkeypatch.setattr(streaming, "WINDOW", window)
    monkeypatch.setattr("mt.systems.engine_choice.MIN_SENTENCES", 20)
    search = DecodingConfig(num_beams=1, max_length_ratio=0.2)
    found = list(translate_lines(ModelConfig(name=str(marian_directory)), search, sources(20)))
    assert used == [engine] * (20 // window)
    assert sum(map(len, found)) == 20


@pytest.mark.slow
def test_a_text_is_not_appended_to_itself(tmp_path: Path):
    text = tmp_path / "news.txt"
    text.write_text("The war ended.\n" * 3)
    before = text.read_bytes()
    command = [sys.executable, "-m", "mt.cli", "translate", "tiny-en-ar"]
    for more, standard_input in (([str(text)], subprocess.DEVNULL), ([], text.open("rb"))):
        with text.open("ab") as output:
            result = subprocess.run([*command, *more], stdin=standard_input, stdout=output, stderr=subprocess.PIPE)
        assert result.returncode == 1
        assert b"would be written to the text itself" in result.stderr
        assert text.read_bytes() == before
