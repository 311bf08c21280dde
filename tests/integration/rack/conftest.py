# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import service_supervisor

# In a mount namespace of its own `nobody` gets a shell; the machine's /etc/passwd stays as it is.
AS_NOBODY = """\
mount --bind passwd /etc/passwd
exec setpriv --reuid=nobody --regid=nogroup --clear-groups env -i PATH=/usr/bin:/bin /usr/bin/python3 "$@"
"""


@pytest.fixture
def plain_user() -> Callable[..., str]:
    """Run Python as a user who is not root, in a copy of tests/rack; answers with what it prints."""
    return _as_nobody if os.geteuid() == 0 else _as_myself


def _as_myself(*arguments: str) -> str:
    return _run([sys.executable, *arguments], Path(service_supervisor.__file__).parent)


def _as_nobody(*arguments: str) -> str:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file in Path(service_supervisor.__file__).parent.glob("*.py"):
            shutil.copy(file, folder)
        users = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
        changed = [[*user[:6], "/bin/sh"] if user[0] == "nobody" else user for user in users]
        (folder / "passwd").write_text("".join(":".join(user) + "\n" for user in changed))
        return _run(["unshare", "--mount", "sh", "-ec", AS_NOBODY, "sh", *arguments], folder)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
