# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-test on this checkout, wherever it lies and whatever its folder is called.

    python tests/tools/run_ansible_test.py sanity [--test validate-modules]
    python tests/tools/run_ansible_test.py units --venv --python 3.9

ansible-test wants a collection in `ansible_collections/NAMESPACE/NAME`, finds no Python that is not in PATH, and
downloads its pip from a web server. So it gets a copy of the files that git knows, links to the Pythons of this
machine, and a pip installer that uses Python's own. It keeps its environments in a home folder of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rack-recipes" / "ansible-test"
BIN = Path(sys.executable).parent

# Data of tests: wrong on purpose, or frozen as somebody once wrote it. And GitLab's component, which is no part of the
# collection: its form is two documents in one file, which yamllint refuses.
DATA = (":(exclude,glob)tests/**/cases/**", ":(exclude,glob)tests/compat/*/**", ":(exclude)templates")

# ensurepip runs in a process of its own: it removes pip's settings from the environment.
GET_PIP = """\
import runpy, subprocess, sys

if __name__ == "__main__":
    subprocess.check_call([sys.executable, "-m", "ensurepip"])
    packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
    sys.argv = ["pip", "install", "--upgrade", *packages]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def main(arguments: list[str]) -> int:
    """Run ansible-test in a copy of the checkout, copy tests/output back, and return the exit code."""
    provide_pip(HOME / ".ansible" / "test" / "cache")
    with tempfile.TemporaryDirectory(prefix="ansible-test-") as folder:
        collection = copy_checkout(Path(folder), DATA if arguments[:1] == ["sanity"] else ())
        path = os.pathsep.join((str(link_pythons(Path(folder, "bin"))), str(BIN), os.environ["PATH"]))
        command = [sys.executable, str(BIN / "ansible-test"), *arguments]
        try:
            return subprocess.run(
                command, cwd=collection, env={**os.environ, "HOME": str(HOME), "PATH": path}, check=False
            ).returncode
        finally:
            copy_output(collection, ROOT)


def copy_checkout(folder: Path, left_out: Sequence[str]) -> Path:
    """Copy the files that git tracks or would add to the place below `folder` that ansible-test expects."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    collection = folder.joinpath("ansible_collections", galaxy["namespace"], galaxy["name"])
    for name in known_files(left_out):
        target = collection / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    copy_output(ROOT, collection)
    return collection


def known_files(left_out: Sequence[str]) -> Iterator[str]:
    """Return git's list of files, without deleted files and nested repositories."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".", *left_out)
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    return (name for name in os.fsdecode(listed).split("\0") if name and (ROOT / name).is_file())


def copy_output(source: Path, target: Path) -> None:
    """Copy tests/output, because `ansible-test coverage` reads the files of an earlier run there.

    Its folder .tmp stays behind: the environments in it, thousands of files, belong to one copy of the checkout.
    """
    if (source / "tests" / "output").is_dir():
        without = shutil.ignore_patterns(".tmp")
        shutil.copytree(source / "tests" / "output", target / "tests" / "output", ignore=without, dirs_exist_ok=True)


def link_pythons(folder: Path) -> Path:
    """Fill `folder` with links to one Python of each version that can make environments."""
    folder.mkdir()
    for python in pythons():
        link = folder / python.name
        if not link.exists() and can_make_environments(python):
            link.symlink_to(python)
    return folder


def pythons() -> Iterator[Path]:
    """Yield the Pythons in PATH. pyenv's shims refuse some versions, so the real interpreters come before them."""
    for name in os.environ["PATH"].split(os.pathsep):
        folder = Path(name)
        if folder.name == "shims":
            yield from sorted(folder.parent.glob("versions/*/bin/python3.[0-9]*"))
        yield from sorted(folder.glob("python3.[0-9]*"))


def can_make_environments(python: Path) -> bool:
    """Whether a file is a Python with ensurepip, which Debian may lack; python3.13-config is none."""
    if not python.suffix[1:].isdigit():
        return False
    command = [str(python), "-c", "import ensurepip, venv"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def provide_pip(cache: Path) -> None:
    """Put the pip installer where ansible-test keeps its download, under the name that it expects."""
    found = find_spec("ansible_test")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("ansible-core is not installed beside this Python: run `make test`")
    source = Path(found.submodule_search_locations[0], "_internal", "python_requirements.py")
    version = source.read_text(encoding="utf-8").partition("pip='")[2].partition("'")[0]
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
