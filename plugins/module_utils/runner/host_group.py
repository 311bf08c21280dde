# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the steps of a stage for many hosts on this one machine, which is their delegate: a process for each host.

The request has what all hosts share, and under `hosts` what each of them has of its own. So many hosts are tested at a
time as `at_once` says. The processes append to one journal, so the controller asks for all hosts at once.
"""

from __future__ import annotations

import os
import re
import sys

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.descendant_marks import marks_of
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.reaper import end_all
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FOLDER_MODE
from ansible_collections.rack.recipes.plugins.module_utils.runner.code_cache import content_of
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    Request = dict[str, Any]
    Run = Callable[[Request, str], None]

IMPORT = re.compile(rb"(?m)^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))")
OWN = "ansible_collections.rack.recipes.plugins.module_utils."
RUN_CLASS = f"{OWN}executor.child.run_python_class"
KILLED = "the executor was killed on the delegate before this step ended"
FOREIGN = ("site-packages", "dist-packages")


def run_hosts(request: Request, work: str, run: Run, describe: Callable[[BaseException], str]) -> dict[str, str]:
    """Run the steps for every host; returns, by host, why its process could not go on, for those where it could not.

    `run` runs one request in this process, in a folder of its own below `work`. `describe` gives an error's reason.
    """
    shared = {name: value for name, value in request.items() if name not in ("hosts", "at_once")}
    waiting = list(enumerate(request["hosts"]))[::-1]
    running: dict[int, tuple[str, int]] = {}
    lost: dict[str, str] = {}
    while waiting or running:
        while waiting and len(running) < request["at_once"]:
            number, own = waiting.pop()
            told, tell = os.pipe()
            pid = os.fork()
            if not pid:
                _run_host({**shared, **own}, os.path.join(work, str(number)), run, describe, tell)
            os.close(tell)
            running[pid] = own["host"], told
        host, reason = _ended(running)
        if reason:
            lost[host] = reason
    return lost


def _run_host(request: Request, work: str, run: Run, describe: Callable[[BaseException], str], tell: int) -> NoReturn:
    """The process of one host. Never returns."""
    try:
        try:
            os.mkdir(work, FOLDER_MODE)
            run(request, work)
        except BaseException as error:
            os.write(tell, describe(error).encode("utf-8", "backslashreplace"))
        os.chdir("/")
        remove(work)
    finally:
        os._exit(0)


def _ended(running: dict[int, tuple[str, int]]) -> tuple[str, str]:
    """Wait until a host's process ends. Returns the host, and why the process could not go on, if so."""
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    pid = found.si_pid  # type: ignore[union-attr]  # only WNOHANG could give None
    is_killed = found.si_code != os.CLD_EXITED  # type: ignore[union-attr]
    if is_killed:
        end_all(marks_of(pid, _started_at(pid)))  # while its number is not used again
    os.waitpid(pid, 0)
    host, told = running.pop(pid)
    reason = KILLED if is_killed else _read(told)
    os.close(told)
    return host, reason


def _read(told: int) -> str:
    """What the process has said. What a step left running may hold the pipe open, so it is not read to its end."""
    os.set_blocking(told, False)
    try:
        return os.read(told, 65536).decode("utf-8", "replace")
    except BlockingIOError:
        return ""


def _started_at(pid: int) -> int:
    """When a process started that has ended but was not waited for, in ticks since boot."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return int(stat.read().rpartition(b")")[2].split()[19])


def import_once(request: Request, payload: str) -> None:
    """Import here what the Python scriptlets of a request import of the standard library, and of ours.

    Then the processes of a thousand hosts need not import it again. A scriptlet itself is never imported here, nor
    anything else: what it does may differ from host to host, take long, or fail.
    """
    steps = [step for own in (request, *request["hosts"]) for step in own.get("steps") or ()]
    modules = dict.fromkeys(step["module"] for step in steps if step.get("kind") == "python")
    wanted = dict.fromkeys([RUN_CLASS] if modules else [])
    for module in modules:
        wanted.update(dict.fromkeys(_imported(_source(payload, module))))
    found, sys.path[:] = sys.path[:], [path for path in sys.path if _is_standard(path)]
    try:
        for name in wanted:
            _try_import(name)
    finally:
        sys.path[:] = found


def _source(payload: str, module: str) -> bytes:
    try:
        return content_of(payload, f"{module.replace('.', '/')}.py")
    except OSError:  # the step says so
        return b""


def _imported(source: bytes) -> list[str]:
    names = [name for one, many in IMPORT.findall(source) for name in (one or many).decode().split(",")]
    return [name.split(None, 1)[0] for name in names if name.strip() and not name.strip().startswith(".")]


def _is_standard(path: str) -> bool:
    return path.startswith((sys.base_prefix, os.path.dirname(os.__file__))) and not any(map(path.__contains__, FOREIGN))


def _try_import(name: str) -> None:
    if name.startswith("ansible_collections.") and not name.startswith(OWN):
        return
    try:
        __import__(name)
    except Exception:  # the step that needs it says so
        return
