"""All runs and evaluations as one table: what is in its columns, and how it is sorted."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mt.errors import UsageError
from mt.evaluation.metrics import LOWER_IS_BETTER
from mt.files import printable
from mt.report.leaderboard_columns import Cell, Column, Group, date_cell, score_cell, size_cell, text_cell, time_cell
from mt.report.leaderboard_options import ABSENT, differing, section_of
from mt.report.leaderboard_reading import FINISHED, Entry, Score
from mt.wording import counted, shorten

_MAX_DOUBTS = 12
_VAGUE = frozenset({"name", "path", "split", "weight", "format"})
_ALIASES = {"date": "started", "time": "wall time", "base": "base model", "status": "state"}


@dataclass
class Board:
    """The table; cells are in the order of columns, rows in the order in which they are shown."""

    columns: list[Column]
    rows: list[list[Cell]]
    entries: list[Entry]
    """What each row is about."""
    notes: list[str] = field(default_factory=list)

    def narrowed(self, limits: Mapping[Group, int]) -> Board:
        """Without the last columns of a group that has more than its limit; a note says how many are missing."""
        seen: Counter[Group] = Counter()
        kept: list[int] = []
        for number, column in enumerate(self.columns):
            seen[column.group] += 1
            if seen[column.group] <= limits.get(column.group, len(self.columns)):
                kept.append(number)
        words: dict[Group, str] = {
            "scores": "column of scores",
            "forgetting": "column of forgetting",
            "options": "option",
        }
        hidden = [_plural(seen[group] - limit, words[group]) for group, limit in limits.items() if seen[group] > limit]
        note = (
            [f"not shown: {', '.join(hidden)}; --test_set and --metric choose, --format csv has all"] if hidden else []
        )
        rows = [[row[number] for number in kept] for row in self.rows]
        return Board([self.columns[number] for number in kept], rows, self.entries, [*self.notes, *note])

    def ordered(self, key: str | None, *, reverse: bool = False) -> Board:
        """Sorted by a column, the best, newest or largest first; what has no value comes last.

        key: a column's name, the last part of an option's, or a test set's. Default: the first column of scores.
        Raises `UsageError`, listing the columns, if there is none of this name.
        """
        scores = (number for number, column in enumerate(self.columns) if column.group == "scores")
        number = next(scores, 0) if key is None else self._place(key)
        largest_first = self.columns[number].largest_first != reverse
        empty = [i for i, row in enumerate(self.rows) if row[number].value is None]
        full = [i for i, row in enumerate(self.rows) if row[number].value is not None]
        full.sort(key=lambda i: _order(self.rows[i][number]), reverse=largest_first)
        order = [*full, *empty]
        return replace(self, rows=[self.rows[i] for i in order], entries=[self.entries[i] for i in order])

    def _place(self, key: str) -> int:
        wanted = _ALIASES.get(key.casefold(), key.casefold())
        names: Sequence[Callable[[Column], str]] = (
            lambda column: column.key,
            lambda column: column.title,
            lambda column: column.test_set,
            lambda column: column.key.rpartition(".")[2] if column.group == "options" else "",
        )
        for name in names:
            for number, column in enumerate(self.columns):
                if name(column).casefold() == wanted:
                    return number
        raise UsageError(
            f"--sort {key}: there is no such column; choose one of {', '.join(c.key for c in self.columns)}"
        )


def _plural(count: int, what: str) -> str:
    """`1 column of scores`, `2 columns of scores`."""
    return (
        f"{count} {what}" if count == 1 else f"{count} {what.replace('column', 'columns').replace('option', 'options')}"
    )


def _order(cell: Cell) -> tuple[int, float, str]:
    """Numbers by size, before text by its letters: an option may hold both."""
    if isinstance(cell.value, int | float):
        return 0, float(cell.value), ""
    return 1, 0.0, str(cell.value).casefold()


def make_board(entries: Sequence[Entry], metrics: Sequence[str], test_sets: Sequence[str] = ()) -> Board:
    """The table of these entries, in their order.

    metrics: the metrics of its columns. test_sets: names; default: all. A column holds scores on one test set only: the
    same sentences, scored in the same way. Two that share no fingerprint have a column each, even under one name.
    """
    entries = with_common_bases(entries)
    contents = _same_contents(entries)
    board = Board([], [[] for _ in entries], list(entries))
    _add(board, Column("name", "name", "run"), [text_cell(entry.name) for entry in entries])
    if any(entry.state != FINISHED for entry in entries):
        _add(board, Column("state", "state", "run"), [text_cell(entry.state) for entry in entries])
    wanted = [[s for s in e.scores if s.metric in metrics and _is_wanted(s, test_sets)] for e in entries]
    _add_scores(board, wanted, contents, metrics, "scores")
    lost = [[s for s in e.forgotten if s.metric in metrics and _is_wanted(s, test_sets)] for e in entries]
    _add_scores(board, lost, contents, metrics, "forgetting")
    _add(board, Column("base model", "base model", "run"), [text_cell(entry.base) for entry in entries])
    _add(board, Column("method", "method", "run"), [text_cell(entry.method) for entry in entries])
    _add_options(board)
    started = Column("started", "started (UTC)", "facts", largest_first=True)
    _add(board, started, [date_cell(entry.started) for entry in entries])
    _add(board, Column("wall time", "wall time", "facts"), [time_cell(entry.seconds) for entry in entries])
    size = Column("size", "on disk", "facts", "Everything in the directory.", largest_first=True)
    _add(board, size, [size_cell(entry.size) for entry in entries])
    board.notes += _doubts(board)
    return board


def _doubts(board: Board) -> list[str]:
    """Why no verdict may rest on some of the scores, each reason once."""
    found = [
        f"! {entry.name}, {column.title}: {cell.note}"
        for entry, row in zip(board.entries, board.rows, strict=True)
        for column, cell in zip(board.columns, row, strict=True)
        if cell.note and column.group == "scores"
    ]
    more = (
        [f"! {counted(len(found) - _MAX_DOUBTS, 'score')} more without a verdict"] if len(found) > _MAX_DOUBTS else []
    )
    return [*found[:_MAX_DOUBTS], *more]


def with_common_bases(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, in which a base that several runs were scored beside, with the same scores, comes only once."""
    kept: list[Entry] = []
    bases: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind != "base model":
            kept.append(entry)
            continue
        identity = json.dumps([entry.base, section_of(entry.manifest, "base_model").get("identity")], sort_keys=True)
        known = bases.setdefault(identity, entry)
        if known is entry:
            kept.append(entry)
        elif _agree(known, entry):
            there = {(score.test_set, score.metric, score.signature) for score in known.scores}
            known.scores += [s for s in entry.scores if (s.test_set, s.metric, s.signature) not in there]
            known.contents = {**entry.contents, **known.contents}
        else:
            kept.append(replace(entry, name=f"{entry.name} of {printable(entry.path.name)}"))
    return kept


def _agree(base: Entry, other: Entry) -> bool:
    """Whether two entries can be one line: no test set has one name and two contents, or two values of a score."""
    shared = base.contents.keys() & other.contents.keys()
    if any(not base.contents[name] & other.contents[name] for name in shared):
        return False
    values = {(score.test_set, score.metric, score.signature): score for score in base.scores}
    return all(values.get((s.test_set, s.metric, s.signature), s).value == s.value for s in other.scores)


def _same_contents(entries: Sequence[Entry]) -> dict[str, str]:
    """By fingerprint, the first of all that belong to the same test set."""
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while first.setdefault(name, name) != name:
            name = first[name]
        return name

    for known in (each for entry in entries for each in entry.contents.values()):
        roots = sorted(root(name) for name in known)
        first.update(dict.fromkeys(roots, roots[0]))
    return {name: root(name) for name in list(first)}


def _is_wanted(score: Score, test_sets: Sequence[str]) -> bool:
    return not test_sets or score.test_set in test_sets


def _add(board: Board, column: Column, cells: Sequence[Cell]) -> None:
    board.columns.append(column)
    for row, cell in zip(board.rows, cells, strict=True):
        row.append(cell)


def _add_scores(
    board: Board, scores: Sequence[Sequence[Score]], contents: Mapping[str, str], metrics: Sequence[str], group: Group
) -> None:
    """A column per test set, metric and signature; those that most rows have come first."""
    by_column: dict[tuple[str, str, str], dict[int, Score]] = {}
    for number, (entry, each) in enumerate(zip(board.entries, scores, strict=True)):
        for score in each:
            content = contents[min(entry.contents[score.test_set])]
            by_column.setdefault((content, score.metric, score.signature), {})[number] = score
    titles = _titles({key: list(found.values()) for key, found in by_column.items()})
    most = Counter({content: 0 for content, _, _ in by_column})
    for (content, _, _), found in by_column.items():
        most[content] = max(most[content], len(found))
    order = sorted(by_column, key=lambda key: (-most[key[0]], titles[key].partition(" on ")[2], metrics.index(key[1])))
    for key in order:
        found = by_column[key]
        one = next(iter(found.values()))
        about = f"{counted(one.sentences, 'sentence')}; {one.signature}" if one.signature else f"{one.sentences}"
        title = titles[key] if group == "scores" else f"forgetting: {titles[key]}"
        largest_first = one.metric not in LOWER_IS_BETTER
        column = Column(title, title, group, about, one.test_set, largest_first)
        is_change = group == "forgetting"
        _add(board, column, [score_cell(found.get(n), is_difference=is_change) for n in range(len(board.rows))])


def _titles(columns: Mapping[tuple[str, str, str], Sequence[Score]]) -> dict[tuple[str, str, str], str]:
    """`chrF on test`; what would have the title of another column gets what tells them apart."""
    titles = {
        key: f"{key[1]} on {Counter(score.test_set for score in scores).most_common(1)[0][0]}"
        for key, scores in columns.items()
    }
    counts, plain = Counter(titles.values()), dict(titles)
    for key, title in plain.items():
        if counts[title] > 1:
            alike = [other for other in plain if plain[other] == title]
            titles[key] = f"{title} ({_difference(key, alike)})"
    counts = Counter(titles.values())
    numbers: Counter[str] = Counter()
    for key, title in titles.items():
        numbers[title] += 1
        titles[key] = f"{title} {numbers[title]}" if counts[title] > 1 else title
    return titles


def _difference(key: tuple[str, str, str], alike: Sequence[tuple[str, str, str]]) -> str:
    kind, _, digest = key[0].partition(" ")
    content = "content unknown" if kind == "unknown" else digest[:6]
    parts = [set(other[2].split("|")) for other in alike]
    own = [part for part in key[2].split("|") if not all(part in other for other in parts)]
    return ", ".join([*([content] if len({other[0] for other in alike}) > 1 else []), *own]) or content


def _add_options(board: Board) -> None:
    """A column per option that differs; those with the most values come first."""
    numbers = [number for number, entry in enumerate(board.entries) if entry.options]
    runs = [(board.entries[number].options, board.entries[number].manifest) for number in numbers]
    found = differing(runs)
    order = sorted(found, key=lambda key: -len({value.identity for value in found[key]}))
    names = Counter(key.rpartition(".")[2] for key in order)
    for key in order:
        last = key.rpartition(".")[2]
        cells = {number: _option_cell(value.text) for number, value in zip(numbers, found[key], strict=True)}
        title = last if names[last] == 1 and last not in _VAGUE and not key.startswith("data.corpora.") else key
        column = Column(key, shorten(title, 60), "options", f"The option {key}.")
        _add(board, column, [cells.get(number, Cell()) for number in range(len(board.rows))])


def _option_cell(text: str) -> Cell:
    try:
        number = float(text)
    except ValueError:
        return Cell(text, None if text == ABSENT else text)
    return Cell(text, number if math.isfinite(number) else text)
