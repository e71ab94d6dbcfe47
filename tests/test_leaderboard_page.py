"""The leaderboard's pages in a browser: sorted by click and key, read without a script, no name becomes markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers import run
from tests.test_leaderboard import CONFIG, make_evaluation, make_run, score, scores_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVIL = "<script>document.title = 'x'<"
ARABIC = "أخبار النزاع ٢٠٢٦"
LONG = "a-run-with-a-name-that-nobody-would-type-" * 2

pytestmark = pytest.mark.browser

CONTRAST = """() => {
  const light = (c) => {
    const [r, g, b] = c.match(/[0-9.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(c)) return c;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.closest("script, style")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(e.outerHTML.slice(0, 80));
  }
  return faint;
}"""
"""Elements whose text has less than 4.5:1 on what is behind it (WCAG 2.2, 1.4.3)."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A board and a pair of runs, written by the command."""
    folder = tmp_path_factory.mktemp("board")
    runs = folder / "runs"
    for number, name in enumerate((EVIL, ARABIC, LONG)):
        text = CONFIG + f"training: {{epochs: {number + 2}}}\n"
        made = make_run(runs / "x", 40.0 + number, text)
        made.rename(runs / name)
    make_run(runs / "half", None)
    caution = {"test_set": EVIL, "system": ARABIC, "forbids": True, "text": f"{ARABIC} has seen {EVIL}"}
    # Far to the right on a narrow window: what only a screen reader says must not widen the page there.
    others = [score(ARABIC, 20.0, name) for name in ("m1", "m2", "m3", "z")]
    cautions = [caution, caution | {"test_set": "z"}]
    scores = scores_of(score(ARABIC, 55.5, EVIL), score("b", 44.0, EVIL), *others, cautions=cautions)
    make_evaluation(runs / "compare", scores)
    found = {"board": folder / "board.html", "pair": folder / "pair.html"}
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "mt", "leaderboard", str(runs), "--output", str(found["board"])) == 0
        pair = (str(runs / EVIL), str(runs / ARABIC))
        assert run(patch, "mt", "leaderboard", *pair, "--output", str(found["pair"])) == 0
    return found


def names(page: Page) -> list[str]:
    return page.locator("#board tbody th bdi").all_inner_texts()


def opened(page: Page, file: Path) -> Page:
    page.goto(f"file://{file}")
    return page


def test_names_are_text(pages: dict[str, Path], page: Page):
    for file in pages.values():
        opened(page, file)
        assert page.title() != "x"
        assert page.locator("script").count() <= 1
        assert EVIL in page.locator("main").inner_text()
        arabic = page.locator("bdi", has_text=ARABIC).first
        assert arabic.evaluate("(e) => getComputedStyle(e).unicodeBidi") == "isolate"


def test_sorted_by_click_and_by_key(pages: dict[str, Path], page: Page):
    opened(page, pages["board"])
    assert names(page) == [LONG, ARABIC, EVIL, "tiny-en-ar (base)", f"compare: {ARABIC}", "compare: b", "half"]
    head = page.locator("th", has_text="chrF on test")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page)[:4] == [LONG, ARABIC, EVIL, "tiny-en-ar (base)"]
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    # What has no value stays last in both directions.
    assert names(page)[:4] == ["tiny-en-ar (base)", EVIL, ARABIC, LONG]
    epochs = page.locator("th", has_text="epochs").get_by_role("button")
    epochs.focus()
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") is None
    assert names(page)[:3] == [EVIL, ARABIC, LONG]


def test_filtered_by_any_text(pages: dict[str, Path], page: Page):
    opened(page, pages["board"])
    page.get_by_label("Show rows that contain").fill("النزاع")
    assert page.locator("#board tbody tr:visible th bdi").all_inner_texts() == [ARABIC, f"compare: {ARABIC}"]
    assert page.locator("#shown").inner_text() == "2 of 7 rows"


def test_what_is_unfinished_or_without_a_verdict_says_so(pages: dict[str, Path], page: Page):
    opened(page, pages["board"])
    assert page.locator("tr", has_text="half").locator("small").first.inner_text() == "unfinished"
    assert page.locator("tr", has_text=f"compare: {ARABIC}").locator(".doubt").first.inner_text().startswith("!")
    assert f"! compare: {ARABIC}, chrF on {EVIL}: {ARABIC} has seen {EVIL}" in page.locator("ul.notes").inner_text()


def test_read_without_a_script(pages: dict[str, Path], browser: Browser):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"file://{pages['board']}")
        assert names(page)[0] == LONG
        assert page.locator("button").count() == 0
        assert page.locator("#tools").is_hidden()
        assert "42.00" in page.locator("#board").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["board", "pair"])
def test_no_text_is_faint_and_no_page_too_wide(name: str, width: int, scheme: str, pages: dict[str, Path], page: Page):
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844})
    opened(page, pages[name])
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("table").count() == page.locator(".wide[tabindex='0'][role='region'] table").count()
    assert page.evaluate(CONTRAST) == []
    page.evaluate("document.querySelector('h1').style.color = getComputedStyle(document.body).backgroundColor")
    assert len(page.evaluate(CONTRAST)) == 1


def test_the_numbers_are_there_for_programs(pages: dict[str, Path], page: Page):
    opened(page, pages["board"])
    values = page.locator("#board data").evaluate_all("(all) => all.map((e) => e.value)")
    assert json.loads(f"[{','.join(values)}]") == [42.0, 41.0, 40.0, 30.0, 55.5, 20.0, 20.0, 20.0, 20.0, 44.0]
