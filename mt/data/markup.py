"""Tags, entities and placeholders of software, as translation tools, web pages and programs write them."""

from __future__ import annotations

import re

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,30}"
_FORMS = (
    # Tags: <b>, </1>, <bpt i="1">, comments, declarations, templates.
    r"</?[a-zA-Z][^<>]*>|</?\d+\s*/?>|<!--|<!\[CDATA\[|<\?\w+|<%|%>",
    # Entities.
    r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]{2,8});",
    # Pairs of tags in braces: {1>the army<1}, {b>so<b}, [1}so{1], [ui id="x"}so{ui], {0>source<}95{>target<0}.
    rf"\{{/?{_NAME}/?>|</?{_NAME}\}}|\[/?{_NAME}(?:\s[^\[\]{{}}]*)?\}}|\{{/?{_NAME}(?:\s[^\[\]{{}}]*)?\]|<\}}\d*\{{>",
    # Placeholders in braces: {}, {name}, {/1}, {1/}, {user.name}, {0:N2}, {{ name }}, {% if %}, {n, plural, ...}.
    rf"\{{/?(?:{_NAME})?/?\}}|\{{\d+:[^{{}}]*\}}|\{{\{{[^{{}}]*\}}\}}|\{{%|%\}}",
    r"\{\w+,\s*(?:plural|select|selectordinal|number|date|time)\b",
    # ${name}, $name}, %{name}, #{name}; [%s:name]; ⟦1⟧.
    r"\$\{?[A-Za-z0-9_]+\}|[#%@]\{[A-Za-z0-9_.]+\}|\[%[^\[\]]*\]|[⟦⟧]",
    # %s, %1$s, %(name)s, %@, %.2f.
    r"%(?:\d+\$)?[sd]\b|%\d+\$[a-zA-Z@]|%\([A-Za-z0-9_]+\)[sdif]|(?<![\d%])%@|(?<!\d)%(?:\.\d|\d\.\d|l{1,2})[dfiu]\b",
    # [[link]], and BBCode by the tag that closes.
    r"\[\[|\]\]|\[/[a-zA-Z]{1,10}\]",
)
_MARKUP = re.compile("|".join(_FORMS))
_BEGINS = re.compile(r"[<>&{}$%\[\]⟦⟧]")


def markup_in(source: str, target: str) -> str | None:
    """The first tag, entity or placeholder in a pair; None if there is none. A footnote mark, [1], does not count."""
    for side in (source, target):
        if _BEGINS.search(side) and (found := _MARKUP.search(side)) is not None:
            return found.group()
    return None
