# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments of the contestants, made once and kept in a cache folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import BenchError

MARK = "bench-requirements.json"
KEPT = ("LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "USER")


def default_cache() -> Path:
    """Where the environments are kept unless the command line says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rack-recipes-bench"


def programs(cache: Path, name: str, requirements: Sequence[str]) -> Path:
    """The folder with the Python and the commands of an environment, which is made where it is missing.

    Without requirements it is the folder of the running Python.
    """
    if not requirements:
        return Path(sys.executable).parent
    folder = cache / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    mark = folder / MARK
    if not (mark.exists() and json.loads(mark.read_text()) == list(requirements)):
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, requirements)
        mark.write_text(json.dumps(list(requirements)))
    return folder / "bin"


def make(folder: Path, requirements: Sequence[str]) -> None:
    """A new virtual environment with these requirements, the newest releases that they allow."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")


def releases(folder: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the installed releases of these packages, by name; `python` is Python itself."""
    code = (
        "import importlib.metadata as m, json, platform;"
        "print(json.dumps({'python': platform.python_version(),"
        " **{d.metadata['Name'].lower(): d.version for d in m.distributions()}}))"
    )
    done = subprocess.run([str(folder / "python"), "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return {package: found[package] for package in packages if package in found}


def clean_environment(home: Path, folder: Path, added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of each command: no variable configures a contestant, and HOME is the benchmark's."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join((str(folder), kept.get("PATH", os.defpath)))
    return {**kept, "PATH": path, "HOME": str(home), **added}
