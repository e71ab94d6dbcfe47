"""Rules that leave something out or say it twice."""

from __future__ import annotations

from breaking.case import Broken, Case


def drop_clause(case: Case) -> Broken | None:
    """What stands behind the last comma goes, a quarter of the sentence or more."""
    head, _, tail = case.target.rstrip(".").rpartition("،")
    words, all_words = len(tail.split()), len(case.target.split())
    return Broken(case.source, f"{head}.") if head and words >= max(5, all_words / 4) else None


def drop_half(case: Case) -> Broken | None:
    """The second half of the words goes, and the full stop with it."""
    words = case.target.split()
    return Broken(case.source, " ".join(words[: len(words) // 2])) if len(words) >= 8 else None


def drop_sentence(case: Case) -> Broken | None:
    """Of two sentences one goes; the source is a pair and the next one."""
    source = f"{case.source} {case.following[0]}"
    return Broken(source, case.chance.choice([case.target, case.following[1]]))


def double_sentence(case: Case) -> Broken | None:
    """The sentence comes twice."""
    return Broken(case.source, f"{case.target} {case.target}")


def double_clause(case: Case) -> Broken | None:
    """What stands behind the last comma comes twice."""
    head, _, tail = case.target.rstrip(".").rpartition("،")
    return Broken(case.source, f"{head}،{tail}،{tail}.") if head and len(tail.split()) >= 4 else None


def loop_words(case: Case) -> Broken | None:
    """Three words come four times."""
    words = case.target.split()
    if len(words) < 8:
        return None
    start = case.chance.randrange(len(words) - 4)
    return Broken(case.source, " ".join([*words[: start + 3], *words[start : start + 3] * 3, *words[start + 3 :]]))
