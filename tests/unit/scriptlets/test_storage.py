# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for storage, on what the kernel and the tools tell."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table
from ansible_collections.rack.recipes.tests.unit.scriptlets.conftest import captured


def _bytes_of(path: Path) -> bytes:
    """What a file has; nothing where its process has ended."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


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

    @table("options", "params", "reason")
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


class TestFio:
    @pytest.fixture
    def run(self, scriptlet, prints, rack_context, tmp_path):
        def run(text: str, **params: Any) -> Any:
            module = scriptlet("disk.fio")
            prints(module, {"fio": text})
            return rack_context.run(module.DiskFio, {"folder": str(tmp_path), "size_mib": 8, **params})

        return run

    @pytest.mark.parametrize("version", ["3.33", "3.39"])
    def test_a_disk_that_gives_back_what_was_written(self, run, rack_context, version):
        outcome = run(captured(f"fio-{version}.json"), min_iops=10, min_mbytes=1, max_p99_us=1e6)
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        found = rack_context["disk.fio_v1"]
        assert found["version"] == f"fio-{version}"
        assert found["read_back_bytes"] == 8 << 20
        assert found["errors"] == {"write": 0, "measure": 0, "read_back": 0}
        assert found["read"]["p50_us"] < found["read"]["p99_us"] < found["read"]["p999_us"]

    @pytest.mark.parametrize("version", ["3.33", "3.39"])
    def test_data_that_differ(self, run, tmp_path, version):
        outcome = run(captured(f"fio-{version}-corrupt.json"))
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            f"{tmp_path}: data read back differ from those written: keep no data there, replace the disk",
        )

    @table("limit", "value", "says")
    def test_each_limit(self, run, tmp_path, limit, value, says):
        outcome = run(captured("fio-3.39.json"), **{limit: value})
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            f"{tmp_path}: {says}: look what else uses the disk, compare firmware and link speed with a good one",
        )

    @pytest.mark.parametrize(
        ("number", "verdict", "says"),
        [
            (errno.EIO, "failed", "Input/output error: look at the kernel's log, then replace the disk"),
            (errno.EINVAL, "error", "Invalid argument: try direct=false, look at rights, quota and room"),
        ],
    )
    def test_errors_of_the_disk_and_of_the_test(self, run, number, verdict, says):
        told = json.loads(captured("fio-3.39.json"))
        told["jobs"][1]["error"] = number
        outcome = run(json.dumps(told))
        assert outcome.verdict == verdict
        assert outcome.reason.endswith(says)

    def test_a_disk_that_takes_no_data_for_a_file_that_has_its_room(self, run, tmp_path, rack_context):
        outcome = run(captured("fio-3.39-no-room.json"), size_mib=32)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(f"{tmp_path}: the disk has no room for a file that has got its room: look at")
        assert rack_context["disk.fio_v1"]["errors"] == {"write": 28, "measure": 28, "read_back": 84}

    def test_a_folder_that_takes_no_file(self, scriptlet, run, monkeypatch, tmp_path):
        def refuse(*_words: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(scriptlet("disk.fio").os, "posix_fallocate", refuse)
        outcome = run("")
        assert outcome.verdict == "error"
        assert outcome.reason.startswith(f"{tmp_path} takes no file of 8 MiB: Read-only file system: look whether")

    def test_a_file_that_was_not_read_to_its_end(self, run):
        outcome = run(captured("fio-3.39.json"), size_mib=16)
        assert outcome.verdict == "failed"
        assert "read_back" in outcome.reason

    @table("text", "says")
    def test_no_answer_is_an_error(self, run, text, says):
        outcome = run(text)
        assert (outcome.verdict, outcome.reason) == ("error", says)

    @pytest.mark.parametrize(
        ("params", "says"),
        [
            ({"size_mib": 0}, "size_mib: expected more than 0, got 0"),
            ({"seconds": 0}, "seconds: expected more than 0, got 0"),
            ({"folder": "/nowhere"}, "there is no folder /nowhere: make it on the disk that is to be tested"),
            ({"size_mib": 1 << 40}, f"size_mib is {1 << 40}: make room, or lower size_mib"),
        ],
    )
    def test_no_folder_no_room_and_nothing_to_do(self, run, params, says):
        outcome = run("", **params)
        assert outcome.verdict == "error"
        assert outcome.reason.endswith(says)

    def test_without_fio_it_says_what_to_install(self, scriptlet, rack_context, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
        outcome = rack_context.run(scriptlet("disk.fio").DiskFio, {"folder": str(tmp_path), "size_mib": 1})
        assert (outcome.verdict, outcome.reason) == (
            "error", "fio is not installed on this host: install the package fio"
        )  # fmt: skip

    @pytest.mark.skipif(not shutil.which("fio"), reason="no fio")
    @pytest.mark.parametrize("profile", ["random_write", "sequential_read"])
    def test_fio_itself_leaves_nothing_behind(self, scriptlet, rack_context, tmp_path, profile):
        params = {"folder": str(tmp_path), "size_mib": 2, "seconds": 0.1, "direct": False, "profile": profile}
        outcome = rack_context.run(scriptlet("disk.fio").DiskFio, params)
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert [way for way in ("read", "write") if way in rack_context["disk.fio_v1"]] == [profile.partition("_")[2]]
        assert not [*tmp_path.iterdir()]

    @pytest.mark.skipif(not shutil.which("fio"), reason="no fio")
    def test_fio_itself_ends_with_its_process_group(self, scriptlet, tmp_path):
        file = tmp_path / "data"
        params = {"size_mib": 2, "seconds": 60, "direct": False, "profile": "random_write"}
        argv = scriptlet("disk.fio").argv(file, params)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True) as running:
            while not (file.exists() and file.stat().st_blocks):
                assert running.poll() is None
                time.sleep(0.02)
            time.sleep(1.0)  # then the file is written, and the job runs that takes a minute
            os.killpg(running.pid, signal.SIGKILL)
        assert not [each for each in Path("/proc").glob("[0-9]*/cmdline") if str(file).encode() in _bytes_of(each)]

    def test_every_profile_is_a_choice(self, scriptlet):
        module = scriptlet("disk.fio")
        assert module.DiskFio.options["profile"]["choices"] == [*module.PROFILES]


class TestSmart:
    @pytest.fixture
    def run(self, scriptlet, rack_context, monkeypatch):
        def run(answers: dict[str, str], **params: Any) -> Any:
            def run_json(argv: tuple[str, ...], _exit_codes: object) -> Any:
                return json.loads(captured(next(file for word, file in answers.items() if word in argv)))

            monkeypatch.setattr(scriptlet("tools.smartctl"), "run_json", run_json)
            return rack_context.run(scriptlet("disk.smart").DiskSmart, params)

        return run

    def test_the_drives_that_smartctl_finds_but_those_by_nvme(self, run, rack_context):
        answers = {"--scan": "smartctl-7.1-scan.json", "scsi": "smartctl-7.1-ata.json"}
        outcome = run({**answers, "megaraid,0": "smartctl-7.4-scsi.json"})
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context["disk.smart_v1"] == {
            "/dev/sda": {
                "model": "EXAMPLE HDD4000", "serial": "SN0001", "is_healthy": True, "failing": [], "used": None,
                "celsius": 36, "own_max_celsius": None, "power_on_hours": 1730,
                "reallocated": 0, "pending": 0, "uncorrectable": 0,
            },
            "/dev/bus/0 megaraid,0": {
                "model": "EXAMPLE SAS2400", "serial": "SN0005", "is_healthy": True, "failing": [], "used": None,
                "celsius": 62, "own_max_celsius": 65, "power_on_hours": 12437,
                "reallocated": 0, "pending": None, "uncorrectable": 0,
            },
        }  # fmt: skip

    @table("file", "device", "params", "says")
    def test_what_a_drive_tells(self, run, file, device, params, says):
        outcome = run({"-j": f"smartctl-{file}.json"}, devices=[device], **params)
        assert (outcome.verdict, outcome.reason) == ("failed" if says else "passed", says)

    def test_the_wear_of_a_sas_ssd(self, scriptlet):
        told = {**json.loads(captured("smartctl-7.4-scsi.json")), "scsi_percentage_used_endurance_indicator": 11}
        assert scriptlet("disk.smart").read(told)["used"] == 11

    @pytest.mark.parametrize("version", ["7.3", "7.4"])
    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    def test_a_host_without_such_drives(self, run, version, absent, verdict):
        outcome = run({"--scan": f"smartctl-{version}-scan-none.json"}, absent=absent)
        assert (outcome.verdict, outcome.reason) == (verdict, "no such hardware: a SATA or SAS drive")

    @pytest.mark.parametrize("version", ["7.3", "7.4"])
    def test_a_drive_that_cannot_be_asked_is_an_error(self, run, version):
        outcome = run({"-j": f"smartctl-{version}-no-device.json"}, devices=["/dev/sda"])
        assert (outcome.verdict, outcome.reason) == (
            "error",
            (
                "smartctl cannot ask /dev/sda (Smartctl open device: /dev/sda failed: No such device): run the step as "
                "root, and look whether it is there"
            ),
        )

    def test_a_drive_that_tells_no_health_is_an_error(self, run):
        outcome = run({"-j": "smartctl-7.1-nvme.json"}, devices=["/dev/sdx"])
        assert (outcome.verdict, outcome.reason) == (
            "error",
            (
                "/dev/sdx: it does not tell its health: leave it out (devices), or turn on SMART (smartctl -s on)"
            ),
        )  # fmt: skip

    def test_without_smartctl_it_says_what_to_install(self, scriptlet, rack_context, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
        outcome = rack_context.run(scriptlet("disk.smart").DiskSmart, {})
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "smartctl is not installed on this host: install the package smartmontools",
        )


class TestNvme:
    @pytest.fixture
    def run(self, scriptlet, rack_context, tmp_path, monkeypatch):
        def run(file: str, **params: Any) -> Any:
            def run_json(_argv: object, _exit_codes: object) -> Any:
                return json.loads(captured(file)) if file else None

            monkeypatch.setattr(scriptlet("tools.smartctl"), "run_json", run_json)
            monkeypatch.setattr(scriptlet("disk.nvme"), "run_json", run_json)
            (tmp_path / "nvme0").mkdir(exist_ok=True)
            return rack_context.run(scriptlet("disk.nvme").DiskNvme, {"root": str(tmp_path), **params})

        return run

    @pytest.mark.parametrize(
        ("file", "tool"),
        [("nvme-1.12.json", "nvme"), ("nvme-2.13.json", "nvme"), ("smartctl-7.1-nvme.json", "smartctl")],
    )
    def test_every_version_of_each_tool(self, run, rack_context, file, tool):
        outcome = run(file, tool=tool)
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context["disk.nvme_v1"] == {
            "/dev/nvme0": {
                "critical_warning": 0, "spare": 100, "min_spare": 10, "used": 3, "media_errors": 0, "celsius": 36,
            },
        }  # fmt: skip

    @table("file", "tool", "says")
    def test_what_is_wrong_with_a_drive(self, run, file, tool, says):
        outcome = run(file, tool=tool)
        assert (outcome.verdict, outcome.reason) == ("failed", says)

    def test_a_warning_that_is_not_known(self, scriptlet):
        assert [*scriptlet("disk.nvme")._warnings(0xC0)] == [
            ("critical warning 0xc0", "look it up in the specification of NVMe")
        ]

    @table("file", "tool", "says")
    def test_a_log_that_cannot_be_read_is_an_error(self, run, file, tool, says):
        outcome = run(file, tool=tool)
        assert (outcome.verdict, outcome.reason) == ("error", says)

    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    def test_a_host_without_nvme(self, run, absent, verdict):
        outcome = run("", absent=absent, root="/nowhere")
        assert (outcome.verdict, outcome.reason) == (verdict, "no such hardware: an NVMe drive")

    def test_without_nvme_cli_it_says_what_to_install(self, scriptlet, rack_context, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
        outcome = rack_context.run(scriptlet("disk.nvme").DiskNvme, {"devices": ["/dev/nvme0"]})
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "nvme is not installed on this host: install the package nvme-cli",
        )
