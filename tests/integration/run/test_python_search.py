# SPDX-License-Identifier: GPL-3.0-or-later

"""A host without `ansible_python_interpreter` finds Python in the round trip of the stage, however it is reached."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from call_rack_recipes import call, results, shell, write_inventory, write_recipe
from service_supervisor import free_port, program, user
from ssh_hosts import SSH_OPTIONS, Rack

SHELLS = ("dash", "bash", "zsh", "mksh", "csh", "tcsh", "fish")
START_LIMIT = 10.0  # seconds
AS_NOBODY = {"ansible_become": True, "ansible_become_user": "nobody"}
SU = {**AS_NOBODY, "ansible_become_method": "su", "ansible_become_flags": "-s /bin/sh"}
LOCAL = {"ansible_connection": "local"}
UNPIPED = {"ansible_pipelining": False}
SUDO = """#!/bin/sh
# Stands in for sudo where a password is asked for.
while [ "$1" != /bin/sh ]; do
  [ "$1" = -p ] && prompt=$2
  shift
done
printf %s "$prompt" >&2
read -r word && [ "$word" = right ] && exec "$@"
"""
IS_ROOT = os.geteuid() == 0


def searching(rack: Rack, member: str, **more: Any) -> dict[str, Any]:
    """The variables of a host that names no Python."""
    known = {name: value for name, value in rack.variables(member).items() if name != "ansible_python_interpreter"}
    return {**known, **more}


@contextmanager
def login_shell(rack: Rack, path: str) -> Iterator[dict[str, Any]]:
    """An sshd whose users have this login shell: sshd hands the command to it in the same way."""
    member, port = rack.members["r01"], free_port(rack.members["r01"].address)
    config = (rack.folder / "r01.conf").read_text().replace(f":{member.port}", f":{port}")
    file = Path(f"{Path(path).name}.conf").absolute()
    file.write_text(f'{config}\nForceCommand exec {path} -c "$SSH_ORIGINAL_COMMAND"\n')
    server = subprocess.Popen([program("sshd", "openssh-server"), "-D", "-f", str(file), "-E", f"{file}.log"])
    try:
        _wait(member.address, port)
        yield searching(rack, "r01", ansible_port=port)
    finally:
        server.terminate()
        server.wait()


def _wait(address: str, port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    while subprocess.run(["ssh-keyscan", "-p", str(port), address], capture_output=True, check=False).stdout == b"":
        assert time.monotonic() < deadline, f"no sshd on port {port}"


def behind(rack: Rack, jump: str) -> dict[str, str]:
    """The way to a host through another one."""
    config, host = Path("ssh_config").absolute(), rack.members[jump]
    lines = [option.replace("=", " ", 1) for option in SSH_OPTIONS.split() if option != "-o"]
    config.write_text("\n".join([*lines, f"IdentityFile {rack.folder}/id", ""]))
    return {"ansible_ssh_common_args": f"-F {config} -o ProxyJump={user()}@{host.address}:{host.port}"}


def test_however_the_host_is_reached(steps: Path, rack: Rack):
    """Odd login shells, a jump host, other users, and connections that take no modules on stdin."""
    with ExitStack() as opened:
        shells = {name: path for name in SHELLS if (path := shutil.which(name))}
        ways = {f"login_{name}": opened.enter_context(login_shell(rack, path)) for name, path in shells.items()}
        ways |= {
            "plain": searching(rack, "r02"),
            "behind": searching(rack, "r02", **behind(rack, "r03")),
            "unpiped": searching(rack, "r04", **UNPIPED),
            "here": LOCAL,
            "here_unpiped": {**LOCAL, **UNPIPED},
            "silent": searching(rack, "r05", ansible_python_interpreter="auto_silent"),
        }
        Path("sudo").write_text(SUDO)
        Path("sudo").chmod(0o755)
        asked = {"ansible_become_exe": str(Path("sudo").absolute()), "ansible_become_password": "right"}
        ways["here_asked"] = {**LOCAL, **AS_NOBODY, **asked}
        ways["here_asked_unpiped"] = {**ways["here_asked"], **UNPIPED}
        ways["asked_unpiped"] = searching(rack, "r08", **AS_NOBODY, **asked, **UNPIPED)
        if IS_ROOT and shutil.which("sudo"):
            ways |= {"sudo": searching(rack, "r06", **AS_NOBODY), "here_sudo": {**LOCAL, **AS_NOBODY}}
            ways["unpiped_sudo"] = searching(rack, "r06", **AS_NOBODY, **UNPIPED)
        if IS_ROOT:
            ways |= {"su": searching(rack, "r07", **SU), "unpiped_su": searching(rack, "r07", **SU, **UNPIPED)}
            ways["here_su"] = {**LOCAL, **SU}
        write_inventory(ways)
        # The second stage of a host uses what the first one has found.
        gate = shell("gate", "ok", scope="run")
        recipe = write_recipe([shell("first", "ok"), gate, shell("second", "ok")])
        words = ("-i", "inventory.yml", "-e", f"recipe={recipe}", "rack.recipes.run")
        done = call("ansible-playbook", "-vvv", *words, ANSIBLE_FORKS=20, COLUMNS=10_000)
        found = results().verdicts()
        assert {place for place, verdict in found.items() if verdict != "passed"} == set(), done.stdout[-5000:]
        assert done.code == 0
        told = done.stdout + done.stderr
        trips = re.findall(r"^<\S+> (?:SSH: )?EXEC .*", told, re.MULTILINE)
        assert len(trips) == 2 * len(ways) + 1  # the one of the gate
        assert sum("command -v" in trip for trip in trips) == len(ways)
        warned = set(re.findall(r"Host '(\w+)' is using the discovered Python interpreter", told))
        assert warned == ways.keys() - {"silent"}
