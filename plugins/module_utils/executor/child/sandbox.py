# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox of a step: bubblewrap starts its program where all files of the host can only be read.

Only a stage with such a step brings this module along, so no import statement of the executor names it. Without a
sandbox a Python class runs in a fork of the executor; in a sandbox it runs in a new Python. That one gets its orders in
memory: they are on no command line and on no disk.
"""

from __future__ import annotations

import marshal
import os
import signal
import sys

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import other_processes
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FOLDER_MODE, in_memory, stat_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, NoReturn

    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Step
    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

PROGRAM = "bwrap"
MISSING = "the sandbox needs bubblewrap, and there is no bwrap in PATH on this host: install its package bubblewrap"
REFUSED = "the sandbox cannot be made: {}"
NAMESPACES = " (this user has to be allowed namespaces: see user.max_user_namespaces and the like in sysctl)"
SIGNS = ("namespace", "uid map", "loopback", "Operation not permitted", "Permission denied")
PRIVATE = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - the sandbox hides these; sockets of services are in /run
NEEDED = ("/run/current-system",)  # where NixOS has its programs
NAMES = "/etc/resolv.conf"
CODE = ("scriptlets", "ansible_collections")  # in the working folder; later steps run it, maybe without a sandbox
IN_MEMORY = "/proc/self/fd/"
ALWAYS = (
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--cap-drop", "ALL", "--die-with-parent", "--as-pid-1", "--unsetenv", "TMPDIR"),
)
# Root needs no capability to write files of root's in /proc, which are settings of the host's kernel.
FOR_ROOT = ("--remount-ro", "/proc")
# The first process of a PID namespace gets no signals, so it is a shell. When it ends, all processes inside end.
FIRST = ("--", "/bin/sh", "-c", '"$@"; exit $?', "sh")
BOOT = "import marshal,sys;f=open({},'rb');sys.path[:]=marshal.load(f);{}from {} import inside;inside(f,{})"
ADD_CODE = (
    "from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import "
    "add_payload,use_cached;add_payload({!r});use_cached();"
)


def box(wanted: dict[str, Any], work: str, shown: tuple[str, ...] = (), kept: str = "") -> list[str]:
    """The arguments that start a program in a sandbox; `wanted` is the recipe's `sandbox`.

    Of the files in private folders, the program can read `shown`, and also write `kept` and the working folder `work`.
    Raises ValueError if there can be no sandbox.
    """
    private = sorted({os.path.realpath(folder) for folder in PRIVATE if os.path.isdir(folder)})
    names = os.path.realpath(NAMES) if wanted.get("network") else ""
    hidden = _outermost([path for path in (*NEEDED, names, *shown) if _is_below(path, private)])
    own = os.path.realpath(work)
    return [
        _program(),
        *ALWAYS,
        *(() if os.geteuid() else FOR_ROOT),
        *(() if wanted.get("network") else ("--unshare-net",)),
        *(word for path in private for word in ("--tmpfs", path)),
        *_pairs("--ro-bind-try", hidden),
        *_pairs("--bind", [*map(_writable, wanted.get("write") or ()), own, *((kept,) if kept else ())]),
        *_pairs("--ro-bind-try", [os.path.join(own, folder) for folder in CODE]),
        *("--chdir", own, *FIRST),
    ]


def _program() -> str:
    for folder in os.get_exec_path():
        path = os.path.join(folder, PROGRAM)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise ValueError(MISSING)


def _writable(path: str) -> str:
    """The real path of one that may be written. Raises ValueError if it does not exist or is the whole file system."""
    found = os.path.realpath(path)
    if not os.path.exists(found):
        raise ValueError(f"sandbox.write: {path}: No such file or directory")
    if found == os.sep:
        raise ValueError(f"sandbox.write: {path}: the whole file system is no sandbox")
    return found


def _is_below(path: str, folders: list[str]) -> bool:
    """Whether a path lies in one of the folders. Where a link leads does not count, such as a venv's `python`."""
    above, name = os.path.split(os.path.normpath(path))
    place = os.path.join(os.path.realpath(above), name) if os.path.isabs(path) else ""
    return any(place.startswith(folder + os.sep) for folder in folders)


def _outermost(paths: list[str]) -> list[str]:
    """The paths that lie in none of the others.

    The rest need no mount of their own: they come with the path above them, and nothing can be mounted on a link.
    """
    return [path for path in sorted({*paths}) if not any(path.startswith(other + os.sep) for other in paths)]


def _pairs(option: str, paths: list[str]) -> list[str]:
    """The option with each path twice: outside and inside, where it is the same."""
    return [word for path in paths for word in (option, path, path)]


def runnable(path: str) -> str:
    """The path by which a program can be run inside, even if its folder is mounted noexec."""
    if not os.statvfs(path).f_flag & os.ST_NOEXEC:
        return path
    with open(path, "rb") as file:
        return IN_MEMORY + str(_inherited(in_memory(file.read())))


def ask(leader: int) -> None:
    """Send TERM to all in a child's process group except the leader, bubblewrap.

    If bubblewrap ended, it would end the others at once and give them no time.
    """
    for pid in other_processes():
        try:
            if pid != leader and int(stat_of(pid)[2]) == leader:
                os.kill(pid, signal.SIGTERM)
        except OSError:  # gone
            continue


def refused(attempt: Attempt, mask: Mask | None) -> str:
    """Why bubblewrap could not start the step's program, and what to do about it; empty if it could."""
    said = " ".join(attempt.stderr.text(2000, mask).split())
    if attempt.exit_code != 1 or attempt.stdout.size or attempt.ending or not said.startswith(f"{PROGRAM}: "):
        return ""
    return REFUSED.format(said) + (NAMESPACES if any(sign in said for sign in SIGNS) else "")


def python(
    launcher: Launcher, step: Step, ctx: ContextView, params: dict[str, object], method: str, limit: Callable[[], None]
) -> Callable[[start_process.EventWriter], NoReturn]:
    """A function for a fork of the executor that runs the step's Python class in the sandbox.

    Raises ValueError as `box` does.
    """
    payload = next((path for path in sys.path if path.startswith(IN_MEMORY)), None)
    paths = sys.path[:-1] if sys.path[-1] == payload else sys.path  # `add_payload` puts it there
    places = (*paths, sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix)
    if launcher.artifacts:
        os.makedirs(launcher.artifacts, mode=FOLDER_MODE, exist_ok=True)
    start = box(step["sandbox"], launcher.work, (*places, *launcher.live_folder(step)), launcher.artifacts)
    given = {
        "request": {
            "run": launcher.run,
            "host": launcher.host,
            "log_level": launcher.log_level,
            "secrets": launcher.secrets.known,
            "secret_keys": launcher.secrets.patterns,
            "live": launcher.live,
        },
        "folders": [launcher.work, "", launcher.artifacts],
        "step": {name: step.get(name) for name in ("name", "kind", "module", "function", "reads", "live")},
        "view": ctx.handed_over(),
        "analysis": ctx.analysis,
        "params": params,
        "method": method,
    }

    def program(emit: start_process.EventWriter) -> NoReturn:
        state = _inherited(in_memory(marshal.dumps(paths) + marshal.dumps(given)))
        events = _inherited(emit.events)
        code = ADD_CODE.format(payload) if payload else ""
        if payload:
            _hand_over(payload)
        limit()
        boot = BOOT.format(state, code, __name__, events)
        start_process.execute([*start, sys.executable, "-c", boot], dict(os.environ))

    return program


def _inherited(number: int) -> int:
    os.set_inheritable(number, True)
    return number


def _hand_over(payload: str) -> None:
    """Put a copy of the payload in its place. The step cannot change the original, from which later steps take code."""
    number = int(payload[len(IN_MEMORY) :])
    with open(payload, "rb") as file:
        os.dup2(in_memory(file.read()), number)


def inside(state: IO[bytes], events: int) -> NoReturn:
    """In the new Python: run the step's class, as a fork of the executor does without a sandbox."""
    given = marshal.load(state)  # noqa: S302 - of the executor's own
    state.close()
    os.set_inheritable(events, False)
    launcher = Launcher(given["request"], *given["folders"])
    emit = start_process.EventWriter(events)
    ctx = ContextView(**given["view"], emit=emit)
    ctx.keep_on(launcher.shelf)
    ctx.analyse_with(given["analysis"])
    ctx.reach_live(given["request"]["live"] if given["step"]["live"] else {})
    launcher.of_class(given["step"], ctx, given["params"], given["method"])(emit)
