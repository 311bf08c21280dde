# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for storage, on what the kernel and the tools tell."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> str:
    return (CAPTURED / name).read_text(encoding="utf-8")


def room(free: int = 40, inodes: int = 40, files: int = 100) -> SimpleNamespace:
    """What the kernel says of a file system with 100 blocks."""
    return SimpleNamespace(f_blocks=100, f_frsize=4096, f_bavail=free, f_files=files, f_favail=inodes)


class TestFilesystems:
    TABLE = (
        "/dev/vda / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n/dev/loop0 /snap/a squashfs ro 0 0\n"
        "/dev/vdb /srv/my\\040data xfs {options} 0 0\n"
    )

    @pytest.fixture
    def run(self, scriptlet, rack_context, tmp_path, monkeypatch):
        def run(said: Any = None, options: str = "rw", **params: Any) -> Any:
            mounts = tmp_path / "mounts"
            mounts.write_text(self.TABLE.format(options=options))
            module = scriptlet("disk.filesystems")

            def statvfs(_mount: str) -> Any:
                if isinstance(said, OSError):
                    raise said
                return said or room()

            monkeypatch.setattr(module, "os", SimpleNamespace(statvfs=statvfs))
            return rack_context.run(module.DiskFilesystems, {"mounts": str(mounts), **params})

        return run

    def test_all_on_block_devices_are_judged(self, run, rack_context):
        outcome = run()
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context["disk.filesystems_v1"]["/srv/my data"] == {
            "device": "/dev/vdb", "type": "xfs", "is_read_only": False,
            "size_bytes": 409600, "free_percent": 40.0, "free_inodes_percent": 40.0,
        }  # fmt: skip
        assert [*rack_context["disk.filesystems_v1"]] == ["/", "/srv/my data"]

    @pytest.mark.parametrize(
        ("said", "verdict", "reason"),
        [
            (room(4), "marginal", ""),
            (room(3), "marginal", ""),
            (room(5, 5), "passed", ""),
            (
                room(2),
                "failed",
                "/ has 2 % of its room left, expected 3 %: delete what is not needed, or make it larger",
            ),
            (
                room(40, 1),
                "failed",
                "/ has 1 % of its inodes left, expected 3 %: delete small files, or make it anew with more inodes",
            ),
            (room(40, 0, 0), "passed", ""),
        ],
    )
    def test_room_and_inodes(self, run, said, verdict, reason):
        outcome = run(said, expected={"/": ""})
        assert outcome.verdict == verdict
        assert outcome.reason == reason or verdict == "marginal"

    @pytest.mark.parametrize(
        ("options", "params", "reason"),
        [
            (
                "ro",
                {},
                "/srv/my data is read-only: look for errors of /dev/vdb in the kernel's log, then check it (fsck)",
            ),
            ("ro", {"read_only": ["/srv/my data"]}, ""),
            ("rw", {"read_only": ["/srv/my data"]}, "/srv/my data can be written: mount it read-only"),
            ("rw", {"expected": {"/": "ext4"}}, ""),
            ("rw", {"expected": {"/": "xfs"}}, "/ is ext4, expected xfs: compare /etc/fstab with the plan"),
            (
                "rw",
                {"expected": {"/": "", "/data": "", "/home": ""}},
                "nothing is mounted at /data, /home: look at /etc/fstab and whether the disk is there",
            ),
        ],
    )
    def test_mounted_as_expected(self, run, options, params, reason):
        outcome = run(options=options, **params)
        assert (outcome.verdict, outcome.reason) == ("failed" if reason else "passed", reason)

    def test_one_that_gives_no_answer_is_an_error(self, run):
        outcome = run(OSError(5, "Input/output error"), expected={"/": ""})
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "/ cannot be read (Input/output error): look at the kernel's log and at the disk",
        )

    def test_a_host_without_block_devices(self, scriptlet, rack_context, tmp_path):
        (tmp_path / "mounts").write_text("proc /proc proc rw 0 0\n")
        params = {"mounts": str(tmp_path / "mounts")}
        outcome = rack_context.run(scriptlet("disk.filesystems").DiskFilesystems, params)
        assert outcome.verdict == "error"
        assert outcome.reason.endswith("has no file system on a block device: say which are `expected`")

    def test_the_file_systems_of_this_machine(self, scriptlet, rack_context):
        here = {mount: "" for mount in ("/", "/proc") if os.path.ismount(mount)}
        params = {"expected": here, "min_free": 0, "warn_free": 0}
        assert rack_context.run(scriptlet("disk.filesystems").DiskFilesystems, params).verdict == "passed"
