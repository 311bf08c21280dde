# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the pictures of docs/pages.md: the list of runs, and the page of a run that failed for one cause.

    .venv/bin/python tests/demo/web_pictures.py [FOLDER]

Writes page-*.png into FOLDER (docs/images), from the store with ten runs that the tests have. Needs Chromium and
playwright.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / name) for name in ("rack", "tools", "integration")]
from ansible_collections.rack.recipes.tests.integration.web.ten_runs import RUNS, id_of, store_ten_runs
from ansible_collections.rack.recipes.tests.integration.web.web_server import web_server

CHROMIUM = "/usr/bin/chromium"
WIDE, NARROW = {"width": 1340, "height": 860}, {"width": 400, "height": 800}
RUN = f"/runs/{id_of(RUNS)}"
PICTURES: tuple[tuple[str, str, Any, Literal["light", "dark"]], ...] = (
    ("page-runs-light", "/runs", WIDE, "light"),
    ("page-run-light", RUN, WIDE, "light"),
    ("page-run-dark", RUN, WIDE, "dark"),
    ("page-run-narrow", RUN, NARROW, "light"),
)


def main() -> None:
    """Make the pictures and print their paths."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "images").absolute()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("ansible.cfg").write_text("[defaults]\n")
        store_ten_runs()
        with web_server(Path(folder)) as server:
            print(*pictures(server.url, server.token, target), sep="\n")
        os.chdir(ROOT)


def pictures(url: str, token: str, target: Path) -> Iterator[Path]:
    """The first screen of each page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        for name, place, size, scheme in PICTURES:
            context = browser.new_context(color_scheme=scheme, viewport=size, reduced_motion="reduce")
            context.set_default_timeout(120_000)
            page = context.new_page()
            page.goto(f"{url}/sign-in#{token}")
            page.wait_for_url(f"{url}/runs")
            page.goto(url + place)
            path = target / f"{name}.png"
            page.screenshot(path=path)
            yield path
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
