"""Cheap checks that a model translates at all, before hours of training show that it does not.

Tied weights that load wrongly, a missing language token or another model's tokenizer raise no error: the model writes
fluent nonsense, another language, or nothing. Five fixed sentences reveal it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mt.config import DecodingConfig
from mt.errors import ModelError
from mt.languages import ARABIC, Language, language_named
from mt.models.adapters import CONFIG as ADAPTER
from mt.models.decoding import translate
from mt.models.families import family_by_name
from mt.models.model_files import ModelFiles
from mt.models.transformers_model import TransformersTranslator
from mt.models.weights import find_weights, read_tensors
from mt.text.languages import english, knowledge_of
from mt.text.normalise import script_share
from mt.wording import counted

SENTENCES = english.KNOWLEDGE.sentences
"""What a model from English translates; for others see `mt.text.languages.knowledge.Knowledge.sentences`."""

_MAX_UNKNOWN_SHARE = 0.05
_MIN_SCRIPT_SHARE = 0.6
_LENGTH_RATIOS = (0.25, 3.0)
# A weak model may stumble over one sentence of five; a broken one stumbles over most.
_ALLOWED_FAILURES = 1
_LOOP = re.compile(r"(?:^|\s)(\S+(?:\s\S+){0,3}?)(?:\s\1){3,}(?=\s|$)|(\S{1,8}?)\2{9,}")


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Diagnosis:
    """All findings on one model, with the translations they are based on."""

    findings: list[Finding]
    translations: list[tuple[str, str]]
    """(source, hypothesis) of each of the fixed sentences; none for a language without such."""

    @property
    def is_healthy(self) -> bool:
        """Whether every check passed."""
        return all(finding.passed for finding in self.findings)


def examine(translator: TransformersTranslator, beams: int = 1) -> Diagnosis:
    """Check weights and tokens, translate the source language's sentences and check the translations.

    Where no sentences of a language are known, its translations are not looked at, and a finding says so.
    """
    codes = translator.languages.source_code, translator.languages.target_code
    source, target = map(language_named, codes)
    sentences = () if source is None else knowledge_of(source).sentences
    findings = [check_ties(translator), check_language_tokens(translator)]
    if not sentences:
        unseen = f"not looked at: there are no sentences in {source.name if source else codes[0]} to try it on"
        return Diagnosis([*findings, Finding("translations", True, unseen)], [])
    findings.append(check_unknown_share(translator, sentences))
    hypotheses = translate(translator, sentences, DecodingConfig(num_beams=beams))
    findings += [
        *([] if target is None else [check_script(hypotheses, target)]),
        check_loops(hypotheses),
        check_lengths(sentences, hypotheses),
        check_variety(hypotheses),
    ]
    return Diagnosis(findings, list(zip(sentences, hypotheses, strict=True)))


def refuse_unhealthy(translator: TransformersTranslator) -> Diagnosis:
    """`examine`, and raise `ModelError` with every reason if a check fails."""
    diagnosis = examine(translator)
    if not diagnosis.is_healthy:
        reasons = "; ".join(f"{f.check}: {f.detail}" for f in diagnosis.findings if not f.passed)
        raise ModelError(
            f"{translator.name}: the model does not translate properly ({reasons}); "
            "see `mt doctor`, or train it anyway with --model.skip_doctor true"
        )
    return diagnosis


def check_ties(translator: TransformersTranslator) -> Finding:
    """Embeddings and output layer share their weights exactly if the config says so, and are the checkpoint's."""
    model, family = translator.model, family_by_name(translator.languages.family)
    weights = family.embeddings(model)
    decoder, expected = weights["decoder"], family.has_tied_output(model.config)
    ties = [("output layer", weights["output"] is decoder, expected)]
    has_tied_encoder = family.has_tied_encoder(model.config)
    if has_tied_encoder is not None:
        ties.append(("encoder", weights["encoder"] is decoder, has_tied_encoder))
    for part, is_tied, wanted in ties:
        if is_tied != wanted:
            says, does = ("tied", "separate") if wanted else ("separate", "tied")
            who = "config" if wanted == expected else "architecture"
            return Finding("ties", False, f"the {who} says {says}, but {part} and decoder embeddings are {does}")
    changed = _changed_embeddings(translator, weights)
    if changed:
        return Finding("ties", False, f"the loaded weights differ from the checkpoint's {changed}")
    return Finding("ties", True, "tied" if expected else "separate")


def _changed_embeddings(translator: TransformersTranslator, loaded: dict[str, Tensor]) -> str | None:
    """Name of an embedding in the checkpoint that differs from the loaded one; None if all are the same."""
    homes = {
        "embed_tokens.weight": "decoder",
        "shared.weight": "decoder",
        "encoder.embed_tokens.weight": "encoder",
        "decoder.embed_tokens.weight": "decoder",
        "lm_head.weight": "output",
    }
    for file in _checkpoint_files(translator):
        for name, weight in read_tensors(file).items():
            home = homes.get(name.removeprefix("model."))
            if home is None:
                continue
            found = loaded[home].detach().cpu()
            expected = weight.to(found.dtype)
            if expected.shape != found.shape or not torch.equal(expected, found):
                return name
    return None


def _checkpoint_files(translator: TransformersTranslator) -> list[Path]:
    """The files with the weights that were loaded; none for an adapter, whose weights are merged and so in no file."""
    files = ModelFiles(translator.name, translator.location, translator.revision)
    return find_weights(files) if files.find(ADAPTER) is None else []


def check_language_tokens(translator: TransformersTranslator) -> Finding:
    """Source and target language are one known token each, at the position where the model was trained to see them."""
    languages, tokenizer = translator.languages, translator.tokenizer
    source = translator.encode_sources(["war"])[0]
    target = translator.encode_targets(["حرب"])[0]
    marks = family_by_name(languages.family).language_marks(languages, tokenizer, source, target)
    for token, side, found in marks:
        expected = tokenizer.convert_tokens_to_ids(token)
        if found != expected or found == tokenizer.unk_token_id:
            detail = f"the {side} is marked by id {found}, not by {expected} of {token}"
            return Finding("language tokens", False, detail)
        shared = [word for word, index in tokenizer.get_added_vocab().items() if index == found and word != token]
        if shared:
            detail = f"{token} and {shared[0]}, which was added to the tokenizer, have one id, {found}"
            return Finding("language tokens", False, detail)
    unmarked = "named in the prompt" if family_by_name(languages.family).is_prompted else "none needed"
    return Finding("language tokens", True, ", ".join(mark.token for mark in marks) or unmarked)


def check_unknown_share(translator: TransformersTranslator, sentences: tuple[str, ...] = SENTENCES) -> Finding:
    """The tokenizer knows nearly all pieces of plain sentences in the source language."""
    ids = [piece for sentence in translator.encode_sources(list(sentences)) for piece in sentence]
    share = ids.count(translator.tokenizer.unk_token_id) / len(ids)
    return Finding("unknown pieces", share <= _MAX_UNKNOWN_SHARE, f"{share:.0%} of the source's pieces")


def check_script(hypotheses: list[str], language: Language = ARABIC) -> Finding:
    """The output is mostly in the script of the target language."""
    share = script_share(" ".join(hypotheses), language.script)
    return Finding("script", share >= _MIN_SCRIPT_SHARE, f"{share:.0%} of the letters are {language.script_name}")


def check_loops(hypotheses: list[str]) -> Finding:
    """No phrase is repeated over and over."""
    loops = [hypothesis for hypothesis in hypotheses if _LOOP.search(hypothesis)]
    detail = f"{len(loops)} of {len(hypotheses)} sentences repeat a phrase over and over"
    return Finding("loops", len(loops) <= _ALLOWED_FAILURES, detail)


def check_lengths(sources: tuple[str, ...], hypotheses: list[str]) -> Finding:
    """Hypotheses are about as long as their sources, in characters."""
    low, high = _LENGTH_RATIOS
    odd = [h for s, h in zip(sources, hypotheses, strict=True) if not low <= len(h) / len(s) <= high]
    detail = (
        f"{len(odd)} of {len(hypotheses)} sentences are shorter than {low:g} or longer than {high:g} × their source"
    )
    return Finding("length", len(odd) <= _ALLOWED_FAILURES, detail)


def check_variety(hypotheses: list[str]) -> Finding:
    """Different sources have different translations."""
    different = len(set(hypotheses))
    passed = different >= len(hypotheses) - _ALLOWED_FAILURES
    return Finding(
        "variety", passed, f"{counted(different, 'different translation')} of {counted(len(hypotheses), 'sentence')}"
    )
