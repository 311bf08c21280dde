# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `rack-recipes`: options in, one call, an answer on stdout, an exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.version import VERSION

EXIT_CODES = """\
exit codes:
  0  passed          1  a step did not pass     2  the recipe or the command is wrong, or nothing matched
  3  unreachable     5  results not stored (the message says where they are safe)
"""
# A command's module is imported when it is called: pandas and SQLAlchemy are slow to import.
COMMANDS = {
    "run": "run",
    "watch": "run",
    "plan": "recipe",
    "compile": "recipe",
    "validate": "recipe",
    "scriptlets": "recipe",
    "runs": "results",
    "show": "results",
    "report": "results",
    "flush": "results",
}

INTERRUPTED = 130

Answer = tuple[dict[str, Any] | str | None, int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; ends the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    ours, theirs = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    try:
        answer, code = _call(ours, theirs)
    except RackError as error:
        sys.stderr.write(f"{error}\n")
        answer = {"status": "error", "reason": str(error), "exit_code": error.exit_code} if "--json" in ours else None
        code = error.exit_code
    except KeyboardInterrupt:
        answer, code = None, INTERRUPTED
    _print(answer)
    raise SystemExit(code)


def _call(ours: Sequence[str], theirs: Sequence[str]) -> Answer:
    options = parser().parse_args(ours)
    options.ansible = theirs
    module = import_module(f"ansible_collections.rack.recipes.plugins.plugin_utils.cli.{COMMANDS[options.command]}")
    call: Callable[[argparse.Namespace], Answer] = getattr(module, options.command.replace("-", "_"))
    try:
        return call(options)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


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


class Parser(argparse.ArgumentParser):
    """Its errors are as any other."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{self.format_usage()}{self.prog}: {message}")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = Parser(
        allow_abbrev=False,
        prog="rack-recipes",
        description="Run test recipes on racks: compiled into a playbook, recorded, reported.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"rack-recipes {VERSION}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, add in ADD.items():
        command = commands.add_parser(name, help=add.__doc__, description=add.__doc__, allow_abbrev=False)
        command.add_argument("--json", action="store_true", help="only JSON, on stdout; errors too")
        add(command)
    return whole


def _add_run(command: argparse.ArgumentParser) -> None:
    """compile a recipe and run it; prints one JSON object"""
    command.add_argument("recipe", help="path of the recipe")
    command.add_argument("-i", "--inventory", action="append", default=[], help="inventory; without one: this machine")
    command.add_argument("-l", "--limit", help="only these hosts of the inventory")
    command.add_argument("-e", "--extra-vars", action="append", default=[], help="variables for Ansible")
    command.add_argument(
        "-f", "--forks", type=int, help="how many hosts at once (default: as many as there are, 64 at most)"
    )
    command.add_argument("--db", help="URL of the store, for this run")
    command.add_argument("--report", action="store_true", help="write the report, too")
    command.add_argument("--dry-run", action="store_true", help="show the plan, run nothing")
    command.add_argument("-v", "--verbose", action="count", default=0, help="show Ansible's output; twice: more of it")
    command.epilog = "Arguments after -- go to ansible-playbook."


def _add_watch(command: argparse.ArgumentParser) -> None:
    """show the progress of a run, from anywhere"""
    _add_run_id(command)


def _add_plan(command: argparse.ArgumentParser) -> None:
    """show the stages, steps, hosts, reads and writes of a recipe; runs nothing"""
    command.add_argument("recipe", help="path of the recipe")
    command.add_argument(
        "--format", choices=("tree", "json", "dot", "mermaid"), default="tree", help="how to show it (default: tree)"
    )


def _add_compile(command: argparse.ArgumentParser) -> None:
    """print the playbook of a recipe"""
    command.add_argument("recipe", help="path of the recipe")


def _add_validate(command: argparse.ArgumentParser) -> None:
    """check recipes; prints every problem with file, line and column"""
    command.add_argument("recipes", nargs="+", help="paths of recipes")


def _add_scriptlets(command: argparse.ArgumentParser) -> None:
    """list the scriptlets that recipes here can use, with their arguments and where they came from"""


def _add_runs(command: argparse.ArgumentParser) -> None:
    """list the runs in the store, the newest first"""
    command.add_argument("-n", "--number", type=int, default=20, help="how many (default: 20)")
    command.add_argument("--db", help="URL of the store")


def _add_show(command: argparse.ArgumentParser) -> None:
    """show a run: verdicts by host and step, what did not pass first"""
    _add_run_id(command)
    command.add_argument("--db", help="URL of the store")


def _add_report(command: argparse.ArgumentParser) -> None:
    """write the report of a run; prints the paths"""
    _add_run_id(command)
    command.add_argument(
        "--format", action="append", choices=("html", "xlsx", "csv", "md"), help="only this format (may be repeated)"
    )
    command.add_argument("--to", help="folder of the report (default: report/ in the run's folder)")
    command.add_argument("--db", help="URL of the store")


def _add_flush(command: argparse.ArgumentParser) -> None:
    """bring what a run left in its journal into the store, once, whatever is there"""
    _add_run_id(command)
    command.add_argument("--db", help="URL of the store")


def _add_run_id(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", nargs="?", default="", help="id of the run, or its beginning (default: the newest)")


ADD: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "run": _add_run,
    "watch": _add_watch,
    "plan": _add_plan,
    "compile": _add_compile,
    "validate": _add_validate,
    "scriptlets": _add_scriptlets,
    "runs": _add_runs,
    "show": _add_show,
    "report": _add_report,
    "flush": _add_flush,
}
