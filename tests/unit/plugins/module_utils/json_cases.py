# SPDX-License-Identifier: GPL-3.0-or-later

"""Test cases from JSON files beside the test. Needs Python 3.9 and pytest only."""

from __future__ import annotations

import json
from functools import cache
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


def table(*fields: str):
    """A decorator: the cases of a test are its rows in `cases/<file of the test>.json`, with a value for each field."""

    def decorate(test):
        path = Path(test.__globals__["__file__"])
        rows = _tables(path.with_name("cases") / f"{path.stem}.json")[test.__qualname__]
        return pytest.mark.parametrize(fields if len(fields) > 1 else fields[0], rows)(test)

    return decorate


@cache
def _tables(path: Path):
    return json.loads(path.read_text("utf-8"))
