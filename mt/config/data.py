"""What is read, and how it is cleaned, split and mixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mt.config.checks import require, require_at_most, require_names, require_positive, require_share
from mt.config.formats import BACK_TRANSLATION_TAG, Format, is_backtranslated_table, is_bilingual_table
from mt.config.select import SelectConfig, check_selects

Tatweel = Literal["spelling", "keep", "remove"]


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """One corpus of sentence pairs."""

    path: str
    """A file, plain or compressed (.gz, .zst, .xz), or a directory, whose files are all read, each as one document.
    `hf`: a name on the hub, or a directory."""

    format: Format = "auto"
    """`pairs`: both sentences on one line, nothing between them. `tsv`, `csv`: columns, with or without a header.
    `jsonl`: one JSON object per line. `moses`: two parallel files. `tmx`, `xliff`: translation memories. `xlsx`: a
    spreadsheet, also .xls and .ods, with columns as in csv. `hf`: a data set for the `datasets` library. `glossary`: a
    table of terms in the format of `evaluation.glossary`; every English form is paired with the preferred Arabic one,
    for training only. `corrections`: the table of `mt translate --bilingual`, or the ratings of `mt review`, of which
    the corrected translations are read, for training only. `backtranslated`: the table of `mt backtranslate`, for
    training only. `auto`: guess from the file's name."""

    target_path: str | None = None
    """moses: the file of the translations. Default: `path` with the target language's code at its end in place of the
    source's, as `.ar` for `.en`."""

    source_column: str | None = None
    """tsv, csv, xlsx: the column of the source, by its name in the header or by its number from 1; jsonl, hf: the key.
    Default: a column named after its language (english, en), source or similar, otherwise the one with sentences in its
    letters; in jsonl and hf also `en` inside `translation`."""

    target_column: str | None = None
    """The column or key of the target, given in the same way. Default: one named after its language (arabic, ar),
    target or similar, otherwise the one with sentences in its letters."""

    document_column: str | None = None
    """tsv, csv, xlsx, jsonl, hf: the column or key that names the document of a pair, by its name in the header or by
    its number from 1. All pairs of a document go to the same split. Default: a column named document, doc_id, doc, url,
    file, filename or article; if there is none, blank lines separate documents."""

    keep_unapproved: bool = False
    """tmx, xliff: also read translations marked as unfinished, such as `approved="no"`, `needs-translation`, fuzzy,
    draft or rejected. Otherwise they are left out and counted as `not approved`."""

    hf_config: str | None = None
    """hf: the configuration of the data set to read."""

    hf_split: str = "train"
    """hf: the split of the data set to read."""

    hf_revision: str | None = None
    """hf: commit, tag or branch on the hub. Default: the newest commit, which the run's manifest records."""

    split: Literal["auto", "train", "dev", "test"] = "auto"
    """`auto`: divide the corpus by `data.dev_share` and `data.test_share`; a glossary all goes to train. Otherwise the
    whole corpus goes to this split."""

    clean: bool = True
    """Apply the rules of `data.cleaning`, those on duplicates included. Training pairs that are like a held-out pair
    are always dropped."""

    weight: float = 1.0
    """How many times an epoch contains each training pair: 3 means three times, 0.1 a different tenth of the corpus
    each epoch."""

    tag: str = ""
    """Text put before each source in training, to tell domains apart (Kobus et al., 2017). Set `decoding.tag` to the
    one to translate with. Default: none, but `<BT>` for back-translated corpora."""

    select: SelectConfig | None = None
    """Use only the training pairs most like those of other corpora; `select: {}` takes the defaults."""

    licence: str | None = None
    """Licence of the corpus, best as the hub writes it: cc-by-4.0, cc-by-nc-4.0, apache-2.0, other. Changes nothing in
    training; the data card and `mt publish` name it. Default: unknown."""

    def __post_init__(self) -> None:
        require(bool(self.path), "path of a corpus", "not be empty", self.path)
        is_named = self.licence is None or bool(self.licence.strip())
        require(is_named, "licence of a corpus", "not be empty; leave it out if it is unknown", self.licence)
        require(self.weight > 0, "weight of a corpus", "be greater than 0", self.weight)
        is_usable = not (self.is_glossary and self.split in ("dev", "test"))
        require(is_usable, "split of a glossary", "be train, because terms are no test sentences", self.split)
        is_usable = not (self.is_backtranslated and self.split in ("dev", "test"))
        require(is_usable, "split of back-translations", "be train, because a model wrote the sources", self.split)

    @property
    def is_glossary(self) -> bool:
        """Whether it is a table of terms, not sentences."""
        return self.format == "glossary"

    @property
    def is_corrections(self) -> bool:
        """Whether it is a table for review, of which only the corrected rows are read."""
        return self.format == "corrections" or (self.format == "auto" and is_bilingual_table(self.path))

    @property
    def is_backtranslated(self) -> bool:
        """Whether its sources were written by a model, from targets written by people."""
        return self.format == "backtranslated" or (self.format == "auto" and is_backtranslated_table(self.path))

    @property
    def training_tag(self) -> str:
        """The text before each of its sources in training; empty for none."""
        return self.tag or (BACK_TRANSLATION_TAG if self.is_backtranslated else "")

    @property
    def own_split(self) -> str | None:
        """The split that the whole corpus goes to; None if it is divided."""
        if self.split != "auto":
            return self.split
        # A corrected translation favours the model that wrote it.
        return "train" if self.is_glossary or self.is_corrections or self.is_backtranslated else None


@dataclass(frozen=True, kw_only=True)
class CleaningConfig:
    """Cleaning: rules that reject pairs, which are counted and listed in rejected.tsv; null, none or false is off."""

    max_words: int | None = 200
    """`too long`: a side has more words than this."""

    max_length_ratio: float | None = 4.0
    """`length ratio`: one side has more than this many times as many characters as the other; 20 are added to both, so
    that short sentences may differ more."""

    min_script_share: float | None = 0.5
    """`wrong script`: less than this share of a side's letters is in the script of its language, Latin for English and
    Arabic for Arabic."""

    language: bool = True
    """`wrong language`: a side is recognised as another language than its own, such as Persian, Urdu or Kurdish, which
    also use Arabic script."""

    max_copied_share: float | None = 0.5
    """`untranslated`: more than this share of the target's words are copied from the source. Of two languages with one
    script only targets of four or more words are looked at, for names are the same in both."""

    numbers: Literal["none", "conflict", "missing"] = "conflict"
    """`numbers`: `conflict` rejects a pair if each side has a number that the other lacks, in digits or words;
    `missing` also if only one side has. For English and Arabic, in either direction; other pairs are not checked."""

    mojibake: bool = True
    """`mojibake`: text decoded with the wrong encoding that `data.repair_mojibake` could not restore."""

    lost_text: bool = True
    """`lost text`: question marks, boxes, a dash, a bare number, a spreadsheet error or a remark that the translation
    is missing, where the other side has text."""

    visual_order: bool = True
    """`visual order`: Arabic with its letters or words from left to right, as often copied from PDF files."""

    markup: bool = True
    """`markup`: tags, entities and placeholders, those of translation tools included."""

    links: bool = True
    """`only links`: a side consists of web or mail addresses only."""

    max_repeats: int | None = 4
    """`repetition`: the same one to four words occur more than this many times in a row."""

    slipped_lines: bool = True
    """Stop if the two sides of a corpus are out of step: from some line on, sentences are paired with the translations
    of their neighbours."""

    duplicates: bool = True
    """`exact duplicate`: the same pair was read before."""

    near_duplicates: Literal["none", "letters", "neighbours"] = "letters"
    """`near duplicate`: `letters` rejects a pair whose two sides equal an earlier pair's except for case, punctuation,
    diacritics and spacing. `neighbours` also rejects a pair if both sides are similar to an earlier pair's by
    `data.similarity`."""

    max_targets_per_source: int | None = 10
    """`too many targets`: the source already has this many different translations; the first ones are kept."""

    unrelated: Literal["none", "alignment", "model"] = "none"
    """`unrelated`: the two sides fit each other no better than they fit the sentences of other lines. `alignment`: by
    the words that translate each other in all corpora together. `model`: by `model.name`, which must know both
    languages; for a GPU."""

    def __post_init__(self) -> None:
        numbers = ["max_words", "max_length_ratio", "max_repeats", "max_targets_per_source"]
        require_positive("data.cleaning", self, numbers)
        for name in ("min_script_share", "max_copied_share"):
            value = getattr(self, name)
            require(value is None or 0 <= value <= 1, f"data.cleaning.{name}", "be between 0 and 1", value)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Data: what is read, and how it is cleaned, split and mixed."""

    corpora: dict[str, CorpusConfig] = field(default_factory=dict)
    """Corpora by name. A path is enough if the file's name shows its format: --data.corpora.news news.tsv"""

    dev_share: float = 0.1
    """Share of the sentences held out to choose the best checkpoint."""

    test_share: float = 0.1
    """Share of the sentences held out for the final scores. 0: none; bring your own test sets."""

    max_dev_pairs: int | None = None
    """Maximum pairs in the dev split. Pairs beyond it are in no split: if they were trained on, pairs would move from
    dev to train as a corpus grows. So lower `dev_share` for a large corpus."""

    max_test_pairs: int | None = None
    """Maximum pairs in the test split; see `max_dev_pairs`."""

    split_key: str = "conflict-news"
    """Key of the hash that assigns sentences to splits. Another key gives other splits."""

    blocks: Literal["auto", "off"] | int = "auto"
    """How to hold out a corpus that does not name its documents. `auto`: if neighbouring lines are more alike than
    distant ones, in blocks of consecutive lines, which keeps the sentences of an article in one split; the data card
    says how long the blocks are. A number: in blocks of about that many lines; set the card's number to keep the blocks
    unchanged while a corpus grows. `off`: sentence by sentence."""

    similarity: float = 0.6
    """Sentences that share at least this much of their words and word pairs (Jaccard similarity) are neighbours and
    never end up in different splits. Sentences of one or two words must be equal for that."""

    decontaminate_words: int | None = 13
    """A training pair is dropped if either side has this many words in a row in common with a dev or test pair (Brown
    et al., 2020). null: only neighbours are dropped."""

    cleaning: CleaningConfig = field(default_factory=CleaningConfig)

    strict: bool = False
    """Stop if any pair is rejected or dropped."""

    temperature: float | None = None
    """Weight the corpora by size instead of by their own `weight`: an epoch contains each in proportion to its size to
    the power of 1/temperature (Arivazhagan et al., 2019), and each pair of the largest once. 1: every pair once."""

    max_source_tokens: int = 256
    """Training pairs with a longer source are left out and counted; cutting them would teach the model to translate
    half a sentence."""

    max_target_tokens: int = 256
    """Training pairs with a longer target are left out and counted."""

    repair_mojibake: bool = True
    """Restore text that was decoded with the wrong encoding, where that is certain. Other such text is rejected."""

    fold_keyboard_letters: bool = True
    """Replace letters of Persian and Urdu keyboards, such as ی ک ە ۀ ھ, by their Arabic counterparts in Arabic text."""

    tatweel: Tatweel = "spelling"
    """What to do with tatweel. `spelling`: keep it at the end of a word, as in `1445 هـ` and `الـ15`, and remove it
    where it only stretches a word. `keep`: keep all. `remove`: remove all."""

    remove_diacritics: bool = False
    """Remove Arabic vowel signs (harakat) from both sides."""

    western_digits: bool = False
    """Write Arabic-Indic and Persian digits as 0-9."""

    workers: int | None = None
    """Worker processes for cleaning. Default: one per core, at most 8. The result does not depend on the number."""

    engine: Literal["local", "ray"] = "local"
    """What builds the data. `local`: processes and threads of this machine. `ray`: Ray, on the cluster that the
    environment variable RAY_ADDRESS names (HOST:PORT, or auto for one that runs on this machine); if it is not set, on
    this machine alone. The result is the same."""

    cache_dir: str | None = None
    """Where finished builds are kept for later runs. Default: mt/ in $XDG_CACHE_HOME or ~/.cache."""

    def __post_init__(self) -> None:
        require_names("data.corpora", self.corpora)
        check_selects(self.corpora)
        require_at_most("data.workers", self.workers, 1024)
        require_share("data.dev_share", self.dev_share)
        require_share("data.test_share", self.test_share)
        held_out = self.dev_share + self.test_share
        require(held_out < 1, "data.dev_share + data.test_share", "leave something to train on", held_out)
        counts = ["max_source_tokens", "max_target_tokens", "max_dev_pairs", "max_test_pairs", "workers"]
        require_positive("data", self, counts)
        is_size = self.blocks in ("auto", "off") or 1 <= int(self.blocks) <= 1_000_000
        require(is_size, "data.blocks", "be auto, off or a number of lines from 1 to 1000000", self.blocks)
        require(0 < self.similarity <= 1, "data.similarity", "be above 0 and at most 1", self.similarity)
        words = self.decontaminate_words
        require(words is None or words >= 4, "data.decontaminate_words", "be at least 4", words)
        hot = self.temperature is None or self.temperature >= 1
        require(hot, "data.temperature", "be at least 1", self.temperature)
