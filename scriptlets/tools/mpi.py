# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a program on several hosts by Open MPI's mpirun, and read the tables that such programs print."""

from __future__ import annotations

import os
import re
import shutil
from math import isfinite

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "mpirun": {"description": "Further words for mpirun, such as -x NCCL_IB_HCA=mlx5"},
    "folder": {"description": "Where the programs are; by default PATH and the folders where they often are"},
}
FAULT = re.compile(r"\b(error|fail\w*|unable|cannot|not enough|no such|refused|denied|unreachable)\b", re.IGNORECASE)
TAG = re.compile(r"^\[\d+,\d+\]<std(?:out|err)>:\s?")  # mpirun --tag-output


def mpirun(hosts, slots, more):
    """The words that start `slots` processes on each host."""
    places = ",".join(f"{host}:{slots}" for host in hosts)
    return ["mpirun", "--allow-run-as-root", "--host", places, "-np", str(slots * len(hosts)), *more]


def find(program, folder, usual, package):
    """Where a program is. Raises ValueError where it is nowhere; `package` is what has it."""
    folders = [folder] if folder else [*os.environ.get("PATH", "").split(os.pathsep), *usual]
    path = shutil.which(program, path=os.pathsep.join(folders))
    if path is None:
        raise ValueError(f"{program} is in none of {', '.join(folders)}: build {package}, or give `folder`")
    return path


def without_tags(text):
    """The lines as the program printed them."""
    return "\n".join(TAG.sub("", line) for line in text.splitlines())


def complaint(done):
    """What a program under mpirun complained of: its first line about a fault, else the last one."""
    lines = [line.strip() for line in without_tags(f"{done.stderr}\n{done.stdout}").splitlines()]
    told = [line[:300] for line in lines if line.strip("- ")]
    return next(filter(FAULT.search, told), told[-1] if told else "it printed nothing")


def number(text):
    """A finite number, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
