"""What is known of English."""

from __future__ import annotations

from mt.text.languages.knowledge import CERTAIN, Knowledge

# Two of these are enough: that saves asking the recogniser, which takes most of the time of cleaning.
_FUNCTION_WORDS = frozenset(
    ("the", "The", "of", "and", "to", "in", "was", "were", "that", "is", "are", "with", "which", "from", "by")
)


def score_needed(text: str) -> float | None:
    """See `Knowledge.score_needed`."""
    return None if len(_FUNCTION_WORDS.intersection(text.split())) >= 2 else CERTAIN


KNOWLEDGE = Knowledge(
    reads_numbers=True,
    checked_as_source=frozenset({"numbers", "names", "negation", "attribution", "dropped sentences", "terms"}),
    score_needed=score_needed,
    sentences=(
        "The city is in the north of the country.",
        "Two children were killed and five people were injured in the attack.",
        "The Security Council called for an immediate end to the fighting in Syria.",
        "Thousands of people have left their homes because of the war.",
        "The government said on Monday that the talks would continue.",
    ),
)
