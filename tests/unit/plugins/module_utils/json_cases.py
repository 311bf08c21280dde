# SPDX-License-Identifier: GPL-3.0-or-later

"""Test cases from a JSON file beside the test, with one entry for each case. Needs Python 3.9 and pytest only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def cases(test: str, name: str, *fields: str):
    """The cases of `cases/<name>.json` beside the file `test`: each has exactly `fields`, given in this order."""
    path = Path(test).with_name("cases") / f"{name}.json"
    found = json.loads(path.read_text("utf-8"))
    wrong = {case: sorted(given) for case, given in found.items() if set(given) != set(fields)}
    assert not wrong, f"{path}: expected {sorted(fields)}, got {wrong}"
    values = [pytest.param(*(given[field] for field in fields), id=case) for case, given in found.items()]
    return pytest.mark.parametrize(fields, values)
