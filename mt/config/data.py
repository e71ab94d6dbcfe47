"""What is read, cleaned, split and mixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mt.config.checks import require, require_at_most, require_names, require_positive, require_share

Format = Literal["auto", "pairs", "tsv", "csv", "jsonl", "moses", "tmx", "xliff", "xlsx", "hf", "glossary"]


Tatweel = Literal["spelling", "keep", "remove"]


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """One corpus of sentence pairs."""

    path: str
    """The file; plain, .gz, .zst or .xz; or a directory, all files of which are read, each as a document. `hf`: a name
    on the hub, or a directory."""

    format: Format = "auto"
    """`pairs`: both sentences on one line, no separator. `tsv`, `csv`: columns, with or without a header.
    `jsonl`: a JSON object per line. `moses`: two parallel files. `tmx`, `xliff`: translation memories. `xlsx`: a
    workbook of a spreadsheet program, also .xls and .ods, with columns as in csv. `hf`: a data set for the `datasets`
    library. `glossary`: a table of terms (as `evaluation.glossary`), each English form with the preferred Arabic one;
    for training only. `auto`: by the file's name."""

    target_path: str | None = None
    """moses: the Arabic file. Default: `path` with its ending `.en` replaced by `.ar`."""

    source_column: str | None = None
    """tsv, csv, xlsx: the English column, by header name or by number from 1; jsonl, hf: the key. Default: a column
    named english, en, source or the like, else the one with English sentences; in jsonl and hf also `en` inside
    `translation`."""

    target_column: str | None = None
    """The Arabic column, in the same way. Default: one named arabic, ar, target or the like, else the one in Arabic."""

    document_column: str | None = None
    """tsv, csv, xlsx, jsonl, hf: the column or key that names the document which a pair is from, by header name or by
    number from 1. Pairs of one document go to one split. Default: a column named document, doc_id, doc, url, file,
    filename or article; without one, blank lines stand between documents."""

    keep_unapproved: bool = False
    """tmx, xliff: also read translations that are marked as unfinished, such as `approved="no"`, `needs-translation`,
    fuzzy, draft or rejected. Otherwise they are counted under `not approved`."""

    hf_config: str | None = None
    """hf: which of the data set's configurations to read."""

    hf_split: str = "train"
    """hf: which of the data set's own splits to read."""

    hf_revision: str | None = None
    """hf: commit, tag or branch on the hub. Default: the newest commit; the run's manifest names it."""

    split: Literal["auto", "train", "dev", "test"] = "auto"
    """`auto`: divided by `data.dev_share` and `data.test_share`, but a glossary is all for training. Else all of it
    goes to this split."""

    clean: bool = True
    """Whether the rules of `data.cleaning` hold for this corpus, those on duplicates included. What is like a
    held-out pair is dropped in any case."""

    weight: float = 1.0
    """How often an epoch holds each training pair: 3 is three times; 0.1 is a tenth of the corpus, another
    tenth each epoch."""

    tag: str = ""
    """Put before each source while training, to tell domains apart (Kobus et al., 2017). Set `decoding.tag`
    to the one to translate with."""

    def __post_init__(self) -> None:
        require(bool(self.path), "path of a corpus", "not be empty", self.path)
        require(self.weight > 0, "weight of a corpus", "be greater than 0", self.weight)
        is_usable = not (self.is_glossary and self.split in ("dev", "test"))
        require(is_usable, "split of a glossary", "be train, for terms are no test", self.split)

    @property
    def is_glossary(self) -> bool:
        """Whether it holds terms and no sentences."""
        return self.format == "glossary"

    @property
    def own_split(self) -> str | None:
        """The split that all of it goes to; None if it is divided."""
        return self.split if self.split != "auto" else "train" if self.is_glossary else None


@dataclass(frozen=True, kw_only=True)
class CleaningConfig:
    """Rules that reject pairs. Each is counted, and what it rejected is written out. null, none or false: off."""

    max_words: int | None = 200
    """`too long`: more words than this on a side."""

    max_length_ratio: float | None = 4.0
    """`length ratio`: one side has more than this many times the characters of the other; 20 are added to both,
    so that short sentences may differ."""

    min_script_share: float | None = 0.5
    """`wrong script`: fewer of the letters are Latin in the source, or Arabic in the target."""

    language: bool = True
    """`wrong language`: a side is recognised as another language; so Persian, Urdu or Kurdish, written in Arabic
    script, do not pass for Arabic."""

    max_copied_share: float | None = 0.5
    """`untranslated`: more than this share of the target's words are English words of the source."""

    numbers: Literal["none", "conflict", "missing"] = "conflict"
    """`numbers`: `conflict` rejects where each side has a number that the other has not, in digits or words;
    `missing` already where one side has."""

    mojibake: bool = True
    """`mojibake`: text that was decoded with the wrong encoding, and that `data.repair_mojibake` has not restored."""

    lost_text: bool = True
    """`lost text`: question marks, boxes, a dash, a bare number, an error of a spreadsheet or a remark that a
    translation is missing, where the other side holds a text."""

    visual_order: bool = True
    """`visual order`: Arabic with its letters or words from left to right, as PDF files often give it."""

    markup: bool = True
    """`markup`: tags, entities and placeholders of software, those of translation tools among them."""

    links: bool = True
    """`only links`: nothing but addresses of web pages or mail on a side."""

    max_repeats: int | None = 4
    """`repetition`: the same one to four words more than this many times in a row."""

    slipped_lines: bool = True
    """Stop where the two sides of a corpus have slipped: from some line on, sentences stand beside the translations
    of their neighbours."""

    duplicates: bool = True
    """`exact duplicate`: a pair that was read before."""

    near_duplicates: Literal["none", "letters", "neighbours"] = "letters"
    """`near duplicate`: `letters`: both sides are those of an earlier pair but for case, punctuation, diacritics
    and spacing. `neighbours`: or both are alike by `data.similarity`, so that one of many alike pairs remains."""

    max_targets_per_source: int | None = 10
    """`too many targets`: a source has more different translations than this; the first ones stay."""

    def __post_init__(self) -> None:
        numbers = ["max_words", "max_length_ratio", "max_repeats", "max_targets_per_source"]
        require_positive("data.cleaning", self, numbers)
        for name in ("min_script_share", "max_copied_share"):
            value = getattr(self, name)
            require(value is None or 0 <= value <= 1, f"data.cleaning.{name}", "be between 0 and 1", value)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is read, and how it is cleaned, split and mixed."""

    corpora: dict[str, CorpusConfig] = field(default_factory=dict)
    """The corpora by name. A path alone will do where the format shows in the file's name:
    --data.corpora.news news.tsv"""

    dev_share: float = 0.1
    """Share of the sentences held out to choose the best checkpoint."""

    test_share: float = 0.1
    """Share of the sentences held out for the final scores. 0: bring your own test sets."""

    max_dev_pairs: int | None = None
    """The largest number of pairs in the dev split. Those above it are left out of all splits: if they went to training
    instead, a corpus that grows would move pairs from dev to train. So lower `dev_share` for a large corpus."""

    max_test_pairs: int | None = None
    """The largest number of pairs in the test split; see `max_dev_pairs`."""

    split_key: str = "conflict-news"
    """Keys the hash that assigns a sentence to a split. Another key gives another split."""

    blocks: Literal["auto", "off"] | int = "auto"
    """How a corpus is held out that does not name its documents. `auto`: where neighbouring lines are more alike than
    distant ones, in blocks of consecutive lines, so that sentences of one article are not in two splits; the data
    card says how many lines a block has. A number: in blocks of about that many lines; set the card's number to keep
    the blocks as they are while a corpus grows. `off`: sentence by sentence."""

    similarity: float = 0.6
    """Two sentences are neighbours, and may not be in different splits, if they share this part of their words
    and word pairs (Jaccard similarity). Below three words, only equal ones are."""

    decontaminate_words: int | None = 13
    """A training pair is dropped if it has this many words in a row, on either side, in common with a dev or test
    pair (Brown et al., 2020). null: only neighbours are."""

    cleaning: CleaningConfig = field(default_factory=CleaningConfig)

    strict: bool = False
    """Stop if any pair is rejected or dropped."""

    temperature: float | None = None
    """Weighs the corpora in place of their own weights: an epoch holds each in proportion to its size to the
    power of 1/temperature (Arivazhagan et al., 2019), all pairs of the largest once. 1: as they are."""

    max_source_tokens: int = 256
    """Training pairs with a longer source are left out and counted: half a sentence is a wrong lesson."""

    max_target_tokens: int = 256
    """Training pairs with a longer target are left out and counted."""

    repair_mojibake: bool = True
    """Restore text that was decoded with the wrong encoding, where that is certain. Else it is rejected."""

    fold_keyboard_letters: bool = True
    """Write ی ک ە ۀ ھ and their like, from Persian and Urdu keyboards, as Arabic has them, in text that is Arabic."""

    tatweel: Tatweel = "spelling"
    """What becomes of tatweel. `spelling`: it stays where it ends a word, as in `1445 هـ`, `الـ15`, and goes where it
    stretches one. `keep`: all stays. `remove`: all goes."""

    remove_diacritics: bool = False
    """Remove Arabic vowel signs (harakat) from both sides."""

    western_digits: bool = False
    """Write Arabic-Indic and Persian digits as 0-9."""

    workers: int | None = None
    """Worker processes for cleaning. Default: one per core, at most 8. The result is the same for any number."""

    cache_dir: str | None = None
    """Where finished builds are kept for the next run. Default: mt/ in $XDG_CACHE_HOME or ~/.cache."""

    def __post_init__(self) -> None:
        require_names("data.corpora", self.corpora)
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
