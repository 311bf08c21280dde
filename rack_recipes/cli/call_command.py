# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse the command line, call one command, print its answer, end the process with its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.argument_parser import NotWritten
from rack_recipes.cli.command_table import command_of, parse_command_line
from rack_recipes.cli.signals_and_streams import raise_keyboard_interrupt, write_stdout
from rack_recipes.errors import RackError, StoreError, UsageError, require_installed

if TYPE_CHECKING:
    from rack_recipes.cli.command_options import Answer

INTERRUPTED = 130
SHOWN = 100  # characters of a word in a message
COMPLETE = "--complete"  # the hidden command that the completion scripts call
RUN_WORDS = ["run"], ["resume"]  # programs read what these answer: a pipe gets it without --json, too


def call_command(words: Sequence[str]) -> None:
    """Run one command and end the process with its exit code. What follows `--` is passed on to ansible-playbook."""
    given = list(words)
    own, for_ansible = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    answer: dict[str, Any] | str | None
    try:
        answer, code = _complete(given[1:]) if given[:1] == [COMPLETE] else _call(own, for_ansible)
    except RackError as error:
        sys.stderr.write(f"{error}\n")
        answer = {"status": "error", "reason": str(error), "exit_code": error.exit_code} if _for_programs(own) else None
        code = error.exit_code
    except KeyboardInterrupt:
        answer, code = None, INTERRUPTED
    except SystemExit as ended:  # by --help or --version
        answer, code = None, int(ended.code or 0)
    is_for_people = isinstance(answer, dict) and own[:1] in RUN_WORDS and not _for_programs(own)
    raise SystemExit(_print(None if is_for_people else answer, code))


def _for_programs(own: Sequence[str]) -> bool:
    """Whether stdout gets one JSON object, of errors too. On a terminal the summary of a run says the same."""
    return "--json" in own or (own[:1] in RUN_WORDS and not sys.stdout.isatty())


def _call(own: Sequence[str], for_ansible: Sequence[str]) -> Answer:
    call, options = parse_command_line(own)
    options.ansible = for_ansible
    if not command_of(own).handles_signals:
        raise_keyboard_interrupt()
    try:
        with require_installed("the command cannot be run", StoreError):
            return call(options)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
    except UnicodeEncodeError as error:
        odd = next((word for word in (*own, *for_ansible) if not _is_utf8(word)), None)
        if odd is None:
            raise
        raise UsageError(f"{odd[:SHOWN]!a}: this word has bytes that are not UTF-8") from error


def _is_utf8(word: str) -> bool:
    """Whether a word of the command line was UTF-8. Only the path of a file need not be."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _complete(words: Sequence[str]) -> Answer:
    from rack_recipes.cli.shell.completion_candidates import candidates

    return "\n".join(candidates(words)), 0


def _print(answer: dict[str, object] | str | None, code: int) -> int:
    """Print the answer; returns the exit code, which also tells that this could not be done."""
    text = json.dumps(answer, ensure_ascii=False) if isinstance(answer, dict) else answer
    problem = write_stdout("" if text is None else f"{text.removesuffix('\n')}\n")
    if not problem:
        return code
    ended = ""
    if isinstance(answer, dict) and {"run_id", "status"} <= answer.keys():
        ended = f"run {answer['run_id']} {answer['status']}: "
    sys.stderr.write(f"{ended}the answer could not be written to stdout: {problem}\n")
    return code or NotWritten.exit_code
