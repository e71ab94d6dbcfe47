"""The picture of the report on the front page, made from the demo's own report.

    python docs/screenshot.py runs/demo/report.html docs/report.png

The report is that of `make demo`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 1575


def main() -> None:
    """Open the report in Chromium, light, and save the top of it: verdict, scores and fidelity checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    parser.add_argument("--height", type=int, default=HEIGHT, help="how much of the page is shown, in pixels")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": options.height}, device_scale_factor=1, color_scheme="light"
        )
        page.goto(options.report.resolve().as_uri())
        page.screenshot(path=options.picture, clip={"x": 0, "y": 0, "width": WIDTH, "height": options.height})
        browser.close()


if __name__ == "__main__":
    main()
