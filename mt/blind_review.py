"""What `mt review` does: two systems, one test set, one page on which a person compares them blindly."""

from __future__ import annotations

from pathlib import Path

from mt.arguments import ReviewCommand
from mt.comparison import read_test_sets
from mt.data.readers import check_corpus
from mt.early_checks import check_page
from mt.errors import RunError
from mt.evaluation.review import STORAGE_KEY, Draw, draw_items, render_review
from mt.files import write_text, writing
from mt.system_settings import settle
from mt.systems import hypotheses_of, parse_systems
from mt.wording import counted


def write_review(command: ReviewCommand) -> Draw:
    """Translate, draw and write the page; what can fail cheaply fails before anything is translated."""
    for name, corpus in command.test_sets.items():
        check_corpus(name, corpus)
    systems = parse_systems(command.systems)
    settings = settle(systems, command.model, command.decoding)
    output = Path(command.output)
    _check_output(output, command.overwrite)
    (test_set,) = read_test_sets(command.test_sets, systems)
    first, second = (hypotheses_of(system, [test_set], settings.get(system.label))[test_set.name] for system in systems)
    draw = draw_items(test_set, first, second, command.sentences, command.seed)
    write_text(output, render_review(test_set.name, draw.items))
    return draw


def summary(draw: Draw, output: str) -> str:
    """What the page holds and what it leaves out, for the terminal."""
    differing = draw.sentences - draw.alike
    return (
        f"{len(draw.items)} of {counted(differing, 'sentence')} that differ; "
        f"{draw.alike} of {draw.sentences} translated alike and left out\n"
        f"page: {output}"
    )


def _check_output(output: Path, overwrite: bool) -> None:
    check_page(output, overwrite)
    if output.exists() and STORAGE_KEY not in output.read_bytes():
        raise RunError(f"{output}: is no page of ours, so it is not replaced; choose another --output")
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
