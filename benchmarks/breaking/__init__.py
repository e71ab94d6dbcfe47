"""Ways of breaking one thing in a correct translation, by rule, to see which fidelity check notices.

The rules come from Arabic grammar and from lists of their own, never from those of the checks: a negation is a particle
before a verb, an attribution is what precedes إن, a name is what a list of names says. A rule returns None if it finds
nothing to break, or if breaking it would leave a correct translation.
"""

from __future__ import annotations

from breaking.case import Broken, Case, Names, Rule
from breaking.dates import wrong_day_part, wrong_month, wrong_weekday
from breaking.extent import double_clause, double_sentence, drop_clause, drop_half, drop_sentence, loop_words
from breaking.meaning import drop_attribution, drop_denial, move_attribution, move_denial
from breaking.names import drop_name, names_in, wrong_name
from breaking.numbers import (
    drop_number,
    exchange_numbers,
    swap_digits,
    wrong_digit,
    wrong_number_word,
    wrong_scale,
)
from breaking.writing import add_control, double_mark, drop_all_quotes, drop_quote, leave_word

__all__ = ["RULES", "Broken", "Case", "Names", "names_in"]

RULES: dict[str, tuple[str, Rule]] = {
    "a denial dropped": ("negation", drop_denial),
    "a denial moved": ("negation", move_denial),
    "an attribution dropped": ("attribution", drop_attribution),
    "an attribution moved": ("attribution", move_attribution),
    "a number dropped": ("numbers", drop_number),
    "two digits swapped": ("numbers", swap_digits),
    "a wrong digit": ("numbers", wrong_digit),
    "a wrong number word": ("numbers", wrong_number_word),
    "a wrong scale": ("numbers", wrong_scale),
    "two numbers exchanged": ("numbers", exchange_numbers),
    "a wrong month": ("numbers", wrong_month),
    "a wrong weekday": ("numbers", wrong_weekday),
    "a wrong part of the day": ("numbers", wrong_day_part),
    "a name dropped": ("names", drop_name),
    "a wrong name": ("names", wrong_name),
    "a clause dropped": ("length", drop_clause),
    "half of it dropped": ("length", drop_half),
    "a sentence dropped": ("dropped sentences", drop_sentence),
    "the sentence twice": ("repetition", double_sentence),
    "a clause twice": ("repetition", double_clause),
    "three words four times": ("repetition", loop_words),
    "a quotation mark lost": ("quotes", drop_quote),
    "all quotation marks lost": ("quotes", drop_all_quotes),
    "an invisible character": ("characters", add_control),
    "a mark doubled": ("punctuation", double_mark),
    "a word left in English": ("untranslated", leave_word),
}
"""What is broken: (the check that should find it, the rule)."""
