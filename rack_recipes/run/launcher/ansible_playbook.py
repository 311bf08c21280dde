# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-playbook` as a child of the command.

Its inventories, forks, arguments, environment and secrets, its early start, and its end.

Ansible alone would only warn, and a run over the hosts of the other inventories would look good.

Ansible forks a process for each host, which lives as long as the host's stage and mostly waits. So there can be many
more of them than cores. A host that has to wait for a free process is tested later than the others.

A command line can be seen by other users, an environment is inherited by children, and a file outlives a process that
is killed. Ansible needs a path, so the data goes through a named pipe.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from rack_recipes.collection_path import ROOT
from rack_recipes.errors import UsageError, nearest
from rack_recipes.private_files import FILE_MODE
from rack_recipes.run import start_python
from rack_recipes.run.processes import HANDLE_SIGNALS, RUN_ID, block_ending_signals
from rack_recipes.run.start_python import PYTHON
from rack_recipes.settings import SECTION, config_file, read_config

IS_AN_ERROR = "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"
NO_INVENTORY = re.compile(r"^\.|^(host_vars|group_vars|vars_plugins)$")  # what Ansible never reads in a folder
OF_AN_INVENTORY = re.compile(
    r"""(?:^[ \t]+|[{,]\s*)["']?(?:hosts|children)["']?\s*:|^plugin\s*:|^\[[\w.-]+(?::\w+)?\]""", re.MULTILINE
)
OF_A_SECRET = re.compile(r"^[\s\"']*\w*(?:pass|secret|token|vault)\w*[\"']?\s*[:=]", re.MULTILINE | re.IGNORECASE)
LOOKED_AT = 65536  # characters of a file that may be an inventory


def unreadable_is_error(given: Sequence[str]) -> dict[str, str]:
    """The variable by which Ansible takes an inventory that it cannot read for an error.

    `given` are the inventories of the command; without any, those of Ansible's settings count. Where one of them is a
    folder the answer is empty, since not every file in a folder is an inventory. Raises UsageError for one that is not
    there or may not be looked at, and for a folder without any file.
    """
    is_set = os.environ.get(IS_AN_ERROR) or read_config().has_option("inventory", "any_unparsed_is_failed")
    sources = (
        [Path(source).expanduser() for source in given if "," not in source] if given else _configured_inventories()
    )
    if is_set or not (given or sources):
        return {}
    for source in sources:
        try:
            _check(source)
        except OSError as error:
            raise UsageError(f"the inventory {str(source)!r} cannot be read: {error.strerror}") from error
    return {} if any(source.is_dir() for source in sources) else {IS_AN_ERROR: "1"}


def _configured_inventories() -> list[Path]:
    """The inventories in the environment or ansible.cfg; a path in ansible.cfg is relative to that file."""
    named, file = os.environ.get("ANSIBLE_INVENTORY"), config_file()
    folder = file.parent if file and named is None else Path()
    names = named if named is not None else read_config().get("defaults", "inventory", fallback="")
    paths = (name.strip().replace("{{CWD}}", str(Path.cwd())) for name in names.split(","))
    return [folder / Path(os.path.expandvars(path)).expanduser() for path in paths if path]


def _check(source: Path) -> None:
    if not source.exists():
        raise UsageError(f"there is no inventory {str(source)!r}{_near(source)}")
    if source.is_dir() and all(NO_INVENTORY.search(one.name) for one in source.iterdir()):
        raise UsageError(f"the folder {str(source)!r} has no inventory: expected a file in it")


def _near(path: Path) -> str:
    """The name in the same folder that was probably meant, as the end of an error. The ends of names do not count.

    Only folders and what looks like an inventory are named: any other file may hold secrets.
    """
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    known = {one.stem: one.name for one in beside if one.is_dir() or (one.is_file() and _looks_like_inventory(one))}
    near = nearest(path.stem, [*known])
    return f" (did you mean {known[near]!r}?)" if near else ""


def _looks_like_inventory(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(LOOKED_AT)
    except OSError:
        return False
    return OF_AN_INVENTORY.search(text) is not None and not OF_A_SECRET.search(text)


MIB = 1024**2
A_CORE = 64  # to start one takes 0.05 s of CPU; those that start together must all log in within ssh's 10 s
MEMORY = 50 * MIB  # twice what a worker and its ssh use of their own: 13 + 5 MiB, and more with a large inventory
FILES = 8  # twice what Ansible's main process keeps open for each
MOST = 512  # each worker that is forked costs the more, the more there are
LEAST = 5  # Ansible's own default
AVAILABLE = re.compile(r"^MemAvailable: +(\d+) kB", re.MULTILINE)
GROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of a container, in either version of control groups


@dataclass(frozen=True, slots=True)
class Room:
    """What this process may use: cores, memory in bytes, open files."""

    cores: int
    memory: int
    files: int

    def __str__(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{cores}, {self.memory / 1024 / MIB:.1f} GiB of free memory, {self.files} open files"


def room_here(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Room:
    """The room on this machine now. What cannot be read limits nothing."""
    memory = [MOST * MEMORY]
    with suppress(OSError):
        memory = [int(kib) * 1024 for kib in AVAILABLE.findall((proc / "meminfo").read_text())] or memory
    for name in GROUP_LIMITS:
        with suppress(OSError, ValueError):  # it says "max" where there is none
            memory.append(int((groups / name).read_text()))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return Room(len(os.sched_getaffinity(0)), min(memory), MOST * FILES if files == resource.RLIM_INFINITY else files)


def forks_in(room: Room) -> int:
    """How many workers there is room for."""
    return max(LEAST, min(room.cores * A_CORE, room.memory // MEMORY, room.files // FILES, MOST))


@contextmanager
def served_by_fifo(path: Path, data: bytes) -> Iterator[None]:
    """Serve `data` at `path` to the first reader; at the end of the block the path is gone in any case."""
    os.mkfifo(path, FILE_MODE)
    writer = Thread(target=_write, args=(path, data), daemon=True)
    writer.start()
    try:
        yield
    finally:
        _release(path, writer)
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Wait for a reader and write all data to it.

    The path is removed first: Ansible opens it again to show a faulty line, and would wait for ever.
    """
    with suppress(OSError), path.open("wb") as pipe:  # the reader may stop early, or there was none
        path.unlink()
        pipe.write(data)


def _release(path: Path, writer: Thread) -> None:
    """End a writer that still waits for a reader, by opening the pipe for a moment."""
    while writer.is_alive():
        with suppress(OSError):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        writer.join(0.01)


# Ansible would end at the first line that it cannot write. With this a full disk or a closed terminal ends no run.
KEEP_WRITING = """\
import io, sys
class Log(io.FileIO):
    def write(self, data):
        try:
            return super().write(data)
        except OSError:
            return len(data)
def keep_writing():
    for number, name in enumerate(("stdout", "stderr"), start=1):
        stream = io.BufferedWriter(Log(number, "w", closefd=False))
        before = getattr(sys, name)
        setattr(sys, name, io.TextIOWrapper(stream, before.encoding, before.errors, line_buffering=True))
"""
# Where the import fails, Ansible is started anew, to print the error to its log. Whatever its settings say, Ansible
# loads plugins from `shell_plugins` in the working folder. Here it does not where everybody may write to that folder:
# it reads no ansible.cfg there either.
BOOT = f"""\
{KEEP_WRITING}
import json, os
try:
    from ansible.cli.playbook import main
    if os.stat(".").st_mode & 2:
        from ansible.plugins.loader import shell_loader
        shell_loader.config = []
except (Exception, SystemExit):
    main = None
line = sys.stdin.buffer.readline()
if line:
    arguments, log = json.loads(line)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 1)
    os.dup2(1, 2)
    if main is None:
        os.execv(sys.executable, [sys.executable, "-P", "-m", "ansible", "playbook", *arguments])
    keep_writing()
    main(["ansible-playbook", *arguments])
"""


@dataclass(frozen=True, slots=True)
class WarmStart:
    """An Ansible that waits for its arguments."""

    child: subprocess.Popen[bytes]

    def go(self, arguments: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        """Run `ansible-playbook` with these arguments; its output is appended to the file `log`."""
        stdin = self.child.stdin
        if stdin is not None:
            with suppress(BrokenPipeError):  # a signal has ended it; the exit code says so
                stdin.write(json.dumps([list(arguments), log]).encode() + b"\n")
                stdin.close()
        return self.child


@contextmanager
def warm_start(env: Mapping[str, str]) -> Iterator[WarmStart]:
    """Start an Ansible with the environment `env`. At the end of the block it is killed, unless `go` was called."""
    with block_ending_signals():
        child = subprocess.Popen(
            [*PYTHON, "-c", HANDLE_SIGNALS + BOOT],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield WarmStart(child)
    finally:
        if child.stdin is not None and not child.stdin.closed:
            child.stdin.close()
            child.kill()
            child.wait()


RECORDER = "rack.recipes.recorder"
FORKS_OPTION = ("-f", "--fork")  # how arguments with it begin
# As in `start_ansible_early`, no plugins come from a working folder that everybody may write to.
PROGRAM = f"""{HANDLE_SIGNALS}{KEEP_WRITING}
keep_writing()
import os, runpy
if os.stat(".").st_mode & 2:
    from ansible.plugins.loader import shell_loader
    shell_loader.config = []
runpy.run_module("ansible", run_name="__main__", alter_sys=True)
"""
TICK = 0.1  # seconds between two looks at the journal


@dataclass(frozen=True, slots=True)
class PlaybookCommand:
    """A call of `ansible-playbook`; `more` are arguments that the user gave for it."""

    playbook: Path
    run_id: str
    inventories: Sequence[str] = ()
    limit: str | None = None
    forks: int | None = None
    extra_vars: Sequence[str] = ()
    verbose: int = 0
    more: Sequence[str] = ()


def arguments(command: PlaybookCommand) -> list[str]:
    """The arguments of `ansible-playbook`. Without any inventory the run is on this machine."""
    line = [str(command.playbook)]
    line += [part for inventory in command.inventories for part in ("--inventory", inventory)]
    if is_here_only(command):
        python = json.dumps({"ansible_python_interpreter": sys.executable})
        line += ["--inventory", "localhost,", "--connection", "local", "--extra-vars", python]
    line += ["--limit", command.limit] if command.limit else []
    line += ["--forks", str(forks_of(command).number)]
    line += [part for given in command.extra_vars for part in ("--extra-vars", given)]
    line += ["-" + "v" * (command.verbose - 1)] if command.verbose > 1 else []
    return [*line, *command.more]


@dataclass(frozen=True, slots=True)
class Forks:
    """How many hosts at once. `reason` says how the number was chosen, empty where the user has set it."""

    number: int
    reason: str = ""


def forks_of(command: PlaybookCommand) -> Forks:
    """The user's choice, on the command line or in Ansible's settings; without one, what this machine has room for."""
    configured = _configured("forks")
    if command.forks or configured.isdigit():
        return Forks(command.forks or int(configured))
    room = room_here()
    is_given = any(argument.startswith(FORKS_OPTION) for argument in command.more)
    return Forks(forks_in(room), "" if is_given else str(room))


def is_here_only(command: PlaybookCommand) -> bool:
    """Whether no inventory is given, so that the run is on this machine."""
    return not command.inventories and not _has_inventory(command.more)


def ansible_environment(run_id: str, inventories: Sequence[str] = ()) -> dict[str, str]:
    """Ansible's environment in a run: it finds this copy of the collection first, and the recorder is enabled.

    Raises UsageError for inventories that are not there.
    """
    env = start_python.python_environment()
    enabled = [name.strip() for name in _configured("callbacks_enabled").split(",") if name.strip()]
    env["ANSIBLE_CALLBACKS_ENABLED"] = ",".join(dict.fromkeys([*enabled, RECORDER]))
    env["ANSIBLE_COLLECTIONS_PATH"] = f"{ROOT}:{_collections_path()}"
    env |= unreadable_is_error(inventories)
    env[RUN_ID] = run_id
    return env


def start(command: PlaybookCommand) -> subprocess.Popen[bytes]:
    """Start Ansible with its output on stderr, where people see it."""
    line = [*start_python.PYTHON, "-c", PROGRAM, "playbook", *arguments(command)]
    env = ansible_environment(command.run_id, command.inventories)
    with block_ending_signals():
        return subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.STDOUT)


def follow(child: subprocess.Popen[bytes], tick: Callable[[], None]) -> int:
    """Wait for Ansible's end and call `tick` meanwhile; returns its exit code, negative for a signal."""
    while True:
        try:
            return child.wait(TICK)
        except subprocess.TimeoutExpired:
            tick()


def names_hosts(pattern: str) -> bool:
    """Whether each part of a host pattern names hosts: Ansible takes an empty one for all, and breaks on `&`."""
    parts = [part for part in pattern.split(",") if part.strip()]
    return bool(parts) and all(part.strip(" !&:") for part in parts)


def extra_vars(given: Sequence[str]) -> dict[str, Any]:
    """The variables of those -e arguments that may hold our settings.

    What cannot be read is left out: Ansible reports it.
    """
    texts = (text for text in given if text.startswith("@") or SECTION in text)
    return {name: value for text in texts for name, value in _parsed(text).items()}


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        if text.startswith(("@", "{")):
            data = yaml.safe_load(Path(text[1:]).expanduser().read_bytes() if text.startswith("@") else text)
        else:
            data = dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return data if isinstance(data, Mapping) else {}


def _has_inventory(more: Sequence[str]) -> bool:
    given = any(argument.startswith(("-i", "--inv")) for argument in more)
    return given or bool(_configured("inventory"))


def _configured(option: str) -> str:
    """The value of one of Ansible's options in the environment or ansible.cfg, empty where it is not set."""
    return os.environ.get(f"ANSIBLE_{option.upper()}") or read_config().get("defaults", option, fallback="") or ""


def _collections_path() -> str:
    """The folders of other collections; a path in ansible.cfg is relative to that file."""
    default = "~/.ansible/collections:/usr/share/ansible/collections"
    config = config_file()
    if os.environ.get("ANSIBLE_COLLECTIONS_PATH") or config is None:
        return os.environ.get("ANSIBLE_COLLECTIONS_PATH") or default
    paths = filter(None, _configured("collections_path").split(":"))
    return ":".join(str(config.absolute().parent / Path(path).expanduser()) for path in paths) or default
