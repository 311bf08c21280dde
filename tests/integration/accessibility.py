# SPDX-License-Identifier: GPL-3.0-or-later

"""What axe-core says against a page in a browser."""

from __future__ import annotations

from importlib import resources
from typing import Any

AXE = resources.files("axe_playwright_python") / "axe.min.js"


def violations(page: Any) -> list[Any]:
    """The rules that a page breaks once all of it is unfolded: each with its impact and its first elements."""
    page.evaluate("for (const one of document.querySelectorAll('section')) one.style.contentVisibility = 'visible'")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [(one["id"], one["impact"], [node["target"] for node in one["nodes"]][:5]) for one in found]
