# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages attacked from outside: forms and sign-ins of other sites, sessions, tokens in files, a keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from ansible_collections.rack.recipes.tests.integration.web.test_pages import CHROMIUM, LAST, PLACES, Reader, inside
from ansible_collections.rack.recipes.tests.integration.web.test_signed_in import folder  # noqa: F401 a fixture
from ansible_collections.rack.recipes.tests.integration.web.web_server import WebServer, web_server
from call_rack_recipes import rack_recipes

MOST_STOPS = 400  # of the key Tab on one page
WORST = 3.0  # the least contrast of what shows the focus (WCAG 2.2, 1.4.11)

# What shows that an element has the focus, and its contrast with what is behind it.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (place) => {
    for (; place; place = place.parentElement) {
      const colour = rgb(getComputedStyle(place).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const style = getComputedStyle(one);
  const tile = one.querySelector(":scope > .tile");
  const drawn = one instanceof SVGElement && tile ? getComputedStyle(tile) : null;
  const [width, colour] = drawn
    ? [drawn.stroke === "none" ? 0 : parseFloat(drawn.strokeWidth), rgb(drawn.stroke)]
    : [style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth), rgb(style.outlineColor)];
  const what = `${one.tagName.toLowerCase()}${one.id ? "#" + one.id : ""} ${(one.textContent || one.name || "").trim().slice(0, 30)}`;
  one.dataset.stops = Number(one.dataset.stops || 0) + 1;
  return { what, width, contrast: width ? contrast(colour, behind(one.parentElement)) : 0, again: one.dataset.stops > 1 };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[WebServer]:  # noqa: F811 the fixture
    with web_server(folder) as started:
        yield started


def unseen(page: Any) -> list[tuple[str, float, float]]:
    """What a keyboard reaches on a page and does not show as focused: with width and contrast of the outline."""
    found, stops = [], 0
    for stops in range(MOST_STOPS):
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUS)
        if told is None or told["again"]:
            break
        if told["width"] < 2 or told["contrast"] < WORST:
            found.append((told["what"], told["width"], told["contrast"]))
    assert stops > 3, "the keyboard reaches nothing"
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_keyboard_shows_where_it_is(browser, server, scheme):
    """On each kind of page, on the page of the sign-in, and on a report."""
    reader = Reader(browser, server, color_scheme=scheme)
    found = {}
    for place in (*PLACES, f"/runs/{LAST}/report", "/sign-in"):
        page = reader.go(place)
        if place in (f"/runs/{LAST}", f"/runs/{LAST}/report"):
            page.wait_for_selector("html[data-ready]")
        found[place] = unseen(page)
    reader.context.close()
    assert {place: wrong[:3] for place, wrong in found.items() if wrong} == {}
