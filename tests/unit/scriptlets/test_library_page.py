# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on the library leads into the gallery."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
LINK = re.compile(r"\[`([\w./]+)`\]\(gallery/([\w.]+)#([\w-]+)\)")
LINKS = LINK.findall((DOCS / "library.md").read_text(encoding="utf-8"))
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


def anchors(page: str) -> set[str]:
    """The addresses of the headings on a page of the gallery, as Git forges make them."""
    titles = HEADING.findall((DOCS / "gallery" / page).read_text(encoding="utf-8"))
    return {re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", sorted({page for _name, page, _anchor in LINKS}))
def test_a_link_leads_to_what_it_names(page: str):
    named = {anchor: name for name, where, anchor in LINKS if where == page}
    assert named.keys() <= anchors(page)
    assert all(name.replace(".", "").replace("/", "") in anchor for anchor, name in named.items())
