# SPDX-License-Identifier: GPL-3.0-or-later

"""The site in a real browser, opened from the file system: it asks no other host, finds words and is accessible."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.accessibility import AXE
from call_rack_recipes import CHECKOUT, environment

RULES = "axe.run({runOnly: ['wcag2a', 'wcag2aa']})"
PAGES = ("index", "start", "security", "acceptance", "api")
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 375, "height": 800}
WIDER_THAN_SCREEN = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

pytestmark = pytest.mark.repeats  # the lint session `docs` builds it, too


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; a warning would be an error."""
    folder = tmp_path_factory.mktemp("site")
    build = (sys.executable, "-m", "mkdocs", "build", "--site-dir", folder)
    subprocess.run(build, cwd=CHECKOUT, env=environment(NO_MKDOCS_2_WARNING="1"), check=True, capture_output=True)
    return folder


@pytest.fixture(params=["light", "dark"])
def wide(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    with browser.new_context(viewport=WIDE, color_scheme=request.param) as context:
        yield context.new_page()


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    with browser.new_context(viewport=PHONE, has_touch=True) as context:
        yield context.new_page()


def faults(page: Any) -> list[str]:
    """What axe finds."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(RULES)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]


def test_pages_ask_nobody_and_are_accessible(site: Path, wide: Any):
    asked: list[str] = []
    wide.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        wide.goto(f"file://{site}/{name}.html")
        assert faults(wide) == [], name
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


def test_a_word_is_found(site: Path, wide: Any):
    wide.goto(f"file://{site}/index.html")
    wide.click(".md-search__input")
    wide.keyboard.type("outlier twins")
    wide.wait_for_selector(".md-search-result__item")
    assert "What the findings mean" in wide.locator(".md-search-result__item h1").all_inner_texts()


def test_a_phone_shows_pages_and_the_way_to_others(site: Path, phone: Any):
    for name in PAGES:
        phone.goto(f"file://{site}/{name}.html")
        assert phone.evaluate(WIDER_THAN_SCREEN) == 0, name
        assert faults(phone) == [], name
    phone.goto(f"file://{site}/recipe.html")
    phone.tap(".md-header label[for=__drawer]")
    phone.tap(".md-nav--primary a[href='library.html']")
    phone.wait_for_url("**/library.html")


def test_each_page_stands_beside_it_as_markdown(site: Path):
    listed = (site / "llms.txt").read_text()
    for page in (CHECKOUT / "docs").glob("**/*.md"):
        name = str(page.relative_to(CHECKOUT / "docs"))
        assert (site / name).read_text().startswith(("#", "<!--")), name
        assert f"]({name}): " in listed, name
