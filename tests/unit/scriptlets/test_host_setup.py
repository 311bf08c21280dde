# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host is set up as expected: kernel, packages, limits, cores, clock source, processes and mounts."""

from __future__ import annotations

import os
import pwd
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TREES = yaml.safe_load((HERE / "host_trees.yml").read_text(encoding="utf-8"))
DPKG = "chrony\t4.6.1-3\tinstalled\nntp\t4.2.8\tconfig-files\n"
RPM = "chrony\t4.5-1.el9\tinstalled\npackage ntp is not installed\n"
HANGING = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
from scriptlets.disk.mounts import answers, keep, look
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
mounted = ctypes.CDLL(None, use_errno=True).mount(b"rack", sys.argv[2].encode(), b"fuse", 0, options)
if mounted:
    sys.exit(77)
print(answers([("read", sys.argv[2], look)], 0.5), answers([("write", sys.argv[3], keep)], 300))
"""
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path) -> Run:
    """A function that runs a scriptlet on a tree, some of whose files are changed."""

    def run(name: str, tree: str, changed: dict[str, str] | None = None, **params: Any) -> Any:
        for path, text in {**TREES[tree], **(changed or {})}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{text}\n", encoding="utf-8")
        module, name_of_class = name.rsplit(".", 1)
        return rack_context.run(getattr(scriptlet(module), name_of_class), {"root": str(tmp_path), **params})

    return run


class TestKernel:
    def test_all_is_as_expected(self, run, rack_context):
        outcome = run(
            "host.kernel.HostKernel", "kernel", release="6.8.0-*", arguments=["iommu=pt", "hugepages"],
            no_arguments=["pci=realloc", "iommu=off"], modules={"nvidia": "550.*", "nvidia-uvm": ""},
            no_modules=["nouveau"],
            settings={
                "kernel.numa_balancing": 0, "vm.nr_hugepages": {"min": 64}, "net.ipv4.tcp_rmem": "4096 131072 33554432",
                "net/ipv4/conf/eth0.10/forwarding": 1, "/sys/kernel/mm/transparent_hugepage/enabled": "madvise",
                "/sys/module/apparmor/parameters/enabled": "Y",
            },
        )  # fmt: skip
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert "dyndbg=file a.c +p" in rack_context["host.kernel_v1"]["arguments"]

    @table("params", "says")
    def test_what_is_not_and_what_to_do(self, run, params, says):
        outcome = run("host.kernel.HostKernel", "kernel", **params)
        assert (outcome.verdict, outcome.reason[: len(says)]) == ("failed", says)

    def test_a_kernel_that_does_not_tell_is_an_error(self, scriptlet, rack_context, tmp_path):
        assert rack_context.run(scriptlet("host.kernel").HostKernel, {"root": str(tmp_path)}).verdict == "error"

    def test_a_value_that_is_no_number_is_an_error(self, run):
        outcome = run("host.kernel.HostKernel", "kernel", settings={"kernel.osrelease": {"min": 6}})
        assert outcome.verdict == "error"
        assert "kernel.osrelease is '6.8.0-45-generic', and no number that `min`" in outcome.reason

    def test_a_setting_that_may_not_be_read_is_an_error(self, run, scriptlet, tmp_path):
        (tmp_path / "proc/sys/kernel/secret").mkdir(parents=True)
        outcome = run("host.kernel.HostKernel", "kernel", settings={"kernel.secret": 1})
        assert (outcome.verdict, "kernel.secret cannot be read (" in outcome.reason) == ("error", True)

    def test_a_quotation_mark_that_does_not_end(self, scriptlet):
        assert scriptlet("host.kernel").arguments('ro a="b c') == ["ro", 'a="b', "c"]


class TestPackages:
    @pytest.mark.parametrize(("text", "version"), [(DPKG, "4.6.1-3"), (RPM, "4.5-1.el9")])
    def test_what_dpkg_and_rpm_print(self, scriptlet, text, version):
        assert scriptlet("host.packages").installed(text) == {"chrony": version}

    @table("params", "says")
    def test_what_is_wrong_and_what_to_do(self, scriptlet, rack_context, monkeypatch, params, says):
        module = scriptlet("host.packages")
        monkeypatch.setattr(module, "ask", lambda _names: DPKG)
        assert says in rack_context.run(module.HostPackages, params).reason

    def test_the_packages_of_this_machine(self, scriptlet, rack_context):
        wanted = {"wanted": {"bash": "", "no-such-package": ""}}
        outcome = rack_context.run(scriptlet("host.packages").HostPackages, wanted)
        assert outcome.reason == "no-such-package is not installed: install it"


class TestLimits:
    def test_the_limits_of_this_process(self, scriptlet, rack_context):
        assert rack_context.run(scriptlet("host.limits").HostLimits, {"least": {"nofile": 8}}).verdict == "passed"
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert rack_context["host.limits_v1"]["nofile"] == soft

    @pytest.mark.parametrize(
        ("value", "least", "verdict"),
        [(8192, 8192, "passed"), (8192, 8193, "failed"), (8192, "unlimited", "failed"), ("unlimited", 9, "passed"),
         ("unlimited", "unlimited", "passed")],
    )  # fmt: skip
    def test_a_number_or_none(self, scriptlet, rack_context, monkeypatch, value, least, verdict):
        module = scriptlet("host.limits")
        monkeypatch.setattr(module, "soft", lambda _name: value)
        outcome = rack_context.run(module.HostLimits, {"least": {"memlock": least}})
        assert outcome.verdict == verdict
        assert verdict == "passed" or f"memlock is 8192, expected at least {least}: set it in" in outcome.reason

    @pytest.mark.parametrize(
        ("least", "says"),
        [({"memlok": 1}, "memlok is no limit that is known here, expected core, fsize, memlock"),
         ({"nofile": "many"}, "nofile must be a number or unlimited, got 'many'")],
    )  # fmt: skip
    def test_words_that_are_not_known(self, scriptlet, rack_context, least, says):
        outcome = rack_context.run(scriptlet("host.limits").HostLimits, {"least": least})
        assert (outcome.verdict, says in outcome.reason) == ("error", True)


SIBLINGS = "topology/thread_siblings_list"


class TestCoresAndClock:
    @pytest.mark.parametrize(
        ("changed", "params", "verdict", "says"),
        [
            ({}, {"cores": 128, "smt": False}, "passed", ""),
            ({"online": "0-3,6-127"}, {}, "failed", "2 cores are offline (4, 5): read the system's event log"),
            ({}, {"cores": 256}, "failed", "128 cores are online, expected 256: compare the firmware's setup"),
            ({}, {"smt": True}, "failed", "hyperthreading is off: switch it on in the firmware's setup"),
            ({"smt/active": "1"}, {"smt": False}, "failed", "hyperthreading is on: switch it off"),
            # A kernel before 4.19 has no smt/: the cores tell which of them are siblings.
            ({"smt/active": "", f"cpu0/{SIBLINGS}": "0,64"}, {"smt": True}, "passed", ""),
            ({"smt/active": "", f"cpu0/{SIBLINGS}": "0"}, {"smt": True}, "failed", "hyperthreading is off: switch it"),
            # A sibling that is offline shares nothing.
            (
                {"smt/active": "", "online": "0-63", f"cpu0/{SIBLINGS}": "0,64"},
                {"smt": True},
                "failed",
                "64 cores are offline",
            ),
            ({"smt/active": ""}, {"smt": True}, "error", "tells neither smt/active nor the siblings of a core"),
            ({"online": ""}, {}, "error", "names no cores"),
        ],
    )
    def test_cores(self, run, changed, params, verdict, says):
        outcome = run("cpu.online.CpuOnline", "cores", changed, **params)
        assert outcome.verdict == verdict
        assert says in outcome.reason

    @pytest.mark.parametrize(
        ("current", "params", "says"),
        [("tsc", {}, ""), ("hpet", {}, "the kernel takes the time from hpet, expected tsc or arch_sys_counter or"),
         ("hpet", {"allowed": ["hpet"]}, "")],
    )  # fmt: skip
    def test_the_clock_source(self, run, current, params, says):
        outcome = run("clock.source.ClockSource", "clock", {"current_clocksource": current}, **params)
        assert outcome.verdict == ("failed" if says else "passed")
        assert outcome.reason.startswith(says)


class TestProcesses:
    @table("changed", "params", "says")
    def test_stuck_dead_and_absent(self, run, changed, params, says):
        outcome = run("host.processes.HostProcesses", "processes", changed, seconds=0.02, **params)
        assert outcome.verdict == ("failed" if says else "passed")
        assert outcome.reason.startswith(says)

    def test_one_that_waits_for_a_moment_is_well(self, scriptlet, monkeypatch, tmp_path):
        module = scriptlet("host.processes")
        states = iter([{"9": {"name": "ls", "state": state, "parent": "1"}} for state in "DDRDD"])
        monkeypatch.setattr(module, "processes", lambda _root: next(states))
        assert module.stay(tmp_path, 0, [])["D"] == []

    def test_a_real_process_that_is_dead(self, scriptlet, rack_context):
        with subprocess.Popen(["true"]) as child:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert rack_context.run(scriptlet("host.processes").HostProcesses, {"seconds": 0.05}).verdict == "failed"
        dead = {"pid": str(child.pid), "name": "true", "state": "Z", "parent": str(os.getpid())}
        assert dead in rack_context["host.processes_v1"]["dead"]

    def test_no_process_is_an_error(self, scriptlet, rack_context, tmp_path):
        outcome = rack_context.run(scriptlet("host.processes").HostProcesses, {"root": str(tmp_path), "seconds": 0})
        assert (outcome.verdict, "shows no process" in outcome.reason) == ("error", True)


class TestMounts:
    def test_the_mounts_of_this_machine(self, scriptlet, rack_context, tmp_path):
        asked = {"mounts": ["/proc"], "write": [str(tmp_path)], "seconds": 300}
        assert rack_context.run(scriptlet("disk.mounts").DiskMounts, asked).verdict == "passed"
        assert set(rack_context["disk.mounts_v1"]) == {"read /proc", f"write {tmp_path}"}
        assert list(tmp_path.iterdir()) == []

    def test_one_that_is_not_mounted(self, scriptlet, rack_context, tmp_path):
        outcome = rack_context.run(scriptlet("disk.mounts").DiskMounts, {"mounts": [str(tmp_path)], "seconds": 300})
        assert outcome.reason == f"nothing is mounted at {tmp_path}: look at /etc/fstab, and mount it"

    def test_a_folder_that_cannot_be_written(self, scriptlet, rack_context, tmp_path):
        asked = {"mounts": [], "write": [f"{tmp_path}/none"], "seconds": 300}
        outcome = rack_context.run(scriptlet("disk.mounts").DiskMounts, asked)
        assert outcome.verdict == "failed"
        assert "/none cannot be written (No such file or directory): look at the kernel's log" in outcome.reason

    def test_one_that_does_not_answer_is_not_waited_for(self, scriptlet, rack_context, monkeypatch):
        module = scriptlet("disk.mounts")
        monkeypatch.setattr(module, "look", lambda _mount: time.sleep(3600))
        outcome = rack_context.run(module.DiskMounts, {"mounts": ["/proc"], "seconds": 0.2})
        assert outcome.reason.startswith(
            "/proc hangs: look at its server and the network to it, then `umount -f -l /proc`"
        )

    @pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="mounts a file system")
    def test_a_real_file_system_whose_server_does_not_answer(self, tmp_path):
        """FUSE whose server has never said a word: the kernel lets statfs wait for ever, as with an NFS server away."""
        (tmp_path / "mount").mkdir()
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, "-c", HANGING, str(ROOT), str(tmp_path / "mount"), str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 77 or "unshare" in done.stderr:
            pytest.skip("this machine lets nobody mount")
        assert "'error': 'hangs'" in done.stdout, done.stderr
        assert done.stdout.count("'error': None") == 1

    def test_a_table_without_mounts_is_an_error(self, scriptlet, rack_context, tmp_path):
        (tmp_path / "mounts").write_text("proc /proc proc rw 0 0\n", encoding="utf-8")
        outcome = rack_context.run(scriptlet("disk.mounts").DiskMounts, {"table": str(tmp_path / "mounts")})
        assert (outcome.verdict, "name them in `mounts`" in outcome.reason) == ("error", True)

    def test_which_are_asked_by_default(self, scriptlet):
        module = scriptlet("disk.mounts")
        table = "\n".join(
            f"{device} {mount} {kind} rw 0 0"
            for device, mount, kind in (
                ("/dev/sda1", "/", "ext4"), ("nas:/a", "/a", "nfs4"), ("10.0.0.1@o2ib:/x", "/x", "lustre"),
                ("sshfs", "/s", "fuse.sshfs"), ("tmpfs", "/run", "tmpfs"), ("/dev/loop0", "/snap/a", "squashfs"),
            )
        )  # fmt: skip
        read = module.read_mounts(table)
        assert [mount for mount, found in read.items() if module.is_asked(found)] == ["/", "/a", "/x", "/s"]


class TestPaths:
    @pytest.fixture
    def paths(self, scriptlet, rack_context, tmp_path) -> Run:
        """A function that runs the scriptlet on a folder with a file, a link and a folder."""
        (tmp_path / "file").write_text("", encoding="ascii")
        (tmp_path / "file").chmod(0o640)
        (tmp_path / "link").symlink_to("nowhere")
        (tmp_path / "folder").mkdir()

        def paths(wanted: dict[str, Any], unwanted: Sequence[str] = ()) -> Any:
            full = {f"{tmp_path}/{name}": known for name, known in wanted.items()}
            params = {"wanted": full, "unwanted": [f"{tmp_path}/{name}" for name in unwanted]}
            return rack_context.run(scriptlet("host.paths").HostPaths, params)

        return paths

    def test_all_is_as_expected(self, paths):
        file = {"kind": "file", "mode": "0640", "owner": pwd.getpwuid(os.getuid()).pw_name, "readable": True}
        known = {"file": file, "link": {"kind": "link"}, "folder": {"kind": "folder", "runnable": True}}
        assert paths(known, ["none"]).reason == ""

    @table("wanted", "unwanted", "says")
    def test_what_is_wrong_and_what_to_do(self, paths, wanted, unwanted, says):
        outcome = paths(wanted, unwanted)
        assert outcome.verdict == "failed"
        assert says in outcome.reason

    @pytest.mark.parametrize(
        ("wanted", "says"), [({}, "nothing to check"), ({"file": {"size": 1}}, "must have some of kind, owner, group")]
    )
    def test_words_that_are_not_known(self, paths, wanted, says):
        outcome = paths(wanted)
        assert (outcome.verdict, says in outcome.reason) == ("error", True)


class TestRelease:
    @table("tree", "expected")
    def test_two_distributions(self, run, tmp_path, tree, expected):
        if tree == "debian":
            (tmp_path / "etc").mkdir()
            (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
        assert run("host.release.HostRelease", tree, **expected).reason == ""

    @table("expected", "says")
    def test_what_is_wrong_and_what_to_do(self, run, expected, says):
        outcome = run("host.release.HostRelease", "rocky", **expected)
        assert outcome.verdict == "failed"
        assert says in outcome.reason

    def test_a_time_zone_that_is_not_told_is_an_error(self, run):
        outcome = run("host.release.HostRelease", "rocky", {"etc/localtime": "TZif"}, timezone="UTC")
        assert (outcome.verdict, "does not tell its timezone" in outcome.reason) == ("error", True)

    def test_a_system_without_a_name_is_an_error(self, scriptlet, rack_context, tmp_path):
        assert rack_context.run(scriptlet("host.release").HostRelease, {"root": str(tmp_path)}).verdict == "error"


class TestUptime:
    @table("params", "says")
    def test_hours(self, run, rack_context, params, says):
        outcome = run("host.uptime.HostUptime", "uptime", **params)
        assert outcome.verdict == ("failed" if says else "passed")
        assert outcome.reason.startswith(says)
        assert rack_context["host.uptime_v1"]["boot_id"][:8] == "5f0c8c4e"


class TestLogin:
    PARAMS = {"host": "h1", "port": "2222", "user": "lab", "key": "/k y", "arguments": "-o 'ProxyCommand=nc %h %p'"}

    @pytest.fixture
    def login(self, scriptlet, rack_context, tmp_path, monkeypatch):
        """Run the scriptlet with a program instead of ssh."""

        def by(script, **params):
            (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "ssh").chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
            return rack_context.run(scriptlet("host.login").HostLogin, {**self.PARAMS, **params})

        return by

    @pytest.mark.parametrize(
        ("script", "verdict", "reason"),
        [
            ("echo Welcome; echo rack-recipes-login", "passed", ""),
            ("exec sleep 60", "failed", "a new login has run no command within 1 s: look at name server, home"),
            (
                "echo This account is not available.; exit 1",
                "failed",
                "a new login does not run a command: This account",
            ),
            ("exit 5", "failed", "a new login does not run a command: exit code 5"),
            (
                "echo 'connect to host h1 port 22: Connection refused' >&2; exit 255",
                "failed",
                "a new login does not run",
            ),
            (
                "echo 'lab@h1: Permission denied (publickey).' >&2; exit 255",
                "skipped",
                "a new login is not let in with",
            ),
            ("echo 'Host key verification failed.' >&2; exit 255", "skipped", "a new login is not let in without"),
        ],
    )
    def test_what_a_login_comes_to(self, login, rack_context, script, verdict, reason):
        outcome = login(script, max_seconds=1)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == (verdict, reason)
        if verdict == "passed":
            assert rack_context["host.login_v1"]["seconds"] < 1

    def test_its_connection_is_no_shared_one(self, scriptlet):
        words = scriptlet("host.login").command(self.PARAMS)
        assert words[:5] == ["ssh", "-o", "ControlPath=none", "-o", "ControlMaster=no"]
        assert words[8:] == [
            *("-p", "2222", "-l", "lab", "-i", "/k y", "-o", "ProxyCommand=nc %h %p", "--", "h1"),
            "echo rack-recipes-login",
        ]

    def test_a_machine_without_ssh(self, scriptlet, rack_context, monkeypatch):
        monkeypatch.setenv("PATH", "/none")
        assert rack_context.run(scriptlet("host.login").HostLogin, self.PARAMS).verdict == "skipped"
