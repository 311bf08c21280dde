# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run warns of: variables that are probably meant for a role or for our settings, and that nothing reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "misspelt_variables.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def warned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The warnings, by what a case is about."""
    folders = [tmp_path_factory.mktemp("project") for _case in CASES]
    for case, folder in zip(CASES, folders, strict=True):
        for name, content in {"extra_vars.json": {}, **case["files"]}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, HERE / "warn_of_misspelt_variables.py", *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip([case["about"] for case in CASES], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_what_is_warned_of(case: dict[str, Any], warned: dict[str, list[str]]) -> None:
    found = warned[case["about"]]
    assert len(found) == len(case["warned"]), found
    assert all(text.startswith(start) for text, start in zip(found, case["warned"], strict=True)), found
