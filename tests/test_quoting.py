"""Files of translations that a spreadsheet wrote as CSV of one column, and those that are plain text."""

from pathlib import Path

import pytest

from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC
from mt.systems.system import System
from mt.systems.texts import _translations_in

SAID = 'قال "لا" مرتين.'
PLAIN = ["البلدة هادئة.", '"سنبقى"، قال رئيس البلدية.', SAID]


def read(path: Path, content: str, count: int) -> list[str]:
    path.write_text(content, encoding="utf-8")
    return _translations_in(System("a", str(path)).text_file("news"), count, ENGLISH_TO_ARABIC)


def quoted(line: str) -> str:
    return '"' + line.replace('"', '""') + '"'


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_column_with_doubled_marks_is_unquoted(name: str, tmp_path: Path):
    lines = [PLAIN[0], *map(quoted, PLAIN[1:])]
    assert read(tmp_path / name, "\n".join(lines), 3) == PLAIN
    assert read(tmp_path / name, "\r\n".join(map(quoted, PLAIN)), 3) == PLAIN
    assert read(tmp_path / name, "\r".join(map(quoted, PLAIN)), 3) == PLAIN


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_plain_text_stays_as_it_is(name: str, tmp_path: Path):
    assert read(tmp_path / name, "\n".join(PLAIN), 3) == PLAIN
    single = ['"سنبقى".', '"سنبقى هنا."', "", "نعم."]
    assert read(tmp_path / name, "\n".join(single), 4) == single
    odd = [*PLAIN, '"قال ""لا""."']
    assert read(tmp_path / name, "\n".join(odd), 4) == odd


def test_only_the_ending_tells_what_is_quoted_for_its_comma(tmp_path: Path):
    lines = ["نعم.", '"2,000 شخص."']
    assert read(tmp_path / "a.csv", "\n".join(lines), 2) == ["نعم.", "2,000 شخص."]
    assert read(tmp_path / "a.txt", "\n".join(lines), 2) == lines


def test_a_cell_of_two_lines_is_one_translation(tmp_path: Path):
    assert read(tmp_path / "a.csv", f'نعم.\n"سطر\nآخر."\n{quoted(SAID)}\n', 3) == ["نعم.", "سطر آخر.", SAID]


def test_empty_lines_are_translations_too(tmp_path: Path):
    assert read(tmp_path / "a.csv", f"\n{quoted(SAID)}\n\n", 3) == ["", SAID, ""]


@pytest.mark.parametrize("header", ["translation", '"Arabic"', "target"])
def test_a_header_is_no_translation(header: str, tmp_path: Path):
    assert read(tmp_path / "a.csv", "\n".join([header, *map(quoted, PLAIN)]), 3) == PLAIN
    assert len(read(tmp_path / "a.csv", "\n".join([header, *PLAIN]), 4)) == 4


def test_a_column_that_is_quoted_in_part_is_refused(tmp_path: Path):
    lines = [quoted(PLAIN[1]), quoted(SAID), '"قال" لا.']
    with pytest.raises(DataError, match=r"a\.csv:3: most lines are quoted as in `format csv`, .* but this one is not"):
        read(tmp_path / "a.csv", "\n".join(lines), 3)
