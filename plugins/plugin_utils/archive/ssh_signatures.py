# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by `ssh-keygen -Y`, with the keys that people have already."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.manifest import NAMESPACE
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError

PROGRAM = "ssh-keygen"


def sign(data: bytes, key: Path) -> bytes:
    """The signature of some bytes with a private key, or with the agent's key of a public one. Raises UsageError."""
    done = _called(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE], data)
    if done.returncode:
        raise UsageError(f"--sign {key}: {_said(done)}")
    return done.stdout


def fault_of(data: bytes, signature: bytes, allowed: Path | None = None, signer: str = "") -> str:
    """Why this is not a signature of these bytes, empty where it is one.

    By `signer` with a key that the file `allowed` gives him; by anybody where that is None. Raises UsageError where
    there is no program to tell.
    """
    who = ["verify", "-f", str(allowed), "-I", signer] if allowed else ["check-novalidate"]
    with NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        done = _called(["-Y", *who, "-n", NAMESPACE, "-s", file.name], data)
    return _said(done) if done.returncode else ""


def _called(words: Sequence[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([PROGRAM, *words], input=data, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"{PROGRAM}: {error.strerror}: it signs packs and checks signatures") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr + done.stdout).decode(errors="replace").splitlines()
    return "; ".join(line.strip() for line in lines if line.strip()) or f"{PROGRAM} ended with {done.returncode}"
