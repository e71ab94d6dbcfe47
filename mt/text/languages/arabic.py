"""What is known of Arabic."""

from __future__ import annotations

import re

from mt.text.languages.knowledge import CERTAIN, Knowledge

# A Persian or Urdu sentence has letters that Arabic lacks; then less certainty is enough.
_NOT_ARABIC = re.compile("[پچژگکیےٹڈڑںھہۀەۆێڵڕ]")
# Letters that only Arabic has: they save asking the recogniser.
_ONLY_ARABIC = re.compile("[ةإى]")
_LESS_CERTAIN = 0.8


def score_needed(text: str) -> float | None:
    """See `Knowledge.score_needed`."""
    foreign_letters = len(_NOT_ARABIC.findall(text))
    if not foreign_letters and _ONLY_ARABIC.search(text):
        return None
    return _LESS_CERTAIN if foreign_letters > len(text) // 50 else CERTAIN


KNOWLEDGE = Knowledge(
    reads_numbers=True,
    checked_as_target=frozenset({"numbers", "names", "negation", "attribution", "dropped sentences", "terms"}),
    mended=frozenset({"mojibake", "visual order", "keyboard letters"}),
    folds_spelling=True,
    score_needed=score_needed,
    sentences=(
        "تقع المدينة في شمال البلاد.",
        "قتل طفلان وأصيب خمسة أشخاص في الهجوم.",
        "دعا مجلس الأمن إلى وقف فوري للقتال في سوريا.",
        "ترك آلاف الناس منازلهم بسبب الحرب.",
        "قالت الحكومة يوم الاثنين إن المحادثات ستستمر.",
    ),
)
