# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A native scriptlet inside the forked child: a program that is run as it is, or a C file, compiled once per digest."""

from __future__ import annotations

import json
import os
import signal

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.posix_spawn import spawn
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FOLDER_MODE, shared_log, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, NoReturn

LINKER = "collect2:"  # the linker's line says only that there was an error
COMPILERS = ("cc", "gcc", "clang")


def run_native(
    source: str, program: str, flags: list[str], limit: Callable[[], None], become: Callable[[str], NoReturn]
) -> NoReturn:
    """Become the program in `source`, or the one that is compiled from it. Never returns.

    A compiled one is kept at `program`. `limit` sets the step's limits before `become` replaces the process.
    """
    if not source.endswith(".c"):
        os.chmod(source, FOLDER_MODE)
        limit()
        become(source)
    try:
        if not os.path.exists(program):
            os.stat(os.path.dirname(program) or os.curdir)  # a compiler's error would be less clear
            compile_source(source, program, flags)
    except (ValueError, OSError) as error:
        write_all(1, json.dumps({"status": "error", "reason": str(error), "exit_code": 1}).encode() + b"\n")
        os._exit(1)
    limit()
    become(program)


def compile_source(source: str, program: str, flags: list[str]) -> None:
    """Compile `source` to `program`; the compiler's output goes to stderr. Raises ValueError with the reason."""
    part = f"{program}.{os.getpid()}"  # not in the working folder, where a step could have put a link of this name
    log = shared_log("rack")
    _pid, status = os.waitpid(_start_compiler(["-o", part, source, *flags], log), 0)
    os.lseek(log, 0, os.SEEK_SET)
    with open(log, "rb") as file:
        said = file.read()
    write_all(2, said)
    if status:
        raise ValueError(f"the C source does not compile: {_first_error(said)}")
    os.rename(part, program)  # whole at once: several hosts may be one machine


def _start_compiler(arguments: list[str], log: int) -> int:
    streams = {1: log, 2: log}
    for name in (os.environ.get("CC"), *COMPILERS):
        try:
            if name:
                return spawn([name, *arguments], dict(os.environ), streams, (signal.SIGPIPE,))
        except OSError:
            continue
    raise ValueError(f"no C compiler ({', '.join(COMPILERS)}) on this host")


def _first_error(said: bytes) -> str:
    lines = said.decode("utf-8", "backslashreplace").strip().splitlines() or ["the compiler says nothing"]
    telling = (line for line in lines if "undefined reference" in line or ("error" in line and LINKER not in line))
    return next(telling, lines[-1])
