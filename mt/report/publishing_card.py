"""The model card of a published model: the run's own, with what strangers must know before they use it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from mt.config import Config
from mt.errors import RunError
from mt.models.model_files import shown_name
from mt.report.leaderboard_options import differing, method_of, section_of, with_defaults
from mt.report.markdown import code, table, text_of
from mt.report.publishing_licences import Part

_FINETUNED = "finetuned"


@dataclass(frozen=True)
class Publication:
    """A run that is to be published, as it was read."""

    repo: str
    """`OWNER/NAME`."""
    config: Config
    options: Mapping[str, Any]
    """The same config as plain values, with the defaults of options that the run's version lacked."""
    manifest: Mapping[str, Any]
    scores: Mapping[str, Any]
    """The content of its `scores.json`."""
    chain: Sequence[Part]
    licence: str
    """That of the card."""
    model: Mapping[str, Any]
    """The content of the model's `config.json`."""
    with_report: bool = False


def render_published_card(card: Path, publication: Publication) -> str:
    """The card at `card` with licence, intended use, limits and licence chain added. Raises `RunError`."""
    try:
        known = ModelCard.load(card)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise RunError(f"{card}: the model card cannot be read ({reason}); resume the run to write it again") from error
    data = known.data
    licence = publication.licence
    is_of_the_hub = re.fullmatch(r"[a-z0-9.+-]+", licence) is not None
    data.license = licence if is_of_the_hub else "other"
    if data.license == "other":
        data.license_name = re.sub(r"\W+", "-", licence.casefold()).strip("-") if not is_of_the_hub else "several"
        data.license_link = f"https://huggingface.co/{publication.repo}#licences"
    if data.base_model:
        data.base_model_relation = "finetune"
    data.tags = ["translation", "mt", *(["non-commercial"] if _forbidding(publication.chain) else [])]
    title, _, rest = known.text.strip().partition("\n")
    try:
        added = [*_warning(publication.chain), rest.strip(), *_sections(publication)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunError(
            f"{card.parent.parent / 'scores.json'}: is of another version ({reason}); resume the run"
        ) from error
    body = without_paths("\n\n".join(filter(None, [title, *added])), publication.config) + "\n"
    # The class reads the metadata again, and so refuses what the hub would refuse.
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def without_paths(text: str, config: Config) -> str:
    """`text` with every path of the config cut down to its last part: the others say where files lie at home."""
    corpora = [*config.data.corpora.values(), *config.held_out_sets.values()]
    paths = [path for corpus in corpora for path in (corpus.path, corpus.target_path) if path and corpus.format != "hf"]
    paths += [path for path in (config.decoding.terminology, config.evaluation.glossary) if path]
    shown = {path: Path(path).name for path in paths} | {config.model.name: shown_name(config.model.name)}
    for path in sorted(shown, key=len, reverse=True):
        if shown[path] and shown[path] != path:
            text = text.replace(path, shown[path]).replace(text_of(path), text_of(shown[path]))
    return text


def warning_of(chain: Sequence[Part]) -> str:
    """Which part forbids commercial use, as a sentence; empty if none does."""
    found = [f"{part.what} ({part.licence})" for part in _forbidding(chain)]
    return f"NOT FOR COMMERCIAL USE, because of the licence of {', '.join(found)}." if found else ""


def unknown_in(chain: Sequence[Part]) -> str:
    """Whose licence is unknown, as a sentence; empty if all are known."""
    found = [part.what for part in chain if part.licence is None]
    return f"The licence is unknown of {', '.join(found)}: find it out before the model is used." if found else ""


def _forbidding(chain: Sequence[Part]) -> list[Part]:
    return [part for part in chain if part.is_noncommercial]


def _warning(chain: Sequence[Part]) -> list[str]:
    sentence = warning_of(chain)
    return [f"> **{text_of(sentence)}**"] if sentence else []


def _sections(publication: Publication) -> Iterator[str]:
    yield from ("## What fine-tuning changed", _verdicts(publication.scores))
    yield from ("## How to use it", _usage(publication))
    yield from ("## Intended use and limits", _limits(publication))
    yield from ("## Licences", _licences(publication.chain))
    yield from ("## How it was adapted", _recipe(publication))
    yield from ("## Files", _files(publication.with_report))


def _verdicts(scores: Mapping[str, Any]) -> str:
    verdicts = [each.get("text") for each in scores.get("verdicts") or [] if isinstance(each, dict)]
    said = [text_of(str(text)) for text in [*verdicts, scores.get("advice")] if text]
    return "\n\n".join(said) or "It was scored on no test set."


def _usage(publication: Publication) -> str:
    if "ForCausalLM" in str(publication.model.get("architectures")):
        return _usage_of_language_model(publication)
    prefix = section_of(publication.manifest, "base_model").get("source_prefix") or ""
    sentence = f"{prefix}..." if isinstance(prefix, str) else "..."
    lines = [
        "```python",
        "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{publication.repo}")',
        f'model = AutoModelForSeq2SeqLM.from_pretrained("{publication.repo}")',
        f'batch = tokenizer(["{sentence}"], return_tensors="pt")',
        "print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))",
        "```",
    ]
    text = "\n".join(lines)
    if prefix:
        text += f"\n\nEach source begins with {code(prefix.strip())}, which asks for the target language."
    if publication.config.decoding.terminology:
        text += (
            "\n\nIt was trained, and scored, with terms of a glossary given inline, which this snippet does not do; "
            "`mt translate` does."
        )
    return text


def _usage_of_language_model(publication: Publication) -> str:
    """No snippet: without the prompt of its training such a model does not translate."""
    instruction = publication.model.get("translation_prompt")
    kept = " `translation_prompt` in `config.json` is its instruction." if instruction else ""
    return (
        "It is a language model, and translates a source inside the prompt that it was trained with.\n\n"
        f"```sh\nmt translate {publication.repo} english.txt\n```\n\n"
        f"puts each line of a file into that prompt.{kept}"
    )


def _limits(publication: Publication) -> str:
    languages = publication.config.model.languages
    pairs = section_of(section_of(publication.manifest, "splits"), "train").get("pairs", "an unknown number of")
    lines = [
        f"A draft for people who read {languages.source.name} and {languages.target.name} and check it against the "
        "source. Not for publishing unread, and not for decisions about people.",
        "Mistakes read as fluently as the rest: wrong numbers and names, a lost denial, words given to somebody else. "
        "Checked by rule, which finds only some of them:",
        *_fidelity(publication.scores),
        f"Adapted with {pairs} pairs; the scores above hold for text like that of their test sets and say little of "
        "other text. The data card says what the pairs are and how test sentences were held out.",
        _forgetting(publication.scores),
    ]
    return "\n\n".join(filter(None, lines))


def _fidelity(scores: Mapping[str, Any]) -> list[str]:
    """A table of the checks that the model's translations passed."""
    rows = [
        [text_of(str(each["test_set"])), text_of(str(each["check"])), f"{each['passed']} of {each['total']}"]
        for each in scores.get("fidelity") or []
        if each.get("system") == _FINETUNED and each.get("total")
    ]
    return ["\n".join(table(["test set", "check", "passed"], rows))] if rows else []


def _forgetting(scores: Mapping[str, Any]) -> str:
    general = scores.get("general_test_sets") or []
    changes = {
        each["test_set"]: f"{each['difference']:+.1f} chrF on {text_of(str(each['test_set']))}"
        for each in scores.get("comparisons") or []
        if each["test_set"] in general and (each["system"], each["metric"]) == (_FINETUNED, "chrF")
    }
    if not changes:
        return "What it has forgotten of other text was not measured."
    return f"On general text it differs from its base by {', '.join(changes.values())}."


def _licences(chain: Sequence[Part]) -> str:
    """A table of all parts, and what follows from it; no advice."""
    rows = [
        [
            f"{part.kind} {text_of(part.name)}",
            text_of(part.licence or "unknown"),
            text_of(part.origin),
            "" if part.is_in_model else "no",
        ]
        for part in chain
    ]
    for row in rows:
        row[3] = row[3] or "yes"
    lines = ["\n".join(table(["made from", "licence", "written in", "learnt from"], rows))] if rows else []
    read = "Read each of them: some limit what the model may be used for, or must be passed on with it."
    return "\n\n".join(filter(None, [*lines, *map(text_of, [warning_of(chain), unknown_in(chain)]), read]))


def _recipe(publication: Publication) -> str:
    """The method, and every option that differs from its default; paths without their folders."""
    method = method_of(publication.options, publication.manifest)
    given = (publication.options, publication.manifest)
    found = differing([given, (with_defaults({}), {})])
    rows = [[code(key), text_of(values[0].text)] for key, values in found.items()]
    lines = [f"Method: {text_of(method)}. Options that differ from the defaults of `mt`:"]
    return "\n\n".join([*lines, "\n".join(table(["option", "value"], rows))])


def _files(with_report: bool) -> str:
    lines = [
        "- `data_card.md`: what was read, dropped and kept; no sentences",
        "- `scores.json`: scores with intervals, signatures, paired tests, fidelity checks",
    ]
    lines += ["- `report.html`, `report.md`: the report, with test sentences and their translations"] * with_report
    left_out = "" if with_report else ", nor the report, which shows test sentences"
    return "\n".join([*lines, "", f"The training sentences are not here{left_out}."])
