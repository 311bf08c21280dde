# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run_names import choose_run

IDS = ["20261125-b", "20261125-a", "20261124-c"]  # the newest first


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", "20261125-b"),
        ("last", "20261125-b"),
        ("last~0", "20261125-b"),
        ("last~1", "20261125-a"),
        ("last~2", "20261124-c"),
        ("20261124", "20261124-c"),
        ("20261125-a", "20261125-a"),
        ("2027", None),
        ("last~x", None),
    ],
)
def test_a_run_by_id_beginning_or_age(name: str, found: str | None) -> None:
    assert choose_run(name, IDS, "the store") == found


@pytest.mark.parametrize(
    ("name", "ids", "text"),
    [
        ("2026", IDS, "3 runs begin with '2026': 20261125-b, 20261125-a, 20261124-c"),
        ("last~3", IDS, "last~3: there are only 3 runs in the store"),
        ("last~1", IDS[:1], "last~1: there is only 1 run in the store"),
        ("last", [], "there are no runs in the store"),
    ],
)
def test_what_names_no_run(name: str, ids: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_run(name, ids, "the store")
    assert str(caught.value) == text


def test_an_id_comes_before_a_word() -> None:
    assert choose_run("last", ["20261125-b", "last"], "the store") == "last", "a group may be called so"
