# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures made and checked by `ssh-keygen -Y`, with the SSH keys that people have already."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from rack_recipes.archive.manifest import NAMESPACE
from rack_recipes.errors import UsageError

PROGRAM = "ssh-keygen"


def sign(data: bytes, key: Path) -> bytes:
    """Sign `data` with the private key in a file; with a public key there, the agent signs. Raises UsageError."""
    done = _ssh_keygen(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE], data)
    if done.returncode:
        raise UsageError(f"--sign {key}: {_output(done)}")
    return done.stdout


def signature_problem(data: bytes, signature: bytes, allowed: Path | None = None, signer: str = "") -> str:
    """Why this is not a valid signature of `data`, empty where it is one.

    With a file of allowed signers in `allowed`, the key has to be one that this file gives to `signer`. Without one,
    any key is accepted. Raises UsageError where `ssh-keygen` cannot be started.
    """
    who = ["verify", "-f", str(allowed), "-I", signer] if allowed else ["check-novalidate"]
    with NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        done = _ssh_keygen(["-Y", *who, "-n", NAMESPACE, "-s", file.name], data)
    return _output(done) if done.returncode else ""


def _ssh_keygen(words: Sequence[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([PROGRAM, *words], input=data, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"{PROGRAM}: {error.strerror}: it signs packs and checks signatures") from error


def _output(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr + done.stdout).decode(errors="replace").splitlines()
    return "; ".join(line.strip() for line in lines if line.strip()) or f"{PROGRAM} ended with {done.returncode}"
