# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a test suite whose tool writes its results as JUnit XML."""

from __future__ import annotations

import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from scriptlets.tools.junit_xml import cases_of
from scriptlets.tools.suite_cases import ERROR, FAILED, attach, conclude
from scriptlets.tools.suite_programs import environment, place_of, stream, tool

RESULTS = "results.xml"
DECORATION = " =!-"  # around the last line that pytest prints


@dataclass(frozen=True)
class XmlTool:
    """A tool: the name of its program, that of its Python module, and what to install.

    `options` are its own ones; `{made}` in them is the folder for what it writes. `failing` are the exit codes with
    which it ends where a case failed. `exit_codes` says what other ones mean. `attached` are its files: name, media
    type.
    """

    name: str
    module: str
    advice: str
    options: tuple[str, ...]
    failing: range
    exit_codes: dict[int, str]
    attached: dict[str, str] = field(default_factory=dict)


def run_suite(ctx, params, key, kind):
    """Run the suite `src`, and judge its cases. Raises what `conclude` raises, and ValueError where it cannot run."""
    folder, name = place_of(params["src"])
    words = tool(params[kind.name], kind.name, kind.module, kind.advice)
    with tempfile.TemporaryDirectory() as made:
        options = [word.replace("{made}", made) for word in kind.options]
        ended = stream(
            [*words, *options, *params["args"], name],
            folder,
            params["timeout"],
            env=environment(ctx, params),
            polite=signal.SIGINT,  # it then writes the results that it has
            attach=lambda path: attach(ctx, f"{kind.name}.log", path, "text/plain"),
        )
        cases, wrong = _read(kind, Path(made, RESULTS))
        for file, media_type in {RESULTS: "text/xml", **kind.attached}.items():
            if Path(made, file).is_file():
                attach(ctx, file, Path(made, file), media_type)
    problem = ended.problem(kind.name, params["timeout"]) or _contradiction(kind, ended, cases)
    conclude(ctx, key, ended.seconds, cases, [text for text in (problem or wrong,) if text])


def _read(kind, path):
    """The cases, and what is wrong with the file that has them."""
    try:
        return cases_of(path), ""
    except ValueError as error:
        return [], f"{kind.name}: {error}"


def _contradiction(kind, ended, cases):
    """What keeps the results from being whole: exit code and cases have to tell the same."""
    bad = any(case.outcome in (FAILED, ERROR) for case in cases)
    said = "" if bad else f": {ended.said.strip(DECORATION)}"
    if ended.code and ended.code not in kind.failing:
        told = kind.exit_codes.get(ended.code) or f"ended with exit code {ended.code}"
        return f"{kind.name} {told}{said}"
    if cases and bad != bool(ended.code):
        return f"{kind.name} ended with exit code {ended.code}, but {'a' if bad else 'no'} case failed{said}"
    return ""
