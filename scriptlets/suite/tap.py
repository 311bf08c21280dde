# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that speaks the Test Anything Protocol."""

from __future__ import annotations

from rack_recipes import Scriptlet, Skipped
from scriptlets.tools.suite_cases import ERROR, FAILED, attach, conclude, plain
from scriptlets.tools.suite_programs import check_program, check_timeout, environment, program_of, stream
from scriptlets.tools.tap import TapReader

KEY = "suite.tap_v1"


class TapSuite(Scriptlet):
    """Runs a program that prints TAP 12, 13 or 14 on stdout; each test point is a measurement.

    A point of TODO that fails, and one with SKIP, count as skipped. The program runs in the folder that it is in. Its
    output is attached.
    """

    options = {
        "src": {"type": "path", "is_code": True},
        "argv": {"type": "list", "elements": "str"},
        "args": {"type": "list", "elements": "str", "default": []},
        "env": {"type": "dict", "default": {}},
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = {
        "suite.tap_v1": "numbers of cases by outcome, seconds (s), and up to 50 cases with messages (not_passed)",
    }
    needs = ("the program",)
    verdicts = {
        "failed": "a test point failed",
        "skipped": "all points were skipped, or the plan is 1..0",
        "error": "the plan is missing or not fulfilled, the program gave up, or its exit code contradicts its points",
    }
    example = """
        - name: fans
          module: suite.tap
          args: {argv: [bats, --tap, /opt/fans/checks.bats]}
    """

    def validate(self, ctx, params):
        check_program(params)
        check_timeout(params)

    def run(self, ctx, params):
        folder, argv = program_of(params)
        reader = TapReader()
        ended = stream(
            argv,
            folder,
            params["timeout"],
            env=environment(ctx, params),
            take=reader.line,
            attach=lambda path: attach(ctx, "tap.log", path, "text/plain"),
        )
        reader.finish()
        name = params["argv"][0] if params["argv"] else params["src"]
        problems = [*_wrong_end(name, ended, reader, params), *(f"{name}: {text}" for text in reader.problems)]
        if reader.skipped and not problems and not reader.cases:
            ctx.set(KEY, {"cases": 0, "skipped": plain(reader.skipped)})
            raise Skipped(plain(reader.skipped))
        conclude(ctx, KEY, ended.seconds, reader.cases, problems)


def _wrong_end(name, ended, reader, params):
    """What is wrong with how the program ended."""
    problem = ended.problem(name, params["timeout"])
    if problem:
        yield problem
    elif ended.code and not reader.problems and not any(case.outcome in (FAILED, ERROR) for case in reader.cases):
        yield f"{name} ended with exit code {ended.code}, but no case failed: {plain(ended.said)}"
