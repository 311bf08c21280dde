# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.stage.project_files import digest_of


def test_a_digest_is_that_of_the_content(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"1,2\n")
    assert digest_of(file) == f"sha256:{sha256(file.read_bytes()).hexdigest()}"


def test_it_is_that_of_what_travels_which_is_read_once(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"1")
    before = digest_of(file)
    file.write_bytes(b"2")
    assert digest_of(file) == before


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        digest_of(tmp_path / "gone")
    assert str(caught.value) == f"{tmp_path}/gone: cannot be read: No such file or directory"
