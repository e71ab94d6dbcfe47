"""A user's files: what no command may delete, replace or write through a link."""

from __future__ import annotations

import os
import shutil
import stat

from faults.box import Box, Skipped, must, refused, succeeded
from faults.command import NOBODY
from faults.registry import fault

DIRECTORIES = ("data", "model", "base", "checkpoints", "tensorboard", "translations")
FILES = (
    *("config.yaml", "manifest.json", "data_card.md", "data_report.json", "rejected.tsv", "failed_update.tsv"),
    *("metrics.jsonl", "scores.json", "report.html", "report.md"),
)
TEST = ("--test_set", "news=test.tsv")
TEXTS = ("hypotheses.txt", "worse.txt", *TEST)


def own(box: Box, name: str) -> None:
    """The user has something of their own in the output directory, named like something of ours."""
    box.write(f"out/{name}/corpus.tsv" if name in DIRECTORIES else f"out/{name}", "years of work\n")


@fault([*DIRECTORIES, *FILES])
def train_where_the_user_keeps(box: Box, name: str) -> None:
    own(box, name)
    refused(box.train())


@fault(["data", "model", "config.yaml", "report.md", "scores.json"])
def train_overwrite_where_the_user_keeps(box: Box, name: str) -> None:
    own(box, name)
    refused(box.train("--overwrite"))


@fault(["data", "model", "base", "checkpoints", "translations"])
def config_yaml_makes_no_run(box: Box, name: str) -> None:
    box.write("out/config.yaml", "theme: dark\n")
    own(box, name)
    refused(box.train())
    refused(box.train("--overwrite"))
    refused(box.train("--resume"))


@fault(["data", "rejected.tsv", "data_card.md", "data_card.html", "data_report.json"])
def data_where_the_user_keeps(box: Box, name: str) -> None:
    own(box, name)
    refused(box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"]))


@fault(["report.md", "report.html", "scores.json", "translations"])
def evaluate_where_the_user_keeps(box: Box, name: str) -> None:
    own(box, name)
    refused(box.evaluate(*TEXTS))


@fault(["report.md", "report.html", "scores.json", "translations/news/hypotheses.txt"])
def evaluate_overwrite_where_the_user_keeps(box: Box, name: str) -> None:
    own(box, name)
    refused(box.evaluate(*TEXTS, "--overwrite"))


@fault(["sweep.json", "sweep.md", "trial-000/notes.txt"])
def sweep_where_the_user_keeps(box: Box, name: str) -> None:
    own(box, name)
    options = ["--grid", "seed=1", "--output_dir", "out"]
    refused(box.mt("sweep", "small.yaml", *options, writes=["out"]))


@fault({"file": "page.html", "file with --overwrite": "page.html --overwrite", "directory": "out"})
def review_where_the_user_keeps(box: Box, output: str) -> None:
    box.write("page.html", "mine")
    box.write("out/notes.txt", "mine")
    refused(box.mt("review", "hypotheses.txt", "worse.txt", *TEST, "--output", *output.split(), writes=["page.html"]))


@fault(["directory with files", "file", "model itself"])
def export_where_the_user_keeps(box: Box, where: str) -> None:
    box.write("out/notes.txt", "mine")
    target = {"directory with files": "out", "file": "corpus.tsv", "model itself": "model"}[where]
    refused(box.mt("export", "model", target, writes=[target]))


@fault(["corpus.tsv", "data/corpus.tsv", "checkpoints/corpus.tsv"])
def corpus_inside_the_output_directory(box: Box, path: str) -> None:
    box.write(f"out/{path}", (box.work / "corpus.tsv").read_bytes())
    refused(box.train("--data.corpora.news.path", f"out/{path}"))


@fault(["test.tsv", "translations/test.tsv"])
def test_set_inside_the_output_directory(box: Box, path: str) -> None:
    box.write(f"out/{path}", (box.work / "test.tsv").read_bytes())
    refused(box.train("--evaluation.test_sets.held.path", f"out/{path}"))


@fault(["model", "base", "checkpoints/checkpoint-2"])
def base_model_inside_the_output_directory(box: Box, path: str) -> None:
    shutil.copytree(box.work / "model", box.out / path)
    refused(box.train("--model.name", f"out/{path}"))


@fault(["small.yaml", "config.yaml"])
def config_inside_the_output_directory(box: Box, name: str) -> None:
    box.write(f"out/{name}", (box.work / "small.yaml").read_bytes())
    refused(box.train(config=f"out/{name}"))


@fault(["translations/news/hypotheses.txt", "scores.json"])
def translations_inside_the_output_directory(box: Box, path: str) -> None:
    box.write(f"out/{path}", (box.work / "hypotheses.txt").read_bytes())
    box.evaluate(f"mine=out/{path}", *TEST, "--overwrite")


@fault(["out/model", "out/data/corpus.tsv", "out"])
def overwrite_a_run_that_is_read(box: Box, what: str) -> None:
    """The run in the output directory is what the new one starts from: it goes only when it is no longer needed."""
    box.put("finished")
    if what.endswith("tsv"):
        box.write(what, (box.work / "corpus.tsv").read_bytes())
        outcome = box.train("--overwrite", "--data.corpora.news.path", what)
    else:
        outcome = box.train("--overwrite", "--model.name", what)
    refused(outcome)
    must((box.out / "model" / "model.safetensors").is_file(), "the model that was to be trained on is gone")


@fault(
    ["notes.txt", "data/mine.tsv", "model/mine.txt", "checkpoints/mine.txt", "translations/test/human.txt", ".git/HEAD"]
)
def overwrite_spares(box: Box, path: str) -> None:
    """Whether it goes on or is refused, what the user has put into a run stays."""
    box.put("finished")
    box.write(f"out/{path}", "mine")
    box.train("--overwrite", "--seed", "2")


@fault(["notes.txt", "checkpoints/mine.txt", "model/mine.txt", "translations/test/human.txt"])
def resume_spares(box: Box, path: str) -> None:
    box.put("half")
    box.write(f"out/{path}", "mine")
    # Whether it goes on or refuses to: what is the user's stays.
    box.train("--resume")


@fault(["notes.txt", "translations/news/human.txt"])
def evaluate_overwrite_spares(box: Box, path: str) -> None:
    succeeded(box.evaluate(*TEXTS))
    box.write(f"out/{path}", "mine")
    box.evaluate(*TEXTS, "--overwrite")


@fault(["file", "device", "link to nothing", "below a file", "long name", "not writable"])
def train_output_directory_is(box: Box, what: str) -> None:
    output, uid = odd_output(box, what)
    refused(box.start("train.py", "small.yaml", "--output_dir", output, writes=[], uid=uid).wait())
    _device_is_whole(box, what)


@fault(["file", "device", "below a file", "long name", "not writable"])
def data_output_directory_is(box: Box, what: str) -> None:
    output, uid = odd_output(box, what)
    refused(box.mt("data", "small.yaml", "--output_dir", output, uid=uid))
    _device_is_whole(box, what)


@fault(["file", "device", "below a file", "long name", "not writable"])
def evaluate_output_directory_is(box: Box, what: str) -> None:
    output, uid = odd_output(box, what)
    refused(box.start("evaluate.py", *TEXTS, "--output_dir", output, uid=uid).wait())
    _device_is_whole(box, what)


def odd_output(box: Box, what: str) -> tuple[str, int | None]:
    """(--output_dir, the user to run as) for a place where nothing can be written."""
    box.write("file", "mine")
    if what == "device":
        _make_device(box)
    if what == "link to nothing":
        box.plant("dangling", "nowhere/at/all")
    if what == "not writable":
        (box.work / "closed").mkdir(mode=0o555)
        open_to_everybody(box)
    paths = {"file": "file", "device": "device", "link to nothing": "dangling", "below a file": "file/run"}
    paths |= {"long name": "x" * 300, "not writable": "closed/run"}
    return paths[what], NOBODY if what == "not writable" else None


def open_to_everybody(box: Box) -> None:
    """Let another user than root run commands here, as the cache's owner."""
    if os.geteuid() != 0:
        raise Skipped("only root can run a command as another user")
    for path in (box.root.parent, box.root, box.work):
        path.chmod(0o755)
    for top in (box.cache, box.tmp, box.home):
        os.chown(top, NOBODY, NOBODY)
        for path in top.rglob("*"):
            os.chown(path, NOBODY, NOBODY)


def _make_device(box: Box) -> None:
    try:
        os.mknod(box.work / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError as error:
        raise Skipped(f"a device cannot be made here ({error.strerror})") from error


def _device_is_whole(box: Box, what: str) -> None:
    must(what != "device" or stat.S_ISCHR((box.work / "device").stat().st_mode), "the device is none any more")


@fault(["repository", "home", "model directory", "here", "parent", "filled directory by a link"])
def train_output_directory_holds_work(box: Box, what: str) -> None:
    output = place_of_work(box, what)
    for option in ([], ["--overwrite"], ["--resume"]):
        refused(box.train(*option, out=output))


@fault(["repository", "home", "model directory", "filled directory by a link"])
def data_output_directory_holds_work(box: Box, what: str) -> None:
    output = place_of_work(box, what)
    box.mt("data", "small.yaml", "--output_dir", output, writes=[output])


@fault(["repository", "home", "model directory", "filled directory by a link"])
def evaluate_output_directory_holds_work(box: Box, what: str) -> None:
    output = place_of_work(box, what)
    for option in ([], ["--overwrite"]):
        box.evaluate(*TEXTS, *option, out=output)


def place_of_work(box: Box, what: str) -> str:
    """An output directory that holds what a user needs, named as ours are."""
    for name in (".git/HEAD", "data/corpus.tsv", "train.py", "model/README.md", "report.md", "scores.json"):
        box.write(f"repository/{name}", "mine")
    for name in (".bashrc", "data/taxes.csv", "config.yaml", "report.html", "translations/poems.txt"):
        box.write(f"../home/{name}", "mine")
    box.plant("link", "repository")
    places = {
        "repository": "repository",
        "home": str(box.home),
        "model directory": "model",
        "here": ".",
        "parent": "..",
    }
    return places.get(what, "link")


@fault()
def output_directory_by_a_link(box: Box) -> None:
    """A link to an empty directory, as people make to a larger disk, is used."""
    (box.work / "disk").mkdir()
    box.plant("link", "disk")
    succeeded(box.train(out="link"))
