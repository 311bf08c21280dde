# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/reliability.md is made of the figures, and the tests that it names exist."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reliability_sweeps

NAMED = [test for trap in reliability_sweeps.traps() for test in trap.get("tests", ())]


def test_the_page_is_made_of_the_figures(golden: Callable[[Path, str], None]):
    golden(reliability_sweeps.PAGE, reliability_sweeps.page(json.loads(reliability_sweeps.FIGURES.read_text())))


@pytest.mark.parametrize("test", sorted(set(NAMED)))
def test_what_the_page_names_is_there(test: str):
    path, _colons, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (reliability_sweeps.CHECKOUT / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize("trap", reliability_sweeps.traps(), ids=lambda trap: trap["issues"][0])
def test_each_trap_has_a_test_or_a_reason(trap: dict[str, Any]):
    assert {*trap} in ({"trap", "issues", "tests"}, {"trap", "issues", "why"})
