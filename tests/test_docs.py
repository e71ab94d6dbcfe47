"""The pages keep what they say: links lead somewhere, commands run, and docs/code.md names files that exist.

A block of commands is preceded by a mark that GitHub does not show, `<!-- test: run -->`. `MARKS` lists them all.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from mt import cli
from tests.conftest import ROOT, news_pairs

PAGES = sorted(path for pattern in ("*.md", "docs/*.md", "data/*/*.md") for path in ROOT.glob(pattern))
CODE_MAP = ROOT / "docs" / "code.md"

MARKS = {
    "run": "run here, with small files in place of the reader's",
    "run slowly": "likewise; trains, or loads a model",
    "needs a network": "names something on the network; its options are parsed and its files looked for",
    "needs a GPU": "needs several GPUs or a cluster; likewise",
    "elsewhere": "run by other tests, which `ELSEWHERE` names",
}
ELSEWHERE = {
    "make demo": "tests/test_end_to_end.py trains configs/demo.yaml",
    "make test": "the suite itself",
    "make quick": "the suite itself",
    "make lint": "continuous integration, by make test",
    "make format": "changes files",
    "make faults": "tests/test_faults.py injects a few of each kind",
    "make bench": "tests/test_benchmarks.py, with --quick",
    ".venv/bin/mt serve tiny-en-ar": "tests/test_serve_command.py, at another port",
    ".venv/bin/python -m faults --only overwrite_spares --verbose": "tests/test_faults.py",
    ".venv/bin/python benchmarks/gpu.py CORPUS.tsv.gz --json gpu.json": "tests/test_gpu_benchmark.py, with --tiny",
    ".venv/bin/ray start --head --port 6379": "tests/test_ray_engine.py starts a head node by Ray's library",
    ".venv/bin/ray start --address 10.0.0.1:6379": "tests/test_ray_engine.py starts a second node in the same way",
    "export RAY_ADDRESS=auto": "tests/test_ray_engine.py, with an address",
    ".venv/bin/mt data configs/conflict_news.yaml --data.corpora.news news.tsv --data.engine ray "
    "--data.cache_dir /shared/cache": "tests/test_ray_engine.py builds on a cluster",
    "kubectl create -f configs/kubernetes/data.yaml": "tests/test_ray_engine.py reads the file",
    ".venv/bin/python faults/fuzz.py --inputs 20000": "tests/test_fuzz.py runs fewer inputs",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    mark: str | None
    text: str

    @property
    def name(self) -> str:
        """Page and line, as an editor opens them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """One per line, without comments, those that a backslash continues in one piece."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def blocks_of(page: Path, text: str) -> Iterator[Block]:
    """Every fenced block, with the mark in the line above it."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if start is None:
            start = number
            continue
        above = lines[start - 1].strip() if start else ""
        mark = re.fullmatch(r"<!-- test: (.+) -->", above)
        language = lines[start].strip().removeprefix("```")
        yield Block(page, start + 1, language, mark[1] if mark else None, "\n".join(lines[start + 1 : number]))
        start = None
    assert start is None, f"{page}:{(start or 0) + 1}: the block is never closed"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


BLOCKS = [block for page in PAGES for block in blocks_of(page, read(page))]
SHELL = [block for block in BLOCKS if block.language == "sh"]


def prose_of(text: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def fault_of_mark(block: Block) -> str | None:
    """Why the mark of a block of commands cannot be used."""
    if block.mark is None:
        return "no <!-- test: ... --> in the line above; MARKS lists them"
    if block.mark not in MARKS:
        return f"`{block.mark}` is none of {', '.join(MARKS)}"
    unknown = [command for command in block.commands if command not in ELSEWHERE]
    if block.mark == "elsewhere" and unknown:
        return f"ELSEWHERE does not say where `{unknown[0]}` is run"
    return None


def test_the_front_page_is_short():
    assert len(read(ROOT / "README.md").splitlines()) <= 150
    assert 20_000 < (ROOT / "docs" / "report.png").stat().st_size <= 300_000


def test_every_block_of_commands_says_how_it_is_tested():
    assert len(SHELL) >= 20
    assert {block.name: fault for block in SHELL if (fault := fault_of_mark(block))} == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```sh\nls\n```", "no <!-- test: "),
        ("<!-- test: run -->\n\n```sh\nls\n```", "no <!-- test: "),
        ("<!-- test: never -->\n```sh\nls\n```", "`never` is none of run, "),
        ("<!-- test: elsewhere -->\n```sh\nmake test\nmake dinner\n```", "does not say where `make dinner` is run"),
        ("<!-- test: run -->\n```sh\nls\n```", None),
    ],
)
def test_a_block_without_a_mark_is_found(text: str, fault: str | None):
    (block,) = blocks_of(ROOT / "README.md", text)
    found = fault_of_mark(block)
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_commands_stand_in_blocks_that_are_tested():
    assert {block.name for block in BLOCKS if block.language not in ("sh", "yaml", "python", "text")} == set()
    indented = re.compile(r"^ {4,}(make|python|sbatch|mt|\.venv/bin/\S+) ", re.MULTILINE)
    assert {page.name for page in PAGES if indented.search(prose_of(read(page)))} == set()


def test_elsewhere_names_what_exists():
    targets = set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert {command.removeprefix("make ") for command in ELSEWHERE if command.startswith("make ")} <= targets
    named = {name for place in ELSEWHERE.values() for name in re.findall(r"\S+\.(?:py|yaml)", place)}
    assert all((ROOT / name).is_file() for name in named)


# Links


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives to headings: lower case, hyphens for spaces, no punctuation, repeats numbered."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose_of(text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def faults_of_links(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere."""
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(text)):
        if re.match(r"https://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        is_lost = not file.exists() or not file.is_relative_to(ROOT)
        if is_lost or (anchor and anchor not in anchors_of(read(file) if path else text)):
            faults.append(target)
    return faults


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path):
    assert faults_of_links(page, read(page)) == []


def test_broken_links_are_found():
    text = (
        "# One `mt x`: two\n# Same\n# Same\n[a](#one-mt-x-two) [b](#same-1) ![c](docs/data.md#formats) [d](mt/config)\n"
        "[e](#same-2) [f](docs/lost.md) [g](docs/data.md#lost) [h](http://example.org) [i](../outside)\n"
    )
    found = ["#same-2", "docs/lost.md", "docs/data.md#lost", "http://example.org", "../outside"]
    assert faults_of_links(ROOT / "README.md", text) == found


def test_every_page_is_reached_from_the_front_page():
    linked = {
        (ROOT / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\((docs/[^)]+)\)", read(ROOT / "README.md"))
    }
    assert set((ROOT / "docs").glob("*.md")) <= linked


# The map of the code

NAME = re.compile(r"(?P<file>[\w.-]*(?:/[\w.-]+)*/?)(?:::(?P<name>\w+))?")
FILE_ENDINGS = (".py", ".toml", ".yaml", ".yml", ".jinja", ".js", ".css", ".md", ".tsv", ".txt", ".sbatch", ".cff")


def names_in(text: str) -> list[tuple[str, str]]:
    """(file or directory, name in it or "") of every code span that looks like one."""
    found = []
    for span in re.findall(r"`([^`\n]+)`", prose_of(text)):
        match = NAME.fullmatch(span)
        if match and (match["name"] or span.endswith((*FILE_ENDINGS, "/"))):
            found.append((match["file"], match["name"] or ""))
        elif re.fullmatch(r"mt(\.\w+)+", span):
            found.append((span.replace(".", "/") + ("/" if (ROOT / span.replace(".", "/")).is_dir() else ".py"), ""))
    return found


def is_there(file: str, name: str) -> bool:
    """Whether the file exists and, if a name is given, defines it: a function, a class, a constant or an option."""
    path = ROOT / file
    if not name:
        return path.exists()
    definition = rf"^ *(?:(?:async )?def|class) {name}\b|^{name}\b[^=\n]*="
    return path.is_file() and re.search(definition, read(path), re.MULTILINE) is not None


def test_the_map_of_the_code_names_what_is_there():
    names = names_in(read(CODE_MAP))
    assert sum(bool(name) for _, name in names) >= 80
    assert [f"{file}::{name}" for file, name in names if not is_there(file, name)] == []


def test_the_map_of_the_code_has_every_room():
    rooms = {f"mt/{path.parent.name}/" for path in ROOT.glob("mt/*/__init__.py")}
    modules = {f"mt/{path.name}" for path in ROOT.glob("mt/*.py")} - {"mt/__init__.py"}
    assert rooms | modules <= {file for file, _ in names_in(read(CODE_MAP))}


def test_what_is_not_there_is_found():
    text = "`mt/files.py::write_text` `mt/files.py::lost` `mt/lost.py` `lost/` `mt.lost` `mt.files` `runs/<name>/x`"
    missing = [(file, name) for file, name in names_in(text) if not is_there(file, name)]
    assert missing == [("mt/files.py", "lost"), ("mt/lost.py", ""), ("lost/", ""), ("mt/lost.py", "")]


# Commands

SMALL = [
    *("--model.skip_doctor", "true", "--training.max_updates", "2", "--training.eval_every_updates", "1"),
    *("--training.tokens_per_update", "400", "--training.micro_batch_tokens", "400", "--training.dev_sentences", "8"),
    *("--training.report_to", "[]", "--evaluation.resamples", "100", "--decoding.num_beams", "1"),
    *("--decoding.max_length_ratio", "0.05", "--data.max_test_pairs", "40", "--data.max_dev_pairs", "20"),
]
"""What makes a training short. The options of the page come after these, and win."""


class ParsedError(Exception):
    """A command has been parsed, and its files are there."""


def sentences(count: int, seed: int) -> list[tuple[str, str]]:
    """Pairs of words drawn from the starter set: like nothing that is held out or trained on."""
    draw = random.Random(seed)
    english, arabic = (sorted(set(filter(str.isalpha, " ".join(side).split()))) for side in news_pairs())
    return [(" ".join(draw.sample(english, 8)), " ".join(draw.sample(arabic, 7))) for _ in range(count)]


def as_tsv(pairs: Sequence[tuple[str, str]]) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def ratings(reviewer: str, left: Sequence[str], right: Sequence[str]) -> str:
    """What a review page exports."""
    items = [
        {
            "sentence": number,
            "left": sha256(left[number].encode()).hexdigest(),
            "right": sha256(right[number].encode()).hexdigest(),
            "choice": "left" if number % 3 else "both_good",
            "comment": "",
            "saw_reference": False,
        }
        for number in range(12)
    ]
    head = {"format": "mt-ratings-1", "reviewer": reviewer, "test_set": "desk", "page": "a page"}
    return json.dumps({**head, "items": items})


TMX = """<tmx version="1.4"><header srclang="en"/><body>{}</body></tmx>"""
XLIFF = """<xliff version="1.2"><file source-language="en"><body><trans-unit id="1"><source>The army left.</source>\
</trans-unit></body></file></xliff>"""
UNIT = """<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="ar"><seg>{}</seg></tuv></tu>"""


def write_stand_ins(root: Path) -> None:
    """The files that the pages take for the reader's own."""
    for name in ("configs", "benchmarks"):
        (root / name).symlink_to(ROOT / name)
    (root / "data" / "conflict_news").mkdir(parents=True)
    for file in (ROOT / "data" / "conflict_news").iterdir():
        # The head of each file: what a command does to the rest is nothing new, and takes minutes.
        head = file.read_text(encoding="utf-8").splitlines(keepends=True)[:300]
        (root / "data" / "conflict_news" / file.name).write_text("".join(head), encoding="utf-8")
    desk = sentences(40, seed=2)
    references = [target for _, target in desk]
    base = [line.rpartition(" ")[0] for line in references]
    tuned = [line.partition(" ")[2] for line in references]
    news = as_tsv(sentences(200, seed=1))
    texts = {
        "news.tsv": news,
        "desk-export": news,
        "desk.tsv": as_tsv(desk),
        "flores.tsv": as_tsv(sentences(40, seed=3)),
        "UN.tsv": "".join(f"{source}\t{target}\t{target}\n" for source, target in sentences(60, seed=4)),
        "NAMES.tsv": "english\tarabic\nDamascus\tدمشق\nAleppo\tحلب\n",
        "desk.yaml": "data: {corpora: {news: news.tsv}}\n",
        "desk.tmx": TMX.format("".join(UNIT.format(*pair) for pair in sentences(60, seed=5))),
        "vendor.txt": "".join(f"{line}\n" for line in references),
        "base.txt": "".join(f"{line}\n" for line in base),
        "tuned.txt": "".join(f"{line}\n" for line in tuned),
        "report.html": "<h1>The report</h1><p>See <b>it</b> at https://example.org.</p>",
        "memory.xlf": XLIFF,
        "desk.csv": "id,headline\n1,The army left the town.\n",
        "english.txt": "".join(f"{source}\n" for source, _ in desk[:3]),
        "archive.ar.txt": "".join(f"{line}\n" for line in references[:3]),
        "archive.backtranslated.tsv": f"source\ttarget\n{news}",
        "amal.json": ratings("amal", tuned, base),
        "omar.json": ratings("omar", base, tuned),
    }
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")
    with gzip.open(root / "general.tsv.gz", "wt", encoding="utf-8") as file:
        file.write(as_tsv(sentences(200, seed=6)))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's directory, in which a command is typed."""
    root = tmp_path / "desk"
    root.mkdir()
    write_stand_ins(root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path) -> Path:
    """The directory `runs` of a reader who has trained, briefly, what the pages train."""
    root = tmp_path_factory.mktemp("trained")
    write_stand_ins(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert call(patch, ["train.py", "configs/demo.yaml", "--model.name", str(marian_directory), *SMALL]) == 0
    for name in ("a", "b"):
        shutil.copytree(root / "runs" / "demo", root / "runs" / name)
    return root / "runs"


def words_of(command: str) -> list[str]:
    """A command as train.py, evaluate.py, mt or another program and its arguments, without output redirected."""
    words = shlex.split(command)
    if words[0] == "sbatch":
        assert (ROOT / words[1]).is_file(), words[1]
        return ["train.py", *words[2:]]
    if words[0] == ".venv/bin/accelerate":
        config, program = words[words.index("--config_file") + 1], words.index("train.py")
        assert (ROOT / config).is_file(), config
        return words[program:]
    words = words[: words.index(">")] if ">" in words else words
    return words[1:] if words[0] == ".venv/bin/python" else [words[0].removeprefix(".venv/bin/"), *words[1:]]


def call(patch: pytest.MonkeyPatch, words: Sequence[str]) -> int:
    """Run one of our commands in this process; its exit status."""
    mains = {"train.py": cli.train_main, "evaluate.py": cli.evaluate_main, "mt": cli.main}
    patch.setattr(sys, "argv", list(words))
    return mains[words[0]]()


def shortened(words: Sequence[str], model: Path) -> list[str]:
    """A command that trains, made short: few updates of a small model, few trials."""
    if words[0] != "train.py" and words[:2] != ["mt", "sweep"]:
        return list(words)
    head = words[: words.index(next(word for word in words if word.endswith(".yaml"))) + 1]
    trials = ["--trials", "1"] if "--trials" in words else []
    return [*head, "--model.name", str(model), *SMALL, *words[len(head) :], *trials]


def blocks_marked(*marks: str) -> list[object]:
    return [
        pytest.param(block, id=block.name, marks=[pytest.mark.slow] if block.mark == "run slowly" else [])
        for block in SHELL
        if block.mark in marks
    ]


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks_marked("run", "run slowly"))
def test_commands_run(block: Block, desk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    if "runs/" in block.text or "--resume" in block.text:
        shutil.copytree(request.getfixturevalue("runs"), desk / "runs")
    for command in block.commands:
        words = words_of(command)
        if words[0].startswith("benchmarks/"):
            subprocess.run([sys.executable, *words], check=True, env={"PYTHONPATH": str(ROOT)}, timeout=300)
        else:
            words = shortened(words, request.getfixturevalue("marian_directory"))
            assert call(monkeypatch, words) == 0, command


@pytest.mark.parametrize("block", blocks_marked("needs a network", "needs a GPU"))
def test_commands_parse(block: Block, desk: Path, monkeypatch: pytest.MonkeyPatch):
    if "runs/" in block.text:
        (desk / "runs" / "a").mkdir(parents=True)
        (desk / "runs" / "b").mkdir()

    def stop() -> None:
        raise ParsedError

    # Commands call it after they have parsed their arguments and looked for their files, before anything slow.
    for command in cli.COMMANDS.values():
        monkeypatch.setattr(f"mt.commands.{command.module}.quiet_libraries", stop, raising=False)
    for line in block.commands:
        with pytest.raises(ParsedError):
            call(monkeypatch, words_of(line))


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (".venv/bin/python train.py configs/conflict_news.yaml --training.learning_rat 1", 2),
        (".venv/bin/python train.py configs/lost.yaml", 1),
        (".venv/bin/mt data configs/demo.yaml --export csv", 1),
        ("sbatch configs/slurm/train.sbatch configs/conflict_news.yaml --data.corpora.news lost.tsv", 1),
    ],
)
def test_a_command_that_does_not_parse_is_found(command: str, status: int, desk: Path, monkeypatch: pytest.MonkeyPatch):
    assert call(monkeypatch, words_of(command)) == status
