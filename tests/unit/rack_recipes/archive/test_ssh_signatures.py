# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rack_recipes.archive import manifest_and_signatures
from rack_recipes.errors import UsageError

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")


def test_a_signature(key: Path, allowed: Path):
    signature = manifest_and_signatures.sign(b"data", key)
    assert signature == manifest_and_signatures.sign(b"data", key)
    assert manifest_and_signatures.signature_problem(b"data", signature) == ""
    assert manifest_and_signatures.signature_problem(b"data", signature, allowed, "lab@example.com") == ""


def test_wrong_ones(key: Path, allowed: Path):
    signature = manifest_and_signatures.sign(b"data", key)
    assert "incorrect signature" in manifest_and_signatures.signature_problem(b"date", signature)
    assert "incorrect signature" in manifest_and_signatures.signature_problem(
        b"date", signature, allowed, "lab@example.com"
    )
    assert manifest_and_signatures.signature_problem(b"data", signature, allowed, "else@example.com") != ""
    assert manifest_and_signatures.signature_problem(b"data", b"no signature") != ""
    key.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], input=b"y\n", check=True)
    assert (
        manifest_and_signatures.signature_problem(
            b"data", manifest_and_signatures.sign(b"data", key), allowed, "lab@example.com"
        )
        != ""
    )


def test_a_signature_for_something_else(key: Path, allowed: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(manifest_and_signatures, "NAMESPACE", "git")
        signature = manifest_and_signatures.sign(b"data", key)
    assert manifest_and_signatures.signature_problem(b"data", signature) != ""
    assert manifest_and_signatures.signature_problem(b"data", signature, allowed, "lab@example.com") != ""


def test_a_key_that_is_none(tmp_path: Path):
    with pytest.raises(UsageError, match=r"^--sign .*/absent: .*absent"):
        manifest_and_signatures.sign(b"data", tmp_path / "absent")


def test_without_the_program(key: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="ssh-keygen: No such file or directory: it signs packs and checks signatures"):
        manifest_and_signatures.sign(b"data", key)
