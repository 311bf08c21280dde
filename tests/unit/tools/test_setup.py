# SPDX-License-Identifier: GPL-3.0-or-later

"""tests/tools/setup.sh on a machine that lacks a Debian package; the package manager and Python are stand-ins."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("sh", "cat", "cp", "dirname", "mkdir", "mktemp", "rm", "sed", "sha256sum", "tr")
PYTHON = """#!/bin/sh
case "$*" in
  *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  -c*) echo "$0" ;;
esac
"""
SUDO = """#!/bin/sh
[ "$2" = true ] && exit
echo 'Reading package lists...'
echo 'E: Unable to locate package' >&2
exit {code}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a folder bin that has no ssh, and no package manager but a stand-in."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "tests/tools").mkdir(parents=True)
    shutil.copy(ROOT / "tests/tools/setup.sh", tmp_path / "tests/tools/setup.sh")
    for name in ("pyproject.toml", "hatch_build.py", "galaxy.yml"):
        (tmp_path / name).touch()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def set_up(checkout: Path, code: int) -> tuple[int, str]:
    """The exit code of setup.sh and what it says, where the package manager ends with `code`."""
    programs = {"id": "#!/bin/sh\necho 1000\n", "apt-get": "#!/bin/sh\n", "sudo": SUDO.format(code=code)}
    for name, text in {**programs, "python": PYTHON}.items():
        (checkout / "bin" / name).write_text(text)
        (checkout / "bin" / name).chmod(0o755)
    env = {"PATH": str(checkout / "bin"), "PYTHON": "python", "HOME": str(checkout)}
    done = subprocess.run(
        [checkout / "tests/tools/setup.sh", "run"], env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_package_manager_is_silent_where_it_succeeds(checkout: Path):
    code, said = set_up(checkout, 0)
    assert code == 0, said
    assert said.splitlines()[0].startswith("Installing Debian packages: openssh-client")
    assert "Reading package lists" not in said
    assert len(said.splitlines()) <= 3


def test_the_package_manager_is_shown_where_it_fails(checkout: Path):
    code, said = set_up(checkout, 100)
    assert code == 2
    first, *shown, last = said.splitlines()
    assert first.startswith("Installing Debian packages: openssh-client")
    assert shown == ["Reading package lists...", "E: Unable to locate package"]
    assert last.startswith("apt-get could not install: openssh-client")
