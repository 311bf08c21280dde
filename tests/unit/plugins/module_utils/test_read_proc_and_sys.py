# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.read_proc_and_sys import HostFiles

FILES = {
    "speed": "25000\n",
    "state": " up \0",
    "empty": "\n",
    "bytes": b"\xff1\n",
    "hex": "0x10\n",
    "long": "9" * 400,
    "eth/eth10/mtu": "1500",
    "eth/eth2/mtu": "9000",
    "eth/eth²/mtu": "1",
    "meminfo": "MemTotal:  16 kB\nno separator\nHugePages_Total: 0\n",
}


@pytest.fixture
def files(tmp_path):
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.symlink("../../drivers/mlx5_core", tmp_path / "driver")
    return HostFiles(tmp_path)


@pytest.mark.parametrize(
    ("path", "text", "number"),
    [
        ("speed", "25000", 25000),
        ("state", "up", None),
        ("empty", None, None),
        ("absent", None, None),
        ("eth", None, None),
        ("bytes", "\N{REPLACEMENT CHARACTER}1", None),
        ("hex", "0x10", None),
        ("long", "9" * 400, None),
    ],
)
def test_what_a_file_says(files, path, text, number):
    assert (files.text(path), files.number(path)) == (text, number)


def test_what_a_folder_holds(files):
    assert files.names("eth") == ["eth2", "eth10", "eth²"]
    assert files.names("absent") == []


def test_where_a_link_leads(files):
    assert (files.target("driver"), files.target("speed")) == ("mlx5_core", None)


def test_the_fields_of_a_file(files):
    assert files.fields("meminfo") == [("MemTotal", "16 kB"), ("HugePages_Total", "0")]
    assert files.fields("meminfo", " ")[0] == ("MemTotal:", "16 kB")


def test_the_root(files, tmp_path):
    assert files.path("speed") == f"{tmp_path}/speed"
    assert not files.live
    assert not files.is_host()
    (tmp_path / "proc").mkdir()
    assert files.is_host()
    assert HostFiles().live
