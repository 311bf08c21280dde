# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret is given to the step that needs it, and is in no record, environment or command line."""

from __future__ import annotations

import json
import sys

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.staging import OK, python

SECRET = "hunter2"
GIVEN = {"params": {"password": SECRET, "pin": 12345}, "secrets": [SECRET, "12345"]}
ARGS = {"word": "${params.password}", "url": "http://me:${params.password}@host", "pin": "${params.pin}", "user": "me"}
TELL = f"""#!{sys.executable}
import json, os, sys
given = json.loads(sys.stdin.read())
open("stdin", "w").write(json.dumps(given["params"]))
open("environ", "w").write(open("/proc/self/environ").read())
open("cmdline", "w").write(open("/proc/self/cmdline").read())
word = given["params"]["word"]
print("logging in with", word)
sys.stderr.write("the word is " + word)
print(json.dumps({{"status": "failed", "reason": "no " + word, "outputs": {{"a_v1": {{word: [word, 12345]}}}},
                   "measurements": [{{"name": word, "value": word, "unit": word}}],
                   "checks": [{{"name": "pin", "value": 12345, "eq": 1}}]}}))
"""


class Leak(Scriptlet):
    def run(self, ctx, params):
        print(params["word"])
        raise Failed("x" * 3990 + params["word"] + "y" * 100)


def leaks(ran):
    """Where the records of a stage show a secret."""
    return [record for record in ran.records if SECRET in json.dumps(record) or "12345" in json.dumps(record)]


def test_a_script_has_it_on_stdin_alone(work):
    ran = work.run(work.script(TELL, args=ARGS), **GIVEN)
    assert json.loads((work.folder / "stdin").read_text())["word"] == SECRET
    environment = (work.folder / "environ").read_text()
    assert "RACK_PARAM_USER=me" in environment
    for name in ("environ", "cmdline"):
        assert SECRET not in (work.folder / name).read_text()
    assert "12345" not in environment
    assert leaks(ran) == []
    assert ran.outcome == ("failed", "no ********")
    assert ran.attempt["stdout"].startswith("logging in with ********\n")
    assert ran.attempt["stderr"] == "the word is ********"
    assert ran.deltas[0]["after"] == {"********": ["********", "********"]}
    masked, check = ran.only["measurements"]
    assert masked == {"name": "********", "value": "********", "unit": "********"}
    assert check == {
        "name": "pin",
        "value": "********",
        "unit": "",
        "limits": {"eq": 1},
        "distance": -12344,
        "verdict": "failed",
    }


def test_the_steps_that_follow_have_the_value(work):
    put = work.script('echo \'{"status": "ok", "outputs": {"word_v1": "hunter2"}}\'', "put")
    ran = work.run(put, work.script('[ "$(grep -c hunter2)" = 1 ] && ' + OK, "use"), **GIVEN)
    assert ran.verdicts == {"put": "passed", "use": "passed"}
    assert leaks(ran) == []


def test_a_reason_is_masked_before_it_is_shortened(work):
    ran = work.run(python(Leak, args={"word": "${params.password}"}), **GIVEN)
    assert leaks(ran) == []
    assert "hunt" not in ran.only["reason"]
    assert ran.only["reason"].endswith("*...") or ran.only["reason"].endswith("...")


@pytest.mark.parametrize("before", range(9_990, 10_003))
def test_output_is_masked_before_it_is_shortened(work, before):
    text = f"#!{sys.executable}\nprint('x' * {before} + 'hunter2' + 'x' * 100_000 + 'hunter2' + 'x' * {before - 1})\n"
    ran = work.run(work.script(text), **GIVEN)
    shown = ran.attempt["stdout"]
    assert not any(part in shown for part in ("hunt", "ter2", "nter"))
    assert "bytes left out" in shown
    assert not any(part in ran.only["reason"] for part in ("hunt", "ter2", "nter"))


def test_what_is_printed_instead_of_an_envelope_is_masked_before_it_is_shortened(work):
    for after in range(394, 402):
        text = f"#!{sys.executable}\nprint('x' * 1000 + 'hunter2' + 'y' * {after})\n"
        reason = work.run(work.script(text), **GIVEN).only["reason"]
        assert not any(part in reason for part in ("hunt", "ter2", "2yy")), after


@pytest.mark.parametrize(
    ("options", "args"),
    [
        ({"word": {"type": "int"}}, {"word": "${params.password}"}),
        ({"word": {"choices": ["a"]}}, {"word": "${params.password}"}),
        ({}, {"hunter2": 1}),
        (None, {"word": "${params.password.x}"}),
        (None, {"word": "${params.hunter2}"}),
    ],
)
def test_an_argument_that_is_refused_is_masked(work, options, args):
    ran = work.run(work.script(OK, args=args, options=options), **GIVEN)
    assert ran.only["verdict"] == "error"
    assert leaks(ran) == []


def test_hooks_have_no_secret_in_their_reasons(work):
    hook = work.script('echo \'{"status": "failed", "reason": "no hunter2"}\'', "hook")
    refused = work.script(OK, "refused", args={"n": "${params.password}"}, options={"n": {"type": "int"}})
    ran = work.run(work.script(OK), hooks={"pre_step": [hook, refused]}, **GIVEN)
    assert leaks(ran) == []
    assert ran.only["hooks"][0]["reason"] == "no ********"
    assert len(ran.only["hooks"]) == 2


def test_logs_have_no_secret(work):
    steps = [
        work.script(TELL, args=ARGS, options={name: {"no_log": name == "user"} for name in ARGS}),
        work.script('echo \'{"status": "ok", "outputs": {"a_v1": "hunter2 again"}}\'', "again"),
    ]
    ran = work.run(*steps, debug=True, **GIVEN)
    assert leaks(ran) == []
    logs = [record["text"] for record in ran.records if record["kind"] == "log"]
    assert '"user": "********"' in logs[0]
    assert any("a_v1 by again: " in text for text in logs)


def test_who_reads_one_line_of_its_input_is_told_of_like_any_other(work):
    reads = """read -r given
echo "given $given" >&2
printf '{"status": "ok", "outputs": {"n_v1": %s}}\\n' "$(printf %s "$given" | grep -c hunter2)"
"""
    steps = [work.script(reads, name, args={"word": "${params.password}"}) for name in ("a", "b")]
    ran = work.run(*steps, debug=True, **GIVEN)
    assert ran.verdicts == {"a": "passed", "b": "passed"}
    assert [delta["after"] for delta in ran.deltas] == [1]
    assert leaks(ran) == []
    assert "********" in ran.steps["a"]["attempts"][0]["stderr"]


def test_without_secrets_nothing_is_masked(work):
    assert work.run(work.script("echo hunter2; " + OK)).attempt["stdout"].startswith("hunter2\n")
