# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for commands, files and services, on real processes, files and servers of this machine."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs/library.md"


@pytest.fixture
def command(scriptlet, rack_context):
    """A function that runs `generic.command`."""
    return lambda **params: rack_context.run(scriptlet("generic.command").CommandCheck, params)


class TestCommand:
    def test_a_command_without_a_shell(self, command, rack_context):
        assert command(argv=["printf", "%s", "$HOME; *"]).verdict == "passed"
        found = rack_context["generic.command_v1"]
        assert (found["exit_code"], found["stdout"], found["number"]) == (0, "$HOME; *", None)
        assert rack_context.measured["seconds"] == found["seconds"]

    def test_a_script_for_a_shell(self, command, rack_context):
        assert command(script="echo a | tr a b; exit 3", exit_codes=[0, 3]).verdict == "passed"
        assert rack_context["generic.command_v1"]["stdout"] == "b\n"

    def test_a_number_of_the_output(self, command, rack_context):
        params = {"argv": ["printf", "x\ntemp: 41.5 C\n"], "number": r"^temp: (?P<number>[\d.]+)", "unit": "C"}
        assert command(**params, max=60).verdict == "passed"
        assert rack_context.measured["number"] == 41.5
        assert command(**params).verdict == "passed"
        assert command(**params, min=1, max=40).reason == "printf printed 41.5 C, expected at least 1, at most 40"

    @pytest.mark.parametrize(
        ("params", "verdict", "reason"),
        [
            (
                {"script": "echo no disk >&2; exit 4"},
                "failed",
                "the script ended with exit code 4, expected 0: no disk",
            ),
            (
                {"argv": ["false"], "exit_codes": [0, 2]},
                "failed",
                "false ended with exit code 1, expected 0 or 2: it printed nothing",
            ),
            (
                {"argv": ["echo", "state: bad"], "stdout": "^state: ok$"},
                "failed",
                "echo did not print '^state: ok$': read its output in the log of this step",
            ),
            (
                {"argv": ["echo", "none"], "number": r"(?P<number>\d+)"},
                "error",
                r"number: '(?P<number>\\d+)' finds no number in what the command printed",
            ),
            (
                {"argv": ["echo", "nan"], "number": "(?P<number>nan)"},
                "error",
                "number: '(?P<number>nan)' finds no number in what the command printed",
            ),
            ({"argv": ["no-such-tool"]}, "error", "no-such-tool is not installed on this host"),
            ({"argv": ["/"]}, "error", "/ cannot be started: Permission denied"),
            ({"argv": ["sleep", "9"], "timeout": 0.05}, "error", "sleep 9 did not end within 0.05 s"),
            ({}, "error", "expected either argv, a list of words, or script, a text for /bin/sh"),
            ({"argv": ["true"], "script": "true"}, "error", "expected either argv, a list of words, or script"),
            ({"argv": ["true"], "stdout": "("}, "error", "stdout: '(' is no regular expression: missing )"),
            ({"argv": ["true"], "number": "[0-9]+"}, "error", "number: expected a group (?P<number>...) in '[0-9]+'"),
            ({"argv": ["true"], "max": 3}, "error", "min, max: a limit needs `number`"),
        ],
    )
    def test_what_is_wrong_is_said(self, command, params, verdict, reason):
        outcome = command(**params)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == (verdict, reason)

    def test_much_output_is_kept_in_part(self, command, rack_context):
        assert command(argv=[sys.executable, "-c", "print('x' * 100000)"]).verdict == "passed"
        assert len(rack_context["generic.command_v1"]["stdout"]) == 2000


class TestDigest:
    @pytest.fixture
    def digest(self, scriptlet, rack_context):
        """A function that runs `generic.digest`."""
        return lambda **params: rack_context.run(scriptlet("generic.digest").FileDigests, params)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
    def test_a_file_as_it_must_be(self, digest, rack_context, tmp_path, algorithm):
        (tmp_path / "firmware.bin").write_bytes(b"abc" * 1_000_000)
        path, expected = str(tmp_path / "firmware.bin"), hashlib.new(algorithm, b"abc" * 1_000_000).hexdigest()
        assert digest(files={path: expected.upper()}, algorithm=algorithm).verdict == "passed"
        assert rack_context["generic.digest_v1"] == {path: expected}

    def test_each_file_that_is_wrong_is_named_with_what_to_do(self, digest, tmp_path):
        (tmp_path / "changed").write_bytes(b"x")
        files = {str(tmp_path / name): "0" * 64 for name in ("changed", "absent", "")}
        outcome = digest(files=files)
        assert outcome.verdict == "failed"
        assert outcome.reason.replace(str(tmp_path), "") == (
            "/changed has another content (digest 2d711642b726b044...): compare it with the one that was released; "
            "/absent is missing: install it again;  is no ordinary file: install it again"
        )

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            ({"files": {}}, "files: expected at least one path with its digest"),
            ({"files": {"/a": "ab"}}, "files: /a: expected 64 hexadecimal digits (sha256)"),
            ({"files": {"/a": "g" * 32}, "algorithm": "md5"}, "files: /a: expected 32 hexadecimal digits (md5)"),
        ],
    )
    def test_wrong_digests_are_refused(self, digest, params, reason):
        outcome = digest(**params)
        assert (outcome.verdict, outcome.reason) == ("error", reason)


SCRIPTLETS = {"generic.command": "CommandCheck", "generic.digest": "FileDigests"}


def arguments(options: dict[str, Any]) -> str:
    """The arguments of a scriptlet as the page on the library writes them: with their defaults."""
    told = []
    for name, spec in options.items():
        default = spec.get("default")
        value = "" if default in (None, "", [], {}) else f" {json.dumps(default)}"
        told.append(f"`{name}`{value}" + " (required)" * bool(spec.get("required")))
    return ", ".join(told)


@pytest.mark.parametrize(("name", "function"), SCRIPTLETS.items())
def test_the_page_on_the_library_names_every_argument(scriptlet, name, function):
    expected = arguments(getattr(scriptlet(name), function).options)
    rows = [row.split(" | ") for row in PAGE.read_text().splitlines() if row.startswith(f"| `{name}` |")]
    assert [row[2] for row in rows] == [expected]
