# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.run.stage.host_records import KeyGuard
from rack_recipes.settings import Settings


def delta(step: str, key: str) -> dict[str, Any]:
    return {"kind": "delta", "host": "leaf1", "step": step, "key": key, "after": 1}


def result(step: str) -> dict[str, Any]:
    return {"kind": "step", "host": "leaf1", "step": step, "verdict": "passed", "reason": ""}


RECORDS = [delta("a", "link.a_v1"), delta("a", "power_v1"), result("a"), delta("b", "link.b_v1"), result("b")]


def test_a_forbidden_key_is_left_out_and_its_step_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("policy.yml").write_text("rules: [{users: ['*'], may: [write], keys: ['link.*']}]")
    guard = KeyGuard(Settings(policy="policy.yml"))
    kept = [*guard.allowed(RECORDS[:1]), *guard.allowed(RECORDS[1:2]), *guard.allowed(RECORDS[2:])]
    assert [record.get("key") for record in kept] == ["link.a_v1", None, "link.b_v1", None]
    assert (kept[1]["verdict"], kept[3]["verdict"]) == ("error", "passed")
    who = getpass.getuser()
    assert kept[1]["reason"] == f"policy.yml: {who} may not write power_v1: no rule says that they may"


def test_without_a_policy_nothing_is_looked_at():
    assert KeyGuard(Settings()).allowed(RECORDS) is RECORDS
