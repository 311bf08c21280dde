# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/proposal.md: what it says of each item of the proposal is shown by a test or a file that is there."""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.tests.unit.named_tests import functions_of
from proposal_rows import ROOT, rows
from rack_recipes.cli.command_table import parser_of

HERE = re.compile(r"works(: .+)?|(different|half): .+")


def test_nearly_all_is_there() -> None:
    states = [row.here.partition(":")[0] for row in rows()]
    assert len(states) >= 249
    assert states.count("half") == 0
    assert [row for row in rows() if not HERE.fullmatch(row.here)] == []


def test_no_item_stands_twice() -> None:
    items = [row.item for row in rows()]
    assert [item for item in items if items.count(item) > 1] == []


def test_help_and_pages_say_the_same_of_resume_from() -> None:
    """The proposal has four words for it, which different people read differently."""
    sentence = "STEP and all that stands after it in the file runs anew, all before it is reused"
    helped = " ".join(parser_of("run").format_help().split())
    page = " ".join((ROOT / "docs/commands.md").read_text(encoding="utf-8").split())
    row = next(row.here for row in rows() if row.item == "`--resume-from`")
    assert (helped.count(sentence), page.count(sentence), row.count(sentence)) == (1, 2, 1)


def test_what_is_named_is_there() -> None:
    assert [row for row in rows() if not (ROOT / row.path).is_file()] == []
    assert [row for row in rows() if row.test and row.test not in functions_of(ROOT / row.path)] == []
