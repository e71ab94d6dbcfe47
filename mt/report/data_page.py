"""The data card as a page; apart from the report, whose imports take seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mt.report.pages import render_page


def render_data_card(title: str, data: Mapping[str, Any]) -> str:
    """The data card as a page of its own."""
    return render_page("data_card.html.jinja", styles=["page.css"], title=title, data=data)
