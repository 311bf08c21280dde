# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A diagnostic that speaks the format of the Open Compute Project."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rack_recipes import Scriptlet, Skipped
from scriptlets.tools.ocp_stream import OcpReader
from scriptlets.tools.ocp_validators import record
from scriptlets.tools.suite_cases import ERROR, FAILED, LONGEST, SKIPPED, attach, conclude, note, plain, unique
from scriptlets.tools.suite_programs import check_program, check_timeout, environment, program_of, stream

KEY = "suite.ocp_v1"
FILES = 100  # that are attached
MEDIA_TYPE = re.compile(r"[ -~]{1,100}")


class OcpSuite(Scriptlet):
    """Runs a program that prints Open Compute diagnostics output 2.0; each diagnosis is a measurement.

    So is each step without a diagnosis, and each measurement. Units are kept, and validators are limits. Of a series
    the smallest, the largest and the last value are kept. Files are attached, and so is the output.
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
        "suite.ocp_v1": "numbers of cases by outcome, seconds (s), and up to 50 cases with messages (not_passed)",
    }
    needs = ("the program",)
    verdicts = {
        "failed": "a diagnosis or the run says FAIL, or a value is beyond a validator",
        "skipped": "the run says SKIP, or all of its steps do",
        "error": "the output is not whole, or something could not be judged (ERROR, UNKNOWN)",
    }
    example = """
        - name: memory
          module: suite.ocp
          args: {argv: [/opt/vendor/memtest, --ocp], timeout: 3600}
    """

    def validate(self, ctx, params):
        check_program(params)
        check_timeout(params)

    def run(self, ctx, params):
        folder, argv = program_of(params)
        reader = OcpReader()
        ended = stream(
            argv,
            folder,
            params["timeout"],
            env=environment(ctx, params),
            take=reader.line,
            attach=lambda path: attach(ctx, "ocp.jsonl", path, "application/jsonl"),
        )
        reader.finish()
        _attach(ctx, folder, reader.files)
        checks, problems = _measured(ctx, reader)
        name = params["argv"][0] if params["argv"] else params["src"]
        found = _wrong_end(name, ended, reader, params) or [f"{name}: {text}" for text in reader.problems]
        _end(ctx, ended, reader, [*found, *problems], checks)


def _end(ctx, ended, reader, problems, checks):
    bad = bool(checks) or any(case.outcome in (FAILED, ERROR) for case in reader.cases)
    if reader.outcome == SKIPPED and not bad and not problems:
        ctx.set(KEY, {"cases": 0, "skipped": plain(reader.skipped)})
        raise Skipped(plain(reader.skipped) or f"{reader.name} was skipped")
    if reader.outcome == FAILED and not bad:
        checks = [f"{reader.name} ended with FAIL, without a diagnosis that says why: see its log"]
    if reader.outcome == ERROR and not problems:
        problems = [f"{reader.name} ended with the status ERROR: it did not run to its end"]
    conclude(ctx, KEY, ended.seconds, reader.cases, problems, checks)


def _wrong_end(name, ended, reader, params):
    """What is wrong with how the program ended; a list of one text, or none."""
    problem = ended.problem(name, params["timeout"])
    is_bad = reader.outcome in (FAILED, ERROR) or any(case.outcome in (FAILED, ERROR) for case in reader.cases)
    if not problem and ended.code and not is_bad and not reader.problems:
        problem = f"{name} ended with exit code {ended.code}, but says that nothing is wrong: {plain(ended.said)}"
    return [problem] if problem else []


def _measured(ctx, reader):
    """Record what was measured. Returns what is beyond its validators, and which validators cannot be applied."""
    wrong, problems = [], []
    for name, measured in unique(reader.measured, lambda each: plain(each.name, LONGEST)):
        try:
            wrong += record(ctx, name, plain(measured.unit, 40), measured.values, measured.validators)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    for name, (_step, seconds) in unique(reader.times, lambda pair: plain(pair[0], LONGEST)):
        ctx.measure(f"{name}.seconds", seconds, "s")
    return wrong, problems


def _attach(ctx, folder, files):
    """Attach the files that a diagnostic names; those of other machines are named in the log only."""
    for name, (_given, uri, media_type) in unique(
        files[:FILES], lambda file: plain(file[0], 150).replace("/", "_") or "file"
    ):
        path = path_of(uri, folder)
        if path is None:
            note(f"{name} is not attached, since it is no file of this host: {plain(uri)}")
        else:
            attach(ctx, name, path, media_type if MEDIA_TYPE.fullmatch(media_type) else "")
    if len(files) > FILES:
        note(f"{len(files) - FILES} more files are not attached: {FILES} are the most that a step attaches")


def path_of(uri, folder):
    """The path of a file on this host; None where a URI names none. A relative one lies in `folder`."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost") or "\0" in unquote(parts.path):
        return None
    return Path(folder, unquote(parts.path)) if parts.path else None
