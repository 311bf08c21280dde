# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Call the tools of a host, for the scriptlets that read what they print."""

from __future__ import annotations

import json
import os
import subprocess

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words

LONGEST = 2_000_000  # seconds, 23 days: the system waits for no program longer, and Python fails beyond
PATHS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
# program -> the package that it is in, of Debian, Fedora and their like, where it has another name or is seldom there
PACKAGES = {
    "fio": "fio", "nvme": "nvme-cli", "smartctl": "smartmontools", "mpirun": "openmpi-bin",
    **dict.fromkeys(("ib_write_bw", "ib_send_bw", "ib_read_lat"), "perftest"),
}  # fmt: skip


def completed(argv, env=(), seconds=None):
    """A program that has ended, with its exit code and what it printed; `env` are further variables of its environment.

    Raises ValueError where it cannot be started, and where it has not ended after `seconds`.
    """
    path = os.pathsep.join((os.environ.get("PATH", ""), *PATHS))
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace", check=False,
            env={**os.environ, "PATH": path, "LC_ALL": "C", **dict(env)},
            timeout=None if seconds is None else min(seconds, LONGEST),
        )  # fmt: skip
    except FileNotFoundError:
        advice = f": install the package {PACKAGES[argv[0]]}" if argv[0] in PACKAGES else ""
        raise ValueError(f"{argv[0]} is not installed on this host{advice}") from None
    except OSError as error:
        raise ValueError(f"{argv[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{' '.join(argv[:3])} did not end within {seconds:g} s") from None


def run(argv, exit_codes=(0,), env=(), seconds=None):
    """What a program prints on stdout; `env` are further variables of its environment, such as a password.

    Raises ValueError, with the end of stderr, for another exit code, and where it has not ended after `seconds`.
    """
    done = completed(argv, env, seconds)
    if done.returncode not in exit_codes:
        said = last_line(done)
        raise ValueError(f"{' '.join(argv[:3])} {end_in_words(done.returncode)}: {said}")
    return done.stdout


def last_line(done):
    """The last line that a program printed, on stderr if it printed anything there; at most 300 characters."""
    return (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2][:300]


def run_json(argv, exit_codes=(0,), seconds=None):
    """What a program prints as JSON, decoded; None if it prints nothing. Raises ValueError where it is no JSON."""
    text = run(argv, exit_codes, seconds=seconds)
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        raise ValueError(f"{' '.join(argv[:3])} printed no JSON: {text[:100]!r}") from None
