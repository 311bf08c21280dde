# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a command ends and prints as it must."""

from __future__ import annotations

import math
import sys
import time

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import completed, last_line
from scriptlets.tools.limits import in_words, judge, limits
from scriptlets.tools.patterns import check_pattern, search

KEPT = 2000  # characters of stdout in the context; all of it is in the log


class CommandCheck(Scriptlet):
    """Whether a command ends and prints as it must, and a number that it prints.

    The command runs with LC_ALL=C and nothing on stdin.
    """

    options = {
        "argv": {
            "type": "list",
            "elements": "str",
            "description": "The command as a list of words; it runs without a shell",
        },
        "script": {
            "type": "str",
            "description": "In its place a text for /bin/sh; build it from no text that you do not trust",
        },
        "exit_codes": {
            "type": "list",
            "elements": "int",
            "default": [0],
            "description": "The exit codes that are right",
        },
        "stdout": {
            "type": "str",
            "description": ("A regular expression that has to be found in what it prints; `^` and `$` mean lines"),
        },
        "number": {
            "type": "str",
            "description": ("A regular expression with a group named `number`: what it finds first is measured"),
        },
        "unit": {
            "type": "str",
            "default": "",
            "description": "The unit of this number",
        },
        "min": {
            "type": "float",
            "description": "The least value of the number, in its unit",
            "unit": "that of `unit`",
        },
        "max": {
            "type": "float",
            "description": "The greatest value of the number, in its unit",
            "unit": "that of `unit`",
        },
        "timeout": {
            "type": "float",
            "default": 60,
            "description": "A command that has not ended by then is an error",
            "unit": "s",
        },
    }
    reads = ()
    writes = {"generic.command_v1": "exit_code, seconds (s), number (in `unit`) and the beginning of stdout"}
    needs = ("the command",)
    verdicts = {
        "failed": "the exit code, the text or the number is not as it must be",
        "error": "the command cannot be started, or does not end in time",
    }
    example = r"""
        - name: temperature
          module: generic.command
          args:
            argv: [sensors, -u]
            number: 'temp1_input: (?P<number>[\d.]+)'
            unit: C
            max: 80
    """

    def validate(self, ctx, params):
        if bool(params["argv"]) == bool(params["script"]):
            raise ValueError("expected either argv, a list of words, or script, a text for /bin/sh")
        if params["number"] is None and limits(params):
            raise ValueError("min, max: a limit needs `number`, the expression that finds the number")
        check_pattern("stdout", params["stdout"])
        check_pattern("number", params["number"], "number")

    def run(self, ctx, params):
        argv = params["argv"] or ["/bin/sh", "-c", params["script"]]
        started = time.monotonic()
        done = completed(argv, seconds=params["timeout"])
        seconds = round(time.monotonic() - started, 3)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        number = _number(params["number"], done.stdout)
        found = {"exit_code": done.returncode, "seconds": seconds, "number": number, "stdout": done.stdout[:KEPT]}
        ctx.set("generic.command_v1", found)
        ctx.measure("seconds", seconds, "s")
        wrong = [*_wrong_end(ctx, done, params), *_wrong_output(ctx, done, number, params)]
        if wrong:
            raise Failed(f"{params['argv'][0] if params['argv'] else 'the script'} {' and '.join(wrong)}")


def _number(pattern, text):
    """The number that a pattern finds; None where it finds none."""
    found = search("number", pattern, text) if pattern else None
    try:
        number = float(found["number"]) if found else math.nan
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _wrong_end(ctx, done, params):
    if ctx.check("exit_code", done.returncode, one_of=params["exit_codes"]) == "failed":
        wanted = " or ".join(map(str, params["exit_codes"]))
        yield f"{end_in_words(done.returncode)}, expected exit code {wanted}: {last_line(done) or 'it printed nothing'}"


def _wrong_output(ctx, done, number, params):
    pattern = params["stdout"]
    if pattern is not None:
        is_found = search("stdout", pattern, done.stdout) is not None
        if ctx.check("stdout_matches", is_found, eq=True) == "failed":
            yield f"did not print {pattern!r}: read its output in the log of this step"
    if params["number"] is None:
        return
    if number is None:
        raise ValueError(f"number: {params['number']!r} finds no number in what the command printed")
    given = limits(params)
    if judge(ctx, "number", number, params["unit"], **given) == "failed":
        yield f"printed {number:g} {params['unit']}".rstrip() + f", expected {in_words(given)}"
