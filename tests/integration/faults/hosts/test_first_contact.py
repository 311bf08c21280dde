# SPDX-License-Identifier: GPL-3.0-or-later

"""What ssh, a real sshd and its host say to a user who contacts them for the first time, and what we add to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from refusing_servers import LISTENS_ON

from call_rack_recipes import results, run_recipe, shell, write_inventory
from service_supervisor import free_port, program
from ssh_hosts import Rack

CHANGED = (
    "Host key verification failed: it is not the one of {known}:1: if the host was installed anew, `ssh-keygen -R '"
)
TOLD = {
    "unknown_key": ("unreachable", "Host key verification failed; its key is not known here: log in once by `ssh`"),
    "changed_key": ("unreachable", CHANGED),
    "other_key": ("unreachable", "Permission denied (publickey); see ansible_user, and ansible_ssh_private_key_file"),
    "other_user": ("unreachable", "nobody-here@{address}: Permission denied (publickey); see ansible_user"),
    "no_identity": ("unreachable", "ansible_ssh_private_key_file names a file that is not on this machine"),
    "no_sudo": ("error", "sudo: not found: there is no sudo on the host: install it, or set ansible_become_method"),
    "no_such_user": (
        "error",
        "sudo: unknown user nobody-here: there is no such user on the host: see ansible_become_user",
    ),
    "no_right": ("error", "newcomer is not in the sudoers file"),
}


def key(name: str) -> Path:
    """A new key of ssh."""
    subprocess.run([program("ssh-keygen", ""), "-q", "-t", "ed25519", "-N", "", "-f", name], check=True)
    return Path(name).absolute()


@contextmanager
def without_sudo(rack: Rack) -> Iterator[dict[str, Any]]:
    """A real sshd whose sessions find a shell and no other program, so no sudo."""
    Path("bin").mkdir()
    Path("bin/sh").symlink_to("/bin/sh")
    path = f'SetEnv "HOME={rack.folder}/r01" "PATH={Path("bin").absolute()}"'
    with another_sshd(rack, "bare", [path]) as found:
        yield found


@contextmanager
def another_sshd(rack: Rack, name: str, config: list[str], within: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """A real sshd like that of the first host, with this configuration; `within` is the command that runs it."""
    file, port = Path(f"{name}.conf").absolute(), free_port(LISTENS_ON)
    usual = (rack.folder / "r01.conf").read_text().splitlines()
    own = [line for line in usual if not line.startswith(("ListenAddress", "SetEnv", "Port"))]
    file.write_text("\n".join([f"ListenAddress {LISTENS_ON}:{port}", *config, *own, ""]))
    server = subprocess.Popen([*within, program("sshd", ""), "-D", "-f", str(file), "-E", f"{name}.log"])
    try:
        yield {"ansible_host": LISTENS_ON, "ansible_port": port}
    finally:
        server.terminate()
        server.wait()


NEWCOMER, PASSWORD, NUMBER = "newcomer", "wordpass", 64711
OWN_USERS = 'mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow && exec "$@"'


@contextmanager
def with_a_newcomer(rack: Rack) -> Iterator[dict[str, Any]]:
    """A real sshd whose machine has one more user, who is in no file of sudo's: in a mount namespace of its own.

    Without root there are no such hosts, and this has no variables.
    """
    if os.geteuid():
        yield {}
        return
    words = [program("openssl", ""), "passwd", "-6", PASSWORD]
    hashed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        key_file = shutil.copy(rack.folder / "id.pub", home)
        for name, entry in (
            ("passwd", f"{NEWCOMER}:x:{NUMBER}:{NUMBER}::{home}:/bin/sh"),
            ("shadow", f"{NEWCOMER}:{hashed}:1::::::"),
        ):
            Path(name).write_text(f"{Path('/etc', name).read_text()}{entry}\n")
        own = [f"AuthorizedKeysFile {key_file}"]  # the first one counts
        with another_sshd(rack, "newcomer", own, ["unshare", "--mount", "sh", "-ec", OWN_USERS, "sh"]) as found:
            become = {"ansible_become": True, "ansible_become_password": PASSWORD}
            yield {**found, "ansible_user": NEWCOMER, "ansible_python_interpreter": "/usr/bin/python3", **become}


@pytest.fixture
def reasons(steps: Path, rack: Rack) -> dict[str, tuple[str, str]]:
    """Verdict and reason of one step on each of these hosts: one run for all."""
    usual, member = {**rack.variables("r01"), "ansible_ssh_args": "-o ControlMaster=no"}, rack.members["r01"]
    options = str(usual["ansible_ssh_common_args"])
    public = key("another").with_suffix(".pub").read_text()
    Path("known").write_text(f"[{member.address}]:{member.port} {public}")
    strict = {"ansible_host_key_checking": True}
    asks = options.replace("StrictHostKeyChecking=no", "StrictHostKeyChecking=yes")
    with without_sudo(rack) as bare, with_a_newcomer(rack) as newcomer:
        differing: dict[str, dict[str, Any]] = {
            "unknown_key": {**strict, "ansible_ssh_common_args": asks},
            "changed_key": {
                **strict,
                "ansible_ssh_common_args": asks.replace("/dev/null", str(Path("known").absolute())),
            },
            "other_key": {"ansible_ssh_private_key_file": str(Path("another").absolute())},
            "other_user": {"ansible_user": "nobody-here"},
            "no_identity": {
                "ansible_ssh_common_args": options.replace("-o LogLevel=ERROR", ""),  # as users have it
                "ansible_ssh_private_key_file": str(Path("absent").absolute()),
            },
            "no_sudo": {**bare, "ansible_become": True, "ansible_become_user": "daemon"},
            "no_such_user": {"ansible_become": True, "ansible_become_user": "nobody-here"},
            **({"no_right": newcomer} if newcomer else {}),
        }
        run_recipe([shell("ok")], on=write_inventory({name: {**usual, **more} for name, more in differing.items()}))
    return {host: (row["verdict"], row["reason"]) for (_step, host), row in results().steps.items()}


def test_each_says_what_to_do(reasons: dict[str, tuple[str, str]], rack: Rack):
    words = {"known": Path("known").absolute(), "address": rack.members["r01"].address}
    assert len(TOLD) - len(reasons) == (1 if os.geteuid() else 0)
    for host, (verdict, reason) in reasons.items():
        wanted, told = TOLD[host]
        assert verdict == wanted, (host, reason)
        assert told.format(**words) in reason, (host, reason)
        assert len(reason) < 400, "ssh's screen about a changed key is no reason"
