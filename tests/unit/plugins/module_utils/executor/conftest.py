# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import Work


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder, which this process is in, as the executor is in a stage's."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Work(folder)
