# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A script or program whose exit code is its verdict."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.suite_cases import attach, plain
from scriptlets.tools.suite_programs import check_program, check_timeout, environment, program_of, stream

KEY = "suite.program_v1"


class ProgramSuite(Scriptlet):
    """Runs a program, and takes its exit code for the verdict, by a table as Automake's tests have it.

    It runs in the folder that it is in. Its output is attached. The table is that of
    https://www.gnu.org/software/automake/manual/html_node/Scripts_002dbased-Testsuites.html.
    """

    options = {
        "src": {"type": "path", "is_code": True},
        "argv": {"type": "list", "elements": "str"},
        "args": {"type": "list", "elements": "str", "default": []},
        "env": {"type": "dict", "default": {}},
        "passed": {
            "type": "list",
            "elements": "int",
            "default": [0],
            "description": "The exit codes that are passed",
        },
        "skipped": {
            "type": "list",
            "elements": "int",
            "default": [77],
            "description": "Those that are skipped; the last line of the output says why",
        },
        "error": {
            "type": "list",
            "elements": "int",
            "default": [99],
            "description": "Those that are an error",
        },
        "failed": {
            "type": "list",
            "elements": "int",
            "default": [],
            "description": "Those that are failed: without any, every other one; else every other one is an error",
        },
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = {
        "suite.program_v1": "exit_code, outcome and seconds (s)",
    }
    needs = ("the program",)
    verdicts = {
        "failed": "the exit code is one of `failed`, by default any that is in no row of the table",
        "skipped": "the exit code is one of `skipped`",
        "error": "the exit code is one of `error`, a signal killed the program, or it did not end in time",
    }
    example = """
        - name: lamp
          module: suite.program
          args: {src: /opt/vendor/lamp.sh, failed: [1, 2]}
    """

    def validate(self, ctx, params):
        check_program(params)
        check_timeout(params)
        table = [code for name in ("passed", "skipped", "error", "failed") for code in params[name]]
        twice = sorted({code for code in table if table.count(code) > 1})
        if twice:
            raise ValueError(f"exit code {twice[0]} has two meanings: name it once in passed, skipped, error, failed")

    def run(self, ctx, params):
        folder, argv = program_of(params)
        name = params["argv"][0] if params["argv"] else params["src"]
        ended = stream(
            argv,
            folder,
            params["timeout"],
            env=environment(ctx, params),
            attach=lambda path: attach(ctx, "program.log", path, "text/plain"),
        )
        ctx.measure("seconds", ended.seconds, "s")
        problem = ended.problem(name, params["timeout"])
        outcome = "error" if problem else outcome_of(ended.code, params)
        ctx.set(KEY, {"exit_code": ended.code, "outcome": outcome, "seconds": ended.seconds})
        _end(ctx, ended, outcome, problem or f"{name} {end_in_words(ended.code)}: {_said(ended)}", params)


def outcome_of(code, params):
    """What an exit code means. One that is nowhere in the table is failed, or an error where `failed` names some."""
    for outcome in ("passed", "skipped", "error", "failed"):
        if code in params[outcome]:
            return outcome
    return "error" if params["failed"] else "failed"


def _said(ended):
    return plain(ended.said) or "it printed nothing"


def _end(ctx, ended, outcome, reason, params):
    if outcome == "skipped":
        ctx.measure("exit_code", ended.code)
        raise Skipped(_said(ended))
    ctx.check("exit_code", ended.code, one_of=params["passed"])
    if outcome != "passed":
        raise {"failed": Failed, "error": ValueError}[outcome](reason)
