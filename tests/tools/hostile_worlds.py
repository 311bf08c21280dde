# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the tests from the odd places that people start them from, and print what each run came to.

    python tests/tools/hostile_worlds.py                             every world, the tests that wait for processes
    python tests/tools/hostile_worlds.py --world nohup -- tests      one world, all tests
    python tests/tools/hostile_worlds.py --world usual --runs 20     twenty runs
    python tests/tools/hostile_worlds.py --world user --user NAME    as root: the tests as this user

The worlds `blank` and `user` clone the last commit.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The tests that start processes and wait for them: the first to notice where they are.
WAITING = (
    "tests/unit/bench",
    "tests/unit/tools",
    "tests/unit/plugins/module_utils/executor",
    "tests/unit/plugins/module_utils/runner",
    "tests/unit/rack_recipes/cli/running",
    "tests/unit/rack_recipes/run",
    "tests/unit/rack_recipes/run/host",
    "tests/integration/faults/controller",
    "tests/integration/rack",
    "tests/integration/run",
    "tests/integration/faults/hosts/test_excessive_use.py",
)
CLONED = ("blank", "user")  # the worlds that need a checkout of their own
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
BUSY = 4  # processes that only compute


@dataclass(frozen=True)
class World:
    """A place to start tests from: what it is, and the words before the command of the tests."""

    about: str
    prefix: tuple[str, ...] = ()


def shell(text: str) -> tuple[str, ...]:
    """The prefix that runs a line of shell before."""
    return ("sh", "-c", f'{text}; exec "$@"', "sh")


WORLDS = {
    "usual": World("as you are"),
    "nohup": World("under nohup", ("nohup",)),
    "ignored": World("in the background of a shell that ignores signals", shell("trap '' HUP INT QUIT TERM CHLD USR1")),
    "umask": World("umask 077", shell("umask 077")),
    "open": World("umask 0", shell("umask 0")),
    "nice": World("the lowest priority", ("nice", "-n", "19")),
    "limits": World("few open files, core files", shell("ulimit -S -n 64; ulimit -S -c unlimited; ulimit -S -s 1024")),
    "locale": World(
        "another locale and time zone", ("env", "LC_ALL=de_DE.ISO-8859-1", "LANGUAGE=de", "TZ=Asia/Kathmandu")
    ),
    "C": World("the locale C", ("env", "LC_ALL=C", "LANG=C")),
    "home": World(
        "a home that cannot be written", ("env", "HOME=/proc", "XDG_CACHE_HOME=/proc", "XDG_CONFIG_HOME=/proc")
    ),
    "environment": World(
        "settings of Ansible, Python and databases",
        (
            "env",
            "ANSIBLE_STRATEGY=free",
            "ANSIBLE_STDOUT_CALLBACK=ansible.builtin.minimal",
            "ANSIBLE_CONFIG=/nonexistent",
            "ANSIBLE_FORCE_COLOR=1",
            "ANSIBLE_PIPELINING=0",
            "RACK_RECIPES_DB=mysql://nowhere.invalid/rack",
            "RACK_RECIPES_RUNS=/proc/runs",
            "PYTHONWARNINGS=error",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONUNBUFFERED=1",
            "PGHOST=nowhere.invalid",
            "PGUSER=nobody",
            "http_proxy=http://127.0.0.1:1",
            "COLUMNS=20",
            "FORCE_COLOR=1",
        ),
    ),
    "busy": World(f"beside {BUSY} processes that only compute"),
    "blank": World("in a folder whose name has a blank"),
    "user": World("as another user, who is not root"),
}


def main(arguments: Sequence[str]) -> int:
    """Run the tests in each world that is asked for; return 0 where all passed."""
    args = _parser().parse_args(arguments)
    worlds = args.world or [name for name in WORLDS if name != "user" or args.user]
    ends = [run(name, args.user, args.tests or WAITING) for name in worlds for _run in range(args.runs)]
    print(*(f"{name:12} {seconds:6.0f} s  {said}" for name, seconds, _code, said in ends), sep="\n")
    return max((code for _name, _seconds, code, _said in ends), default=0)


def run(name: str, user: str, tests: Sequence[str]) -> tuple[str, float, int, str]:
    """Run the tests in a world: its name, the seconds that it took, the exit code, and pytest's last line."""
    print(f"--- {name}: {WORLDS[name].about}", flush=True)
    with ExitStack() as around:
        prefix = around.enter_context(become(user)) if name == "user" else WORLDS[name].prefix
        checkout = around.enter_context(clone(user if name == "user" else "", prefix)) if name in CLONED else ROOT
        if name == "busy":
            around.enter_context(load())
        python = str(checkout / ".venv/bin/python")
        started = time.monotonic()
        with subprocess.Popen(
            [*prefix, python, *PYTEST, *tests],
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            last = ""
            for line in process.stdout:
                print(line, end="", flush=True)
                last = line.strip("= \n") or last
        return name, time.monotonic() - started, process.returncode, re.sub(r" in .*", "", last)


@contextmanager
def load() -> Iterator[None]:
    """Keep the machine busy."""
    program = shutil.which("stress-ng")
    command = [program, "--cpu", "1"] if program else [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _each in range(BUSY)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
            process.wait()


@contextmanager
def clone(user: str, prefix: Sequence[str]) -> Iterator[Path]:
    """A clone of the last commit, with an environment of its own that is made behind a prefix."""
    with tempfile.TemporaryDirectory(prefix="a folder ") as folder:
        checkout = Path(folder, "my checkout")
        subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
        if user:
            subprocess.run(["chown", "-R", f"{user}:", folder], check=True)
        subprocess.run([*prefix, "sh", "tests/tools/setup.sh", "test"], cwd=checkout, check=True)
        yield checkout


@contextmanager
def become(user: str) -> Iterator[tuple[str, ...]]:
    """The prefix that becomes a user, who gets a home for this time."""
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        shutil.chown(home, user)
        switch = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")
        yield (*switch, "env", "-u", "PYENV_ROOT", f"HOME={home}", f"USER={user}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hostile_worlds.py", description="Run the tests from odd places.")
    parser.add_argument("--world", action="append", choices=WORLDS, help="may be repeated (default: all)")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="how often (default: 1)")
    parser.add_argument("--user", default=os.environ.get("SUDO_USER", ""), metavar="NAME", help="for the world user")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="arguments for pytest, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
