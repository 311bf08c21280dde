# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.recorder import start_server_and_store_writer


def test_without_its_packages_no_run_begins(monkeypatch):
    start_server_and_store_writer.check_packages()
    monkeypatch.setattr(start_server_and_store_writer, "NEEDED", ("json", "starlette_of_nobody"))
    with pytest.raises(UsageError, match="--serve needs the Python packages starlette_of_nobody: `pip install"):
        start_server_and_store_writer.check_packages()


def test_the_socket_lies_in_the_run_unless_the_path_is_too_long(tmp_path):
    assert start_server_and_store_writer._socket(Path("runs/R1")) == Path("runs/R1/ctx.sock")
    path = start_server_and_store_writer._socket(tmp_path / ("x" * 100))
    assert len(str(path)) < 60
    path.parent.rmdir()
