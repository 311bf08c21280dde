# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that are started from an odd place: what they start finds the usual one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import own_world

# Prints what a program finds that a test starts, and what the tests themselves find.
PROGRAM = """
import json, locale, os, resource, signal, subprocess, sys, time
sys.path.append(sys.argv[1])
import own_world
own_world.set_process()
home = own_world.enter_environment()
signal.raise_signal(signal.SIGHUP) if sys.argv[2:] else None
FINDS = '''
import json, os, resource, signal, sys
names = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGCHLD", "SIGUSR1")
os.umask(umask := os.umask(0))
print(json.dumps({
    "ignored": [name for name in names if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN],
    "blocked": [*map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))],
    "umask": umask,
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
    "environment": {k: v for k, v in os.environ.items() if k not in ("PATH", "TMPDIR")},
    "home": os.listdir(os.environ["HOME"]),
}))
'''
found = json.loads(subprocess.run([sys.executable, "-I", "-c", FINDS], stdout=subprocess.PIPE).stdout)
with open(home / "written", "w") as file:
    file.write("\\u20ac")
found["here"] = [(home / "written").read_bytes().hex(), time.tzname[0], signal.getsignal(signal.SIGINT).__name__]
print(json.dumps(found))
"""
ODD = {
    "LC_ALL": "de_DE.ISO-8859-1",
    "TZ": "America/New_York",
    "PYTHONWARNINGS": "error",
    "PYTHONDONTWRITEBYTECODE": "1",
    "ANSIBLE_STRATEGY": "free",
    "RACK_RECIPES_DB": "mysql://somewhere",
    "XDG_CACHE_HOME": "/nonexistent",
    "PGHOST": "somewhere",
    "http_proxy": "http://127.0.0.1:1",
    "PIP_INDEX_URL": "https://index",
}


def found(prefix: str, tmp_path: Path, *more: str) -> dict[str, Any]:
    """What is found behind a prefix in shell, with a home that cannot be written."""
    home = tmp_path / "home"
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").touch()
    home.chmod(0o500)
    tools = str(Path(own_world.__file__).parent)
    command = ["sh", "-c", f'{prefix}; exec "$@"', "sh", sys.executable, "-c", PROGRAM, tools, *more]
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(home), **ODD}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


USUAL = {
    "ignored": [],
    "blocked": [],
    "umask": 0o022,
    "core": 0,
    "home": [],
    "here": ["e282ac", "UTC", "default_int_handler"],
}


def test_everything_is_as_usual_again(tmp_path: Path):
    answer = found("trap '' HUP INT QUIT TERM CHLD USR1; umask 077; ulimit -S -c unlimited", tmp_path, "hang up")
    environment = answer.pop("environment")
    assert answer == {**USUAL, "files": 1024}
    assert Path(environment.pop("HOME")).name.startswith("rack-home-")
    kept = {"PIP_INDEX_URL": "https://index", "PIP_CONFIG_FILE": str(tmp_path / "home/.config/pip/pip.conf")}
    assert environment == {**kept, **own_world.SET}


def test_a_hard_limit_is_kept(tmp_path: Path):
    answer = found("umask 0; ulimit -n 300", tmp_path)
    assert (answer["files"], answer["umask"]) == (300, 0o022)


def test_pip_s_cache_and_pyenv_are_those_of_the_home(tmp_path: Path):
    """If they can be used."""
    for name in (".cache/pip", ".pyenv"):
        (tmp_path / "home" / name).mkdir(parents=True)
    answer = found("true", tmp_path)
    assert answer["environment"]["PIP_CACHE_DIR"] == str(tmp_path / "home/.cache/pip")
    assert answer["environment"]["PYENV_ROOT"] == str(tmp_path / "home/.pyenv")
