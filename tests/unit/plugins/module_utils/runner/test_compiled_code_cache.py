# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor's code as a host keeps it."""

from __future__ import annotations

import os
import zipfile

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.runner import host_folders

MODULE = "package/module.py"


@pytest.fixture
def payload(tmp_path):
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(MODULE, "VALUE = 1\n")
    return str(path)


def keep(base, payload):
    host_folders.cache_code(str(base), payload, "1", [MODULE])


def files_of(base):
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())


@pytest.mark.parametrize("is_there", [False, True], ids=["all", "bundle"])
def test_what_could_not_be_kept_leaves_nothing(tmp_path, payload, monkeypatch, is_there):
    """On a full disk every byte counts."""
    base = tmp_path / "base"
    base.mkdir()
    if is_there:
        keep(base, payload)
        (base / "code-1" / host_folders.BUNDLE).unlink()
    before = files_of(base)

    def refuse(_source, _target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", refuse)
        with pytest.raises(OSError, match="No space left"):
            keep(base, payload)
    assert files_of(base) == before
    keep(base, payload)
    assert f"code-1/{host_folders.BUNDLE}" in files_of(base)
