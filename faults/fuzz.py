"""Mutated inputs for every reader, check and loader: nothing but a sentence may come out, soon, and in little memory.

    python faults/fuzz.py --inputs 20000

Each target starts from valid inputs. Exits 1 if one of them ended in a traceback, or took more than 200 MB, or longer
than a second of processor time (for large inputs, than 20 seconds per million bytes).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from mt.commands.evaluate import parse_evaluate
from mt.commands.train import parse_train
from mt.config import CleaningConfig, CorpusConfig
from mt.data.pair import Pair
from mt.data.preparing import Preparation, prepare
from mt.data.readers import read_corpus
from mt.data.rejects import quoted_cell
from mt.errors import UsageError, UserError
from mt.evaluation.fidelity import CHECKS, count_terms
from mt.evaluation.rating_files import read_ratings_file
from mt.text.glossary import Glossary, fold_for_terms

_SHOWN = 5  # faults of a target that are printed
MAX_SECONDS = 1.0
# All fidelity checks together read a text at 5 to 8 microseconds per character, 200,000 characters in 1.6 seconds. What
# takes time with the square of its length is far above the limit at this size.
MAX_SECONDS_PER_BYTE = 20e-6
MAX_MEGABYTES = 200

PAIRS = [
    ("The army took the city in 2014, the UN said.", "سيطر الجيش على المدينة عام 2014، وفق الأمم المتحدة."),
    ("Some 20,000 people fled Aleppo at 5 p.m.", "فر نحو ٢٠ ألف شخص من حلب في الساعة 17:00."),
    ('"Nobody was hurt," he said (twice).', "وقال مرتين: «لم يصب أحد»."),
]

# What is hard to read: half characters, invisible ones, digits that are none, numbers without end, deep nesting.
PIECES = [
    *("\0", "\ud800", "\udcff", "\u202e", "\u200b", "\u2066", "\ufeff", "\ufffe", "\x85", "\u2028", "\x1b[2J", "\x7f"),
    *("²", "٣", "۴", "½", "Ⅷ", "९", "1e999", "nan", ".inf", "-0", "9" * 400, "1_000", "0x1F", "010", "1:30"),
    *("\r", "\n", "\r\n", "\t", "\t\t", ",", ";", '"', '""', "'", "\\", "|", "=", "+", "-", "@", "=cmd|' /C calc'!A0"),
    *("{", "}", "[", "]", "[" * 500, "{a: " * 100, '{"a":' * 300, "<a>" * 300, "(" * 300, "null", "true", "false", "~"),
    *("&a ", "*a", "<<: ", "!!python/object:os.system ", "!!set ", "!!binary ", "? ", "- ", ": ", "# ", "%", "---\n"),
    *("<tu>", "</tu>", "<seg>", "<tuv xml:lang='en'>", "<!--", "-->", "<![CDATA[", "]]>", "&x;", "&#0;", "&#xD800;"),
    *("<!DOCTYPE a [<!ENTITY x 'y'>]>", "<?xml version='1.0' encoding='UTF-16'?>", "<a b='c' b='c'/>"),
    *("e\u0301" * 40, "ب" + "\u064e\u0651" * 60, "\ufdfa", "ﷲ", "😀", "\U0010ffff", "../", "/", "..", "a" * 300),
    *("hundred ", "million ", "ألف ", "U.S. ", "not ", "no one ", "https://", "&amp;", "%s", "class_path", "init_args"),
]
ENCODINGS = ["utf-16", "utf-16-be", "utf-32", "latin-1", "cp1256", "utf-8-sig", "utf-7"]


@dataclass
class Target:
    """One door that inputs come in by."""

    seeds: list[bytes]
    run: Callable[[bytes, random.Random], None]
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


def mutate(seed: bytes, rng: random.Random) -> bytes:
    """A valid input, changed a few times in bytes, characters or structure, or said in another encoding."""
    content = seed
    for _ in range(rng.choice((1, 1, 2, 3, 5, 9))):
        content = rng.choice(_MUTATIONS)(content, rng)
    # What is no UTF-8 is refused at the first glance: most shall get further.
    return (content if rng.random() < 0.2 else content.decode("utf-8", "ignore").encode())[:200_000]


def _flip(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    piece = rng.choice(PIECES) * rng.choice((1, 1, 1, 2, 30))
    return content[:at] + piece.encode("utf-8", "surrogatepass") + content[at:]


def _duplicate(content: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] * rng.choice((1, 1, 3, 40)) + content[end:]


def _swap(content: bytes, rng: random.Random) -> bytes:
    a, b, c = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def _delete(content: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[min(end, start + 40) :]


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines).replace(b"\n", rng.choice((b"\n", b"\r", b"\r\n", b"\n\n", b"\0\n")))


def _reencode(content: bytes, rng: random.Random) -> bytes:
    return content.decode("utf-8", "replace").encode(rng.choice(ENCODINGS), "replace")


def _number(content: bytes, rng: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(content) if chr(byte).isdigit()]
    if not digits:
        return content
    at = rng.choice(digits)
    return content[:at] + rng.choice(PIECES[12:27]).encode("utf-8", "surrogatepass") + content[at + 1 :]


_MUTATIONS = [
    _flip,
    _flip,
    _truncate,
    _insert,
    _insert,
    _insert,
    _duplicate,
    _swap,
    _delete,
    _lines,
    _reencode,
    _number,
]


def reader(name: str, content: str, directory: Path) -> Target:
    """A file of a format, read to its end and prepared as a build does."""
    path = directory / name

    def run(mutated: bytes, rng: random.Random) -> None:
        path.write_bytes(gzip.compress(mutated, 1) if path.suffix == ".gz" and rng.random() < 0.9 else mutated)
        if path.suffix == ".en":
            path.with_suffix(".ar").write_bytes(mutate(mutated, rng) if rng.random() < 0.7 else mutated)
        corpus = CorpusConfig(path=str(path), source_column=rng.choice((None, None, None, None, "1", "²", "en")))
        for pair in read_corpus("news", corpus):
            prepare_pair(pair.source, pair.target)
            f"{pair.origin}\n{quoted_cell(pair.source)}\n{quoted_cell(pair.target)}".encode()

    return Target([content.encode()], run)


def workbook(rows: list[tuple[str, str]], directory: Path) -> Target:
    """A workbook of one sheet, damaged as a file or in the XML of its sheet."""
    path = directory / "news.xlsx"
    cells = "".join(f"<row>{''.join(map(CELL.format, row))}</row>" for row in rows)

    def run(mutated: bytes, rng: random.Random) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for name, part in WORKBOOK.items():
                file.writestr(name, part)
            file.writestr("xl/worksheets/s.xml", mutated)
        content = packed.getvalue()
        path.write_bytes(content if rng.random() < 0.8 else mutate(content, rng))
        for pair in read_corpus("news", CorpusConfig(path=str(path))):
            prepare_pair(pair.source, pair.target)
            f"{pair.origin}\n{quoted_cell(pair.source)}\n{quoted_cell(pair.target)}".encode()

    return Target([SHEET.format(cells).encode()], run)


_OFF = CleaningConfig(max_words=None, max_length_ratio=None, min_script_share=None, numbers="missing")


def prepare_pair(source: str, target: str) -> None:
    for cleaning in (CleaningConfig(), _OFF):
        prepare([Pair(source, target, "news:1")], Preparation({0: cleaning}, "key", False, False))


def pair_rules(mutated: bytes, _: random.Random) -> None:
    source, _tab, target = mutated.decode("utf-8", "ignore").partition("\n")
    prepare_pair(source, target)


def fidelity_checks(mutated: bytes, _: random.Random) -> None:
    source, _tab, hypothesis = mutated.decode("utf-8", "ignore").partition("\n")
    glossary = Glossary.read()
    for check in CHECKS.values():
        check(source, hypothesis, glossary)
    count_terms([source], [hypothesis], glossary)


def config_target(directory: Path) -> Target:
    """`train.py` with a config and an override, both of them changed."""
    path = directory / "config.yaml"
    override = ["--training.learning_rate", "3e-5", "--data.corpora.more", "more.tsv", "--name", "other"]

    def run(mutated: bytes, rng: random.Random) -> None:
        path.write_bytes(mutated)
        typed = list(override)
        if rng.random() < 0.5:
            at = rng.randrange(len(typed))
            typed[at] = os.fsdecode(mutate(os.fsencode(typed[at]), rng))
        with contextlib.redirect_stdout(None):
            parse_train([str(path), *typed], "train.py")

    return Target([CONFIG.encode(), CONFIG_2.encode()], run)


def command_line(mutated: bytes, _: random.Random) -> None:
    with contextlib.redirect_stdout(None):
        parse_evaluate(os.fsdecode(mutated).split("\n"), "evaluate.py")


def small_file(name: str, read: Callable[[Path], object], content: str, directory: Path) -> Target:
    def run(mutated: bytes, rng: random.Random) -> None:
        path = directory / f"{rng.randrange(1 << 60)}-{name}"  # glossaries are kept by their path
        path.write_bytes(mutated)
        try:
            read(path)
        finally:
            path.unlink()

    return Target([content.encode()], run)


def read_glossary(path: Path) -> None:
    glossary = Glossary.read(path)
    for source, target in PAIRS:
        glossary.find(source)
        for term in glossary.terms:
            term.pattern.search(fold_for_terms(target))


def read_rated(path: Path) -> None:
    file = read_ratings_file(path)
    json.dumps([vars(item) for item in file.items], ensure_ascii=False).encode()


CONFIG = """name: news
seed: 7
data:
  corpora:
    news: {path: news.tsv, format: tsv, weight: 2.5, source_column: "1"}
    general: general.txt
  dev_share: 0.1
  cleaning: {max_copied_share: null, numbers: none, language: false, max_words: 200}
model: {name: tiny-en-ar}
training: {learning_rate: 2e-5, epochs: 3, report_to: [tensorboard], general_dev: dev.tsv}
evaluation:
  test_sets: {flores: flores.tsv}
"""
CONFIG_2 = """base: &base {path: a.tsv, weight: 1}
data: {corpora: {a: *base}}
model:
  scratch: {d_model: 64, vocabulary_size: 500}
adaptation:
  lora: {rank: 8, dropout: 0.1}
  interpolate: [0.5, 0.75]
"""
TMX = '<?xml version="1.0" encoding="UTF-8"?><tmx version="1.4"><header srclang="en"/><body>{}</body></tmx>'
UNIT = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv>\n<tuv xml:lang="ar"><seg>{}</seg></tuv></tu>\n'
XLIFF = (
    '<xliff version="1.2"><file source-language="en" target-language="ar" original="x" datatype="plaintext">'
    "<body>{}</body></file></xliff>"
)
XLIFF_UNIT = '<trans-unit id="1"><source>{} <x id="2"/></source><target>{}</target></trans-unit>\n'
SEGMENTS = (
    '<trans-unit id="1"><source>One. Two.</source><seg-source><mrk mtype="seg" mid="1">One.</mrk> <mrk mtype="seg" '
    'mid="2">Two<x id="1" ctype="lb"/>more.</mrk></seg-source><target state="final">'
    '<mrk mtype="seg" mid="1">واحد.</mrk><mrk mtype="seg" mid="2">اثنان<g id="2">&#x31;</g>.</mrk>'
    "</target></trans-unit>"
)
CELL = '<c t="inlineStr"><is><t>{}</t></is></c>'
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORKBOOK = {
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="a" Type="{_OFFICE}/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    f'xmlns:r="{_OFFICE}"><sheets><sheet name="May" sheetId="1" r:id="s"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="s" Type="{_OFFICE}/worksheet" '
    'Target="worksheets/s.xml"/></Relationships>',
}
TERMS = "english\tarabic\tkind\nAleppo\tحلب\tplace\nmine | mines\tلغم | ألغام\tweapon\n"
RATINGS = {
    "format": "mt-ratings-1",
    "reviewer": "Noor",
    "test_set": "news",
    "page": "p",
    "items": [
        {"sentence": n, "left": "a" * 64, "right": "b" * 64, "choice": "left", "comment": "جيد", "saw_reference": False}
        for n in range(3)
    ],
}


def targets(directory: Path) -> dict[str, Target]:
    """Every door, each with valid inputs."""
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    quoted = "".join('"{}","{}"\n'.format(*(side.replace('"', '""') for side in pair)) for pair in PAIRS)
    objects = "".join(json.dumps({"en": source, "ar": target}, ensure_ascii=False) + "\n" for source, target in PAIRS)
    units = "".join(UNIT.format(*(side.replace("&", "") for side in pair)) for pair in PAIRS)
    sides = ["\n".join(pair).encode() for pair in PAIRS]
    evaluation = ["base=a", "b", "--test_set", "news=x.tsv", "--resamples", "200", "--decoding.num_beams", "2"]
    return {
        "pairs": reader("news.txt", rows.replace("\t", " "), directory),
        "tsv": reader("news.tsv", "en\tar\n" + rows, directory),
        "tsv.gz": reader("news.tsv.gz", rows, directory),
        "csv": reader("news.csv", "english,arabic\n" + quoted, directory),
        "jsonl": reader("news.jsonl", objects, directory),
        "moses": reader("news.en", rows.replace("\t", " "), directory),
        "tmx": reader("news.tmx", TMX.format(units), directory),
        "xliff": reader("news.xlf", XLIFF.format("".join(XLIFF_UNIT.format(*pair) for pair in PAIRS)), directory),
        "xlsx": workbook(PAIRS, directory),
        "quoted tsv": reader("quoted.tsv", "english\tarabic\n" + quoted.replace(',"', '\t"'), directory),
        "segments": reader("news.sdlxliff", XLIFF.format(SEGMENTS), directory),
        "glossary": small_file("terms.tsv", read_glossary, TERMS, directory),
        "ratings": small_file("noor.json", read_rated, json.dumps(RATINGS, ensure_ascii=False, indent=1), directory),
        "config": config_target(directory),
        "command line": Target(["\n".join(evaluation).encode()], command_line),
        "cleaning rules": Target(sides, pair_rules),
        "fidelity checks": Target(sides, fidelity_checks),
    }


def fuzz(target: Target, inputs: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Run a target; yields (what went wrong, the input) for each that ended otherwise than it may."""
    for number in range(inputs):
        rng = random.Random(f"{seed} {number}")
        mutated = mutate(rng.choice(target.seeds), rng)
        start = time.process_time()
        try:
            target.run(mutated, rng)
            target.outcomes["read"] += 1
        except (UserError, UsageError) as error:
            target.outcomes["sentence"] += 1
            if "\n" in str(error):
                yield f"more than a sentence: {error}", mutated
        except SystemExit as stop:  # --help and --print_config, which the mutator finds too
            target.outcomes["help"] += 1
            if stop.code not in (0, None):
                yield f"exit {stop.code}", mutated
        except Exception:
            target.outcomes["traceback"] += 1
            yield traceback.format_exc(), mutated
        seconds = time.process_time() - start
        target.slowest = max(target.slowest, seconds)
        if seconds > max(MAX_SECONDS, MAX_SECONDS_PER_BYTE * len(mutated)):
            target.outcomes["slow"] += 1
            yield f"{seconds:.1f} seconds", mutated


def megabytes() -> float:
    """The most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "", allow_abbrev=False)
    parser.add_argument("--inputs", type=int, default=20_000, help="per target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], metavar="TARGET")
    options = parser.parse_args()
    faults = 0
    print(f"{'target':<16} {'inputs':>7} {'read':>7} {'sentence':>9} {'traceback':>10} {'slowest':>9} {'memory':>8}")
    with tempfile.TemporaryDirectory() as directory:
        for name, target in targets(Path(directory)).items():
            if options.only and name not in options.only:
                continue
            before, found = megabytes(), faults
            for problem, mutated in fuzz(target, options.inputs, options.seed):
                faults += 1
                if faults <= found + _SHOWN:
                    print(f"--- {name}: {mutated[:300]!r}\n{problem}", file=sys.stderr)
            grown, counts = megabytes() - before, target.outcomes
            faults += grown > MAX_MEGABYTES
            print(
                f"{name:<16} {options.inputs:>7} {counts['read']:>7} {counts['sentence']:>9} {counts['traceback']:>10} "
                f"{target.slowest:>7.2f} s {grown:>5.0f} MB",
                flush=True,
            )
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
