"""Shares of the translations: every sentence once, and no process with longer ones than another."""

import pytest

from mt.systems.sharing import share_of


@pytest.mark.parametrize(
    ("processes", "shares"),
    [(1, [[0, 1, 2, 3]]), (2, [[1, 3], [0, 2]]), (3, [[0, 1], [2], [3]]), (5, [[1], [2], [3], [0], []])],
)
def test_shares(processes: int, shares: list[list[int]]):
    sources = ["x" * length for length in (3, 9, 5, 4)]
    assert [share_of(sources, process, processes) for process in range(processes)] == shares
