# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of findings that nobody would read to the end: the gravest, and how many more there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rack_recipes.analysis.findings import GRADES, NOTE, Finding
from rack_recipes.analysis.wording import plural

MOST = 20  # findings of a kind
MOST_RESULTS = 20  # results of a finding
SHOWN = 4  # names in a sentence


def capped(found: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the gravest of findings of one kind, and a note about the rest."""
    ordered = sorted(found, key=lambda one: GRADES.index(one.grade))
    yield from ordered[:MOST]
    if more := ordered[MOST:]:
        results = tuple(one.results[0] for one in more if one.results)[:MOST_RESULTS]
        title = f"{plural(len(more), 'further finding')} of this kind, not listed"
        yield Finding(more[0].kind, NOTE, title, results, figures={"findings": len(more)}, method=more[0].method)
