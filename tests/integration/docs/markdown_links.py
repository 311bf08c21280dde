# SPDX-License-Identifier: GPL-3.0-or-later

"""Links of Markdown pages that lead nowhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from call_rack_recipes import CHECKOUT

BLOCK = re.compile(r"^ *(`{3,}).*?^ *\1`*\s*$", re.MULTILINE | re.DOTALL)
WORDS = re.compile(r"`[^`\n]+`")
LINK = re.compile(r'\]\(([^)\s]+)|\b(?:href|src|srcset)="([^"]+)"')
OF_OTHERS = re.compile(r"\w+:")
OWN = re.compile(
    r"https://(?:github\.com/rack-recipes/rack\.recipes/(?:blob|tree|raw)"
    r"|raw\.githubusercontent\.com/rack-recipes/rack\.recipes)/(?P<ref>[^/]+)/(?P<path>.+)"
)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
NAMED = re.compile(r'\bid="([^"]+)"')
MARKS = re.compile(r"(?<=\])\([^)]*\)|[^\w\- ]")


def dead_links(pages: Iterable[Path], ref: str = "") -> Iterator[str]:
    """Yield `page: link` for each link to no file, or to no heading of it.

    Links to a file of the repository on the web must be at `ref`, and are looked up in this checkout. Without a `ref`
    there must be none, since a relative path would do.
    """
    for page in pages:
        text = WORDS.sub("", BLOCK.sub("", page.read_text(encoding="utf-8")))
        for link in map("".join, LINK.findall(text)):
            own = OWN.match(link)
            if not own and OF_OTHERS.match(link):
                continue
            name, _mark, heading = (own["path"] if own else link).partition("#")
            target = CHECKOUT / name if own else page.parent / name if name else page
            is_right = target.exists() and (not own or own["ref"] == ref)
            if not is_right or (heading and heading not in headings(target)):
                yield f"{page}: {link}"


def headings(page: Path) -> set[str]:
    """What may stand behind the `#` of a link to a page, as GitHub and the site have it."""
    text = page.read_text(encoding="utf-8")
    found: Counter[str] = Counter()
    for title in HEADING.findall(BLOCK.sub("", text)):
        found[MARKS.sub("", title.lower()).replace(" ", "-")] += 1
    repeated = {f"{name}-{number}" for name, times in found.items() for number in range(1, times)}
    return {*found, *repeated, *NAMED.findall(text)}
