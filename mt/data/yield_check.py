"""The check that a corpus yields pairs: if the rules leave almost nothing, it was read wrongly or is no corpus.

The thresholds are far from what dirty corpora lose: web crawls, the worst of them, lose about half of their pairs to
the rules for single pairs; here it must be more than nineteen in twenty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mt.config import CorpusConfig, DataConfig
from mt.data.cleaning import PAIR_RULES
from mt.data.formats.xliff import READER_RULES
from mt.data.pair import Pair
from mt.data.report import CorpusReport, DataReport
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.normalise import script_share
from mt.wording import counted, shorten

MIN_KEPT_SHARE = 0.05
"""Of a corpus of at least `MIN_READ` pairs, this share must pass the rules for single pairs."""

MIN_READ = 20
_MIN_READ_FOR_NONE = 5  # the smallest corpus that must not be rejected entirely
_RULES = frozenset((*PAIR_RULES, *READER_RULES))
_SHOWN_CHARACTERS = 60

_REMEDIES = {
    "empty side": "complete the side that is missing, or name the columns that hold both by source_column and "
    "target_column",
    "wrong script": "set source_column to the {source} and target_column to the {target} column or key, or exchange "
    "the two files",
    "wrong language": "check which languages the corpus is in, or set data.cleaning.language to false",
    "length ratio": "check that the lines of both sides belong together, and source_column and target_column",
    "numbers": "check that the lines of both sides belong together, or set data.cleaning.numbers to none",
    "untranslated": "check that target_column holds the translation",
    "mojibake": "save the file as UTF-8 from the program that wrote it: its text was decoded with the wrong encoding",
    "lost text": "save the file as UTF-8 from the program that wrote it (a spreadsheet: CSV UTF-8): the text is no "
    "longer in it",
    "visual order": "take the text from the document and not from its PDF file: the Arabic runs from left to right",
    "repetition": "take out what repeats, or set data.cleaning.max_repeats to null",
    "markup": "export the text without tags, or set data.cleaning.markup to false",
    "only links": "check that source_column and target_column hold sentences",
    "too long": "split the texts into sentences, or raise data.cleaning.max_words",
    "not approved": "set the corpus's keep_unapproved to true if its translations are good",
}


def check_yield(config: DataConfig, report: DataReport, languages: LanguagePair = ENGLISH_TO_ARABIC) -> None:
    """Raise `DataError` for the first corpus of which almost no pair passes, with three pairs, the rule and a remedy.

    Corpora pinned to dev or test are not checked, and rules on duplicates and leaks do not count.
    """
    nothing_else = all(_passed(corpus) == 0 for corpus in report.corpora.values())
    for name, corpus in config.corpora.items():
        found = report.corpora[name]
        if corpus.own_split in ("dev", "test") or not found.read or not _is_lost(found, nothing_else=nothing_else):
            continue
        raise DataError(_message(name, corpus, found, languages))


def _passed(corpus: CorpusReport) -> int:
    """Number of pairs that no rule for single pairs rejected."""
    return corpus.read - sum(count for rule, count in corpus.dropped.items() if rule in _RULES)


def _is_lost(corpus: CorpusReport, *, nothing_else: bool) -> bool:
    passed = _passed(corpus)
    if passed == 0:
        return nothing_else or corpus.read >= _MIN_READ_FOR_NONE
    return corpus.read >= MIN_READ and passed < MIN_KEPT_SHARE * corpus.read


def _message(name: str, options: CorpusConfig, corpus: CorpusReport, languages: LanguagePair) -> str:
    rules = Counter({rule: count for rule, count in corpus.dropped.items() if rule in _RULES})
    rule = rules.most_common(1)[0][0]
    counts = ", ".join(f"{count} {name}" for name, count in rules.most_common(4))
    examples = corpus.examples[rule]
    shown = "; ".join(f"{example.origin}: {_short(example.source)} / {_short(example.target)}" for example in examples)
    return (
        f"{options.path}: of the {counted(corpus.read, 'pair')} of corpus `{name}`, "
        f"{_passed(corpus) or 'none'} can be used "
        f"({counts}), as in {shown}. {_remedy(rule, examples, languages)}; if the corpus is right as it is, set its "
        "clean to false, and otherwise leave it out"
    )


def _remedy(rule: str, examples: Sequence[Pair], languages: LanguagePair) -> str:
    remedy = _REMEDIES.get(rule, f"mend what the rule `{rule}` found")
    remedy = remedy.format(source=languages.source.name, target=languages.target.name)
    if rule == "wrong script" and _are_exchanged(examples, languages):
        remedy = f"the sides are exchanged: {remedy}"
    if rule == "empty side" and examples[0].fault is not None:
        remedy = f"{examples[0].fault.detail}: {remedy}"
    return remedy[0].upper() + remedy[1:]


def _are_exchanged(examples: Sequence[Pair], languages: LanguagePair) -> bool:
    ours, theirs = languages.source.script, languages.target.script
    return all(script_share(pair.source, theirs) > 0.5 < script_share(pair.target, ours) for pair in examples)


def _short(text: str) -> str:
    return shorten(text, _SHOWN_CHARACTERS) or "(empty)"


def left_out_of_test_set(name: str, left_out: Sequence[Pair], total: int) -> str:
    """A warning about pairs of a test set that the file itself marks as unusable."""
    counts = Counter(pair.fault.rule for pair in left_out if pair.fault)
    reasons = ", ".join(f"{count} {rule}" for rule, count in counts.most_common())
    first = left_out[0].origin
    verb = "is" if len(left_out) == 1 else "are"
    share = f"{len(left_out)} of {counted(total, 'pair')} {verb}"
    return f"test set `{name}`: {share} left out ({reasons}); the first is {first}"
