"""The prompt in which a decoder-only model gets a source: from the tokenizer's chat template, or a plain instruction.

The text around the source is made once. What the tokenizer makes of the whole is what `apply_chat_template` makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
# What a template that escapes the message, for JSON or HTML, would change.
_QUOTES = "\"<'&\\"
_CLOCK = "strftime_now"
_DAY = {"%d": "26", "%b": "Jul", "%B": "July", "%m": "07", "%Y": "2024", "%y": "24", "%A": "Friday", "%a": "Fri"}
# A template that writes today's date would ask differently every day: in training, in translating, after a resume. The
# day is the one that Llama's templates take where there is no clock.
_FIXED_CLOCK = (
    f"{{% macro {_CLOCK}(format) %}}{{{{ format"
    + "".join(f"|replace('{key}', '{value}')" for key, value in _DAY.items())
    + "|replace('%H', '12')|replace('%I', '12')|replace('%M', '00')|replace('%S', '00')|replace('%p', 'PM') }}"
    + "{% endmacro %}"
)


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
    instruction: str | None = None
    """What the model is asked for, with places for the source and the languages; None if the template asks itself."""

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
    if template is None and tokenizer.chat_template:
        raise ModelError(
            f"{name}: has several chat templates, none of them named `default`; name the one for conversations so in "
            "its tokenizer_config.json"
        )
    if not tokenizer.eos_token:
        raise ModelError(f"{name}: the tokenizer has no end token (eos_token), so no translation would end")
    if template is None:
        return _plain(tokenizer, instruction or INSTRUCTION, source, target)
    if _LANGUAGE_CODE in template:
        if instruction is not None:
            raise ModelError(
                f"{name}: its chat template asks for a translation by itself, from the codes of the languages; leave "
                "model.prompt out"
            )
        codes = {_LANGUAGE_CODE: source.code, "target_lang_code": target.code}
        content: Any = [{"type": "text", **codes, "text": _SOURCE}]
    else:
        instruction = instruction or INSTRUCTION
        content = _filled(instruction, source, target)
    return replace(_from_template(name, tokenizer, template, content), instruction=instruction)


def _template_of(tokenizer: Any) -> str | None:
    """The tokenizer's chat template; of several, the one named `default`."""
    template = tokenizer.chat_template
    if isinstance(template, Mapping):
        template = template.get("default")
    return template if isinstance(template, str) and template else None


def _filled(instruction: str, source: Language, target: Language) -> str:
    names = {"source_language": source.name, "target_language": target.name}
    return instruction.format(source=_SOURCE, **names)


def _plain(tokenizer: Any, instruction: str, source: Language, target: Language) -> Prompt:
    before, after = _filled(instruction, source, target).split(_SOURCE)
    ids = tokenizer("a")["input_ids"]
    begins = tokenizer.bos_token if ids and ids[0] == tokenizer.bos_token_id else ""
    return Prompt(f"{begins}{before}", f"{after}\n\n{target.name}:", " ", tokenizer.eos_token, instruction)


def _from_template(name: str, tokenizer: Any, template: str, content: Any) -> Prompt:
    def rendered(question: Any, *answers: str) -> str:
        messages = [{"role": "user", "content": question}]
        messages += [{"role": "assistant", "content": answer} for answer in answers]
        return _rendered(name, tokenizer, template, messages)

    asked = rendered(content)
    start, *parts = asked.split(_SOURCE)
    if len(parts) != 1:
        raise ModelError(f"{name}: its chat template does not contain the message just once, so it cannot be used")
    if rendered(_with_source(content, _QUOTES)) != f"{start}{_QUOTES}{parts[0]}":
        raise ModelError(f"{name}: its chat template changes quotation marks in the message, so it cannot be used")
    before, has_answer, rest = rendered(content, _ANSWER).partition(_ANSWER)
    between = before.removeprefix(asked) if before.startswith(asked) else ""
    found = [(rest.find(token), token) for token in _special_tokens(tokenizer) if token in rest]
    end = min(found)[1] if has_answer and found else tokenizer.eos_token
    return Prompt(start, parts[0], between if between.isspace() else "", end)


def _with_source(content: Any, text: str) -> Any:
    """`content`, text or a list of one item, with `text` as the source."""
    if isinstance(content, str):
        return content.replace(_SOURCE, text)
    return [item | {"text": text} for item in content]


def _rendered(name: str, tokenizer: Any, template: str, messages: Sequence[Mapping[str, Any]]) -> str:
    try:
        # Qwen 3 would think before it translates; other templates ignore the option.
        text: str = tokenizer.apply_chat_template(
            list(messages),
            chat_template=_FIXED_CLOCK + template if _CLOCK in template else template,
            tokenize=False,
            add_generation_prompt=messages[-1]["role"] == "user",
            enable_thinking=False,
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
