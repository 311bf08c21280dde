# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A diagnostic that speaks the format of the Open Compute Project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rack_recipes import Scriptlet, Skipped
from scriptlets.tools.ocp_stream import OcpReader
from scriptlets.tools.ocp_validators import record
from scriptlets.tools.suite_cases import ERROR, FAILED, LONGEST, SKIPPED, Case, attach, conclude, note, plain, unique
from scriptlets.tools.suite_programs import (
    LONGEST_LINE,
    check_program,
    check_timeout,
    environment,
    program_of,
    stream,
)

KEY = "suite.ocp_v1"
LARGEST_CODES = 4 << 20  # bytes
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
        "output": {
            "type": "str",
            "description": "The file that the program writes its results into, instead of printing them, as a pattern: "
            "out/ocptv_*.json. One that was there before does not count",
        },
        "codes": {
            "type": "str",
            "description": "A JSON file that it writes, as a pattern, whose keys are codes of faults that it found, as "
            "CPACT does: each is a failed case, whatever the diagnoses say, and a step with a warning is an error",
        },
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = {
        "suite.ocp_v1": "numbers of cases by outcome, seconds (s), and up to 50 cases with messages (not_passed)",
    }
    needs = ("the program",)
    verdicts = {
        "failed": "a diagnosis or the run says FAIL, a value is beyond a validator, or a code of a fault was found",
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
        for name in ("output", "codes"):
            if params[name] and (Path(params[name]).is_absolute() or ".." in Path(params[name]).parts):
                raise ValueError(f"{name}: expected a pattern below the folder in which the program runs")

    def run(self, ctx, params):
        folder, argv = program_of(params)
        reader = OcpReader()
        patterns = {name: params[name] for name in ("output", "codes") if params[name]}
        before = {name: _files(folder, pattern) for name, pattern in patterns.items()}
        ended = stream(
            argv,
            folder,
            params["timeout"],
            env=environment(ctx, params),
            take=None if params["output"] else reader.line,
            attach=lambda path: _attach_printed(ctx, path, params),
        )
        written = {name: _files(folder, pattern) - before[name] for name, pattern in patterns.items()}
        if "output" in written:
            _read_output(ctx, reader, written["output"], params["output"])
        reader.finish()
        if "codes" in written:
            _read_codes(reader, written["codes"], params["codes"])
        _attach(ctx, folder, reader.files)
        checks, problems = _measured(ctx, reader)
        name = params["argv"][0] if params["argv"] else params["src"]
        found = _wrong_end(name, ended, reader, params) or [f"{name}: {text}" for text in reader.problems]
        _end(ctx, ended, reader, [*found, *problems], checks)


def _files(folder, pattern):
    """The files that a pattern in a folder means."""
    return {*Path(folder).glob(pattern)}


def _attach_printed(ctx, path, params):
    name = ("printed.txt", "text/plain") if params["output"] else ("ocp.jsonl", "application/jsonl")
    attach(ctx, name[0], path, name[1])


def _only(reader, found, pattern):
    """The one file that was written; None where there is none or several, which is a problem."""
    if len(found) == 1:
        return next(iter(found))
    several = f"it wrote {len(found)} files {pattern}, and one holds the results of one run"
    reader.problems.append(several if found else f"it wrote no file {pattern}")
    return None


def _read_output(ctx, reader, found, pattern):
    path = _only(reader, found, pattern)
    if path:
        attach(ctx, "ocp.jsonl", path, "application/jsonl")
        with path.open(encoding="utf-8", errors="backslashreplace") as file:
            while line := file.readline(LONGEST_LINE):
                reader.line(line.rstrip("\r\n"))


def _read_codes(reader, found, pattern):
    """Each code that was found is a failed case, and each warning one that could not be judged.

    CPACT finds faults, or cannot do a step, and says all the same that it passed.
    """
    path = _only(reader, found, pattern)
    if not path:
        return
    try:
        codes = json.loads(path.read_bytes()[:LARGEST_CODES])
    except ValueError:
        codes = None
    if not isinstance(codes, dict):
        reader.problems.append(f"{path.name} is no JSON object with codes")
        return
    reader.cases += [Case(f"{step}: warning", ERROR, None, text) for step, text in reader.warnings]
    reader.cases += [Case(f"code {code}", FAILED, None, f"found: {json.dumps(why)}") for code, why in codes.items()]


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
