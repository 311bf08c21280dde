# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The columns of what is said about a run after it, each described once: no journal has these rows.

A new column is a row here and a migration.
"""

from __future__ import annotations

from collections.abc import Mapping

from rack_recipes.store.schema.detail_columns import DetailColumn
from rack_recipes.store.schema.step_columns import Kind

ANALYSIS_COLUMNS: Mapping[str, tuple[DetailColumn, ...]] = {
    "hosts": (  # what the inventory said of the hosts of a run, from the run record
        DetailColumn("host", Kind.NAME, is_key=True),
        DetailColumn("attributes", Kind.OBJECT),
    ),
    "analysis": (  # the findings, see analysis/findings.py
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("kind", Kind.NAME, is_required=True),
        DetailColumn("grade", Kind.NAME, is_required=True),
        DetailColumn("title", Kind.TEXT, is_required=True),
        DetailColumn("advice", Kind.TEXT),
        DetailColumn("results", Kind.LIST),
        DetailColumn("figures", Kind.OBJECT),
        DetailColumn("about", Kind.OBJECT),
        DetailColumn("method", Kind.TEXT),
        DetailColumn("explains", Kind.INTEGER),
        DetailColumn("origin", Kind.NAME),
        DetailColumn("suggestion", Kind.FLAG),
        DetailColumn("time", Kind.NAME),
    ),
    "baselines": (  # runs that somebody has accepted as good; the newest row of a test counts
        DetailColumn("test_id", Kind.NAME, is_key=True),
        DetailColumn("accepted", Kind.NAME, is_key=True),
        DetailColumn("user", Kind.NAME),
        DetailColumn("note", Kind.TEXT),
        DetailColumn("withdrawn", Kind.NAME),  # when it stopped to count; NULL while it counts
    ),
    "judgements": (  # new limits on stored measurements; the run's own verdicts stay
        DetailColumn("n", Kind.INTEGER, is_key=True),
        DetailColumn("time", Kind.NAME),
        DetailColumn("user", Kind.NAME),
        DetailColumn("source", Kind.TEXT),  # the file with the limits
        DetailColumn("digest", Kind.NAME),  # SHA-256 of that file
        DetailColumn("limits", Kind.OBJECT),
        DetailColumn("counts", Kind.OBJECT),  # verdicts of the measurements that were judged anew
        DetailColumn("changes", Kind.LIST),  # the measurements whose verdict is another one now
    ),
}
