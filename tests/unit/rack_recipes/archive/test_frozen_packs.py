# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs of earlier versions, `packs/version_*`, are read and verified by this one.

A pack of an earlier version is never changed here: a new format gets new files beside these.
"""

from __future__ import annotations

import shutil
import tarfile
from operator import attrgetter
from pathlib import Path

import pytest

from call_rack_recipes import answer
from rack_recipes.archive.manifest_and_signatures import FORMAT
from rack_recipes.archive.tar_and_zip_packs import format_of
from rack_recipes.archive.verify_pack import SignatureCheck, verify

PACKS = Path(__file__).parent / "packs"
ARCHIVES = [path for path in sorted(PACKS.iterdir()) if format_of(path.name)]
LAB = SignatureCheck(PACKS / "allowed_signers", "lab@example.com")
signed = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")


def test_each_version_has_its_packs() -> None:
    versions = range(1, int(FORMAT.rpartition(" ")[2]) + 1)
    assert [path.name for path in ARCHIVES] == [f"version_{n}.{form}" for n in versions for form in ("tar.gz", "zip")]


@signed
@pytest.mark.parametrize("archive", ARCHIVES, ids=attrgetter("name"))
def test_a_frozen_archive(archive: Path) -> None:
    found = verify(archive, LAB)
    assert (found.problems, found.notes, found.signer) == ([], [], "lab@example.com")
    assert (found.run_id, found.files) == ("R1", 28)


@pytest.mark.parametrize("archive", ARCHIVES, ids=attrgetter("name"))
def test_a_frozen_archive_can_be_brought_in(archive: Path, project: Path) -> None:
    assert answer("import", str(archive))["run_id"] == "R1"
    assert answer("show", "R1")["run"]["run_id"] == "R1"


@signed
def test_a_frozen_folder(tmp_path: Path) -> None:
    with tarfile.open(PACKS / "version_1.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    folder = tmp_path / "rack-recipes-R1"
    shutil.copy(PACKS / "version_1.SHA256SUMS.sig", folder / "SHA256SUMS.sig")
    found = verify(folder, LAB)
    assert (found.problems, found.notes, found.run_id, found.files) == ([], [], "R1", 29)
