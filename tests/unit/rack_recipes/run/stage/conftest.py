# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.run import current_run as holder
from rack_recipes.run.current_run import Run, set_current
from rack_recipes.run.host import host_request


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """A function that begins a run of these steps, in a project with one scriptlet, `s`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(holder, "_HOLDER", holder._Holder())
    host_request._found.cache_clear()

    def begin(*steps: RunStep, script: str = "#!/bin/sh\n", options: str = "{}", **settings: Any) -> Run:
        (tmp_path / "scriptlets").mkdir()
        (tmp_path / "scriptlets/s.sh").write_text(script)
        (tmp_path / "scriptlets/s.yml").write_text(f"description: A test's\noptions: {options}\n")
        made = a_run(tmp_path / "state/runs", *steps, **settings)
        set_current(made)
        return made

    yield begin
    set_current(None)
