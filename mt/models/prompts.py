"""The prompt in which a decoder-only model gets a source: from the tokenizer's chat template, or a plain instruction.

The text around the source is made once. What the tokenizer makes of the whole is what `apply_chat_template` makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from mt.errors import ModelError
from mt.languages import Language

INSTRUCTION = (
    "Translate the following text from {source_language} into {target_language}, without additional explanation."
    "\n\n{source}"
)
"""What a model is asked for where neither the config nor the model says something else."""

KEY = "translation_prompt"
"""The key in config.json under which the instruction of a fine-tuned model is kept."""

# Private-use characters, which no template contains or changes.
_SOURCE, _ANSWER = "\ue010source\ue011", "\ue010answer\ue011"
_LANGUAGE_CODE = "source_lang_code"


@dataclass(frozen=True)
class Prompt:
    """The text around a source."""

    before: str
    """Everything before it, including the token that begins a text."""
    after: str
    """Everything after it, up to where the translation begins."""
    lead: str
    """What comes between prompt and translation and belongs to the latter: a space, or nothing."""
    end: str
    """The token that ends the translation."""

    def of(self, source: str) -> str:
        """The whole prompt."""
        return f"{self.before}{source}{self.after}"


def make_prompt(
    name: str, tokenizer: Any, source: Language, target: Language, instruction: str | None = None
) -> Prompt:
    """The prompt of a model for two languages.

    A chat template whose messages have language codes (TranslateGemma's) says by itself what is asked for. Any other
    template gets `instruction`, by default `INSTRUCTION`, as the user's message. Without a template the instruction is
    the prompt, followed by the name of the target language and a colon.
    Raises `ModelError` if the template cannot be used, or already says what `instruction` says differently.
    """
    template = _template_of(tokenizer)
    if not tokenizer.eos_token:
        raise ModelError(f"{name}: the tokenizer has no end token (eos_token), so no translation would end")
    if template is None:
        return _plain(tokenizer, _filled(instruction or INSTRUCTION, source, target), target)
    if _LANGUAGE_CODE in template:
        if instruction is not None:
            raise ModelError(
                f"{name}: its chat template asks for a translation by itself, from the codes of the languages; leave "
                "model.prompt out"
            )
        codes = {_LANGUAGE_CODE: source.code, "target_lang_code": target.code}
        content: Any = [{"type": "text", **codes, "text": _SOURCE}]
    else:
        content = _filled(instruction or INSTRUCTION, source, target)
    return _from_template(name, tokenizer, content)


def _template_of(tokenizer: Any) -> str | None:
    """The tokenizer's chat template; of several, the one named `default`."""
    template = tokenizer.chat_template
    if isinstance(template, Mapping):
        template = template.get("default")
    return template if isinstance(template, str) and template else None


def _filled(instruction: str, source: Language, target: Language) -> str:
    names = {"source_language": source.name, "target_language": target.name}
    return instruction.format(source=_SOURCE, **names)


def _plain(tokenizer: Any, text: str, target: Language) -> Prompt:
    before, after = text.split(_SOURCE)
    ids = tokenizer("a")["input_ids"]
    begins = tokenizer.bos_token if ids and ids[0] == tokenizer.bos_token_id else ""
    return Prompt(f"{begins}{before}", f"{after}\n\n{target.name}:", " ", tokenizer.eos_token)


def _from_template(name: str, tokenizer: Any, content: Any) -> Prompt:
    question = {"role": "user", "content": content}
    asked = _rendered(name, tokenizer, [question])
    parts = asked.split(_SOURCE)
    if len(parts) != 2:
        raise ModelError(f"{name}: its chat template does not contain the message just once, so it cannot be used")
    answered = _rendered(name, tokenizer, [question, {"role": "assistant", "content": _ANSWER}], is_answered=True)
    _, has_answer, rest = answered.partition(_ANSWER)
    found = [(rest.find(token), token) for token in _special_tokens(tokenizer) if token in rest]
    return Prompt(parts[0], parts[1], "", min(found)[1] if has_answer and found else tokenizer.eos_token)


def _rendered(name: str, tokenizer: Any, messages: Sequence[Mapping[str, Any]], *, is_answered: bool = False) -> str:
    try:
        # Qwen 3 would think before it translates; other templates ignore the option.
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=not is_answered, enable_thinking=False
        )
    except (TemplateError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise ModelError(f"{name}: its chat template cannot be used for a translation ({why})") from error
    return text


def _special_tokens(tokenizer: Any) -> list[str]:
    return [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]


def control_tokens(tokenizer: Any) -> list[str]:
    """Tokens that structure a conversation, longest first; in a source or target they would not be text.

    The special ones, and those that the chat template contains, such as `<think>`.
    """
    template = _template_of(tokenizer) or ""
    added = tokenizer.added_tokens_decoder.values()
    found = {str(token) for token in added if token.special or (len(str(token)) > 2 and str(token) in template)}
    return sorted((token for token in found if len(token) > 1), key=len, reverse=True)
