# SPDX-License-Identifier: GPL-3.0-or-later

"""The world that tests run in: the same, whoever starts them and from where.

Signals, umask, limits, locale, time zone, environment and home folder of a shell reach every process that a test
starts. So they are set here, before the tests are imported. Python 3.9 reads this file, too.
"""

from __future__ import annotations

import locale
import os
import resource
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

# What is kept of the environment: where programs, packages and certificates are, and what the tests themselves read.
KEPT = ("PATH", "HOME", "TMPDIR", "PYENV_ROOT", "RACK_PYTHONS", "RACK_SOAK")
KEPT_BEGIN = ("PIP_", "PYTEST_XDIST", "COVERAGE_", "PLAYWRIGHT_", "SSL_CERT_")
SET = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm-256color"}
# Python ignores these two itself, and lets them be heard in what it starts.
OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
MIB = 1024 * 1024
LIMITS = {
    resource.RLIMIT_NOFILE: 1024,  # what Linux gives
    resource.RLIMIT_STACK: 8 * MIB,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NPROC: resource.RLIM_INFINITY,
    resource.RLIMIT_FSIZE: resource.RLIM_INFINITY,
    resource.RLIMIT_CPU: resource.RLIM_INFINITY,
    resource.RLIMIT_AS: resource.RLIM_INFINITY,
    resource.RLIMIT_DATA: resource.RLIM_INFINITY,
}


def set_process() -> None:
    """Set the signals, the umask and the limits of this process, as far as the hard limits let it."""
    _hear_signals()
    os.umask(0o022)
    for what, wanted in LIMITS.items():
        _soft, hard = resource.getrlimit(what)
        resource.setrlimit(what, (_smaller(wanted, hard), hard))


def set_environment() -> None:
    """Set the environment, the locale and the time zone. What nobody has chosen for the tests is gone."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_BEGIN)}
    os.environ.clear()
    os.environ.update({**kept, **SET})
    sys.dont_write_bytecode = False
    locale.setlocale(locale.LC_CTYPE, SET["LC_ALL"])
    time.tzset()


def set_home(home: Path) -> None:
    """Make an existing folder the home. What the other one has for pyenv and pip is still used."""
    before = Path.home()
    found = {
        "PYENV_ROOT": before / ".pyenv",
        "PIP_CONFIG_FILE": before / ".config/pip/pip.conf",
        "PIP_CACHE_DIR": before / ".cache/pip",
    }
    for name, path in found.items():
        if os.access(path, os.R_OK if path.is_file() else os.W_OK):
            os.environ.setdefault(name, str(path))
    os.environ["HOME"] = str(home)


def enter_environment() -> Path:
    """Set the environment with an empty home for the time of the tests; who calls this removes it."""
    set_environment()
    home = Path(tempfile.mkdtemp(prefix="rack-home-"))
    set_home(home)
    return home


def _hear_signals() -> None:
    """Undo what nohup and a shell that starts a job in the background have ignored.

    The tests themselves survive the end of their terminal: by a session of their own, or else they alone.
    """
    survives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    for number in signal.valid_signals() - OF_PYTHON:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if survives:
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)
        with suppress(PermissionError):
            os.setsid()


def _smaller(one: int, other: int) -> int:
    limited = [each for each in (one, other) if each != resource.RLIM_INFINITY]
    return min(limited, default=resource.RLIM_INFINITY)
