# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that the figures depend on: the machine, the Pythons of the hosts, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]


def facts(hosts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Names and values for the page."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    pythons = {str(host["ansible_python_interpreter"]) for host in hosts if "ansible_python_interpreter" in host}
    return {
        "commit": answer("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "cores": f"{len(os.sched_getaffinity(0))} ({processor()})",
        "memory": f"{memory:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "SSH": answer("ssh", "-V"),
        "Python on the hosts": ", ".join(sorted((answer(path, "-V") for path in pythons), key=numbers)),
    }


def answer(*argv: str) -> str:
    """Return the first line of a command's output; an empty text if it fails or is missing."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.partition("\n")[0].removeprefix("Python ")


def numbers(version: str) -> list[int]:
    """A release as numbers, so that 3.9 comes before 3.10."""
    return [int(part) for part in version.split(".") if part.isdigit()]


def processor() -> str:
    """The model of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
