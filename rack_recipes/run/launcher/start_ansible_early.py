# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start Ansible before its arguments are known: its import takes longer than to compile a recipe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rack_recipes.run.own_command import PYTHON
from rack_recipes.run.run_signals import HANDLE_SIGNALS, ending_blocked

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
    with ending_blocked():
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
