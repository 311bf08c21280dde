# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `rack-recipes`: options in, one call, an answer on stdout, an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer, parsed
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, UsageError

INTERRUPTED = 130
COMPLETE = "--complete"  # what the scripts of `completion` ask


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; ends the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    ours, theirs = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    try:
        answer, code = _complete(given[1:]) if given[:1] == [COMPLETE] else _call(ours, theirs)
    except RackError as error:
        sys.stderr.write(f"{error}\n")
        answer = {"status": "error", "reason": str(error), "exit_code": error.exit_code} if "--json" in ours else None
        code = error.exit_code
    except KeyboardInterrupt:
        answer, code = None, INTERRUPTED
    _print(answer)
    raise SystemExit(code)


def _call(ours: Sequence[str], theirs: Sequence[str]) -> Answer:
    call, options = parsed(ours)
    options.ansible = theirs
    try:
        return call(options)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


def _complete(words: Sequence[str]) -> Answer:
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shell.completion_candidates import candidates

    return "\n".join(candidates(words)), 0


def _print(answer: dict[str, Any] | str | None) -> None:
    """One answer in UTF-8; a file's name may hold what no encoding does."""
    if answer is None:
        return
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(f"{text.removesuffix('\n')}\n".encode(errors="backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has had enough, and Python would complain at exit
