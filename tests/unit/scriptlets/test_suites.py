# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets that run other people's tests, with real tools: pytest, Robot Framework, Perl's Test::More, ocptv."""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

CAPTURED = Path(__file__).with_name("captured")
PYTEST = [sys.executable, "-m", "pytest"]
ROBOT = [sys.executable, "-m", "robot"]
DIAGNOSTIC = """\
import sys
import ocptv.output as tv

run = tv.TestRun(name="fan test", version="1.0")
dut = tv.Dut("dut0")
fan = dut.add_hardware_info("fan 1")
with run.scope(dut=dut):
    step = run.add_step("spin")
    with step.scope():
        speed = int(sys.argv[1])
        limit = tv.Validator(type=tv.ValidatorType.GREATER_THAN, value=4000)
        step.add_measurement(name="speed", value=speed, unit="rpm", hardware_info=fan, validators=[limit])
        quiet = tv.Validator(type=tv.ValidatorType.LESS_THAN_OR_EQUAL, value=70)
        series = step.start_measurement_series(name="noise", unit="dB", validators=[quiet])
        with series.scope():
            for value in (60, 65.5, 61):
                series.add_measurement(value=value)
        step.add_diagnosis(tv.DiagnosisType.PASS, verdict="fan-good", hardware_info=fan)
        step.add_file(name="fan/log.txt", uri="fan.txt")
        step.add_file(name="far.txt", uri="https://example.net/far.txt")
"""


@pytest.fixture
def suite(scriptlet, rack_context, tmp_path, monkeypatch):
    """A function that runs a scriptlet on a file of this text, as the stage's folder has it."""
    monkeypatch.chdir(tmp_path)

    def run(kind, text="", file="checks/suite", **params):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        if text:
            Path(file).write_text(text)
            params = {"src": file, **params}
        name = {"pytest": "PytestSuite", "robot": "RobotSuite", "tap": "TapSuite", "ocp": "OcpSuite"}.get(
            kind, "ProgramSuite"
        )
        return rack_context.run(getattr(scriptlet(f"suite.{kind}"), name), params)

    return run


@pytest.fixture
def run_pytest(suite, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # it begins in half of the time
    return functools.partial(suite, "pytest", file="checks/test_fans.py", pytest=PYTEST)


@pytest.fixture
def run_robot(suite):
    return functools.partial(suite, "robot", file="checks/fans.robot", robot=ROBOT)


class TestCapturedResults:
    @pytest.mark.parametrize("version", ["7.2.1", "9.2.0"])
    def test_of_pytest(self, scriptlet, version):
        cases = scriptlet("tools.junit_xml").cases_of(CAPTURED / f"pytest-{version}-results.xml")
        assert {case.name: f"{case.outcome}: {case.message}" for case in cases} == {
            "test_burn.TestFan::test_turns[1]": "passed: ",
            "test_burn.TestFan::test_turns[2]": "passed: ",
            "test_burn::test_too_hot": "failed: assert 95 < 90",
            "test_burn::test_power": 'error: failed on setup with "OSError: no answer from the BMC"',
            "test_burn::test_log": 'error: failed on teardown with "OSError: the log could not be closed"',
            "test_burn::test_gpu": "skipped: no GPU here",
            "test_burn::test_known": "skipped: known: firmware 1.2",
        }
        assert cases[0].values == (("speed", 5001.0, ""), ("place", "front", ""))
        assert all(case.seconds >= 0 for case in cases)

    @pytest.mark.parametrize("version", ["4.1.3", "7.5"])
    def test_of_robot(self, scriptlet, version):
        cases = scriptlet("tools.junit_xml").cases_of(CAPTURED / f"robot-{version}-results.xml")
        assert {case.name: f"{case.outcome}: {case.message}" for case in cases} == {
            "Burn::Fan Turns": "passed: ",
            "Burn::Fan Is Fast": "failed: the fan is slow: 4000 != 5000",
            "Burn::No Such Hardware": "skipped: no GPU here",
        }

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "its results are no whole XML: no element found"),
            (b"<testsuite><testcase name='a'/>", "its results are no whole XML: no element found"),
            (b"<testsuite>\xff\x00</testsuite>", "its results are no whole XML: not well-formed"),
            (b'<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "it has a document type"),
            (b"<testsuite>" + b"<testcase/>" * 6 + b"</testsuite>", "it has more than 5 cases"),
        ],
    )
    def test_hostile_files(self, scriptlet, monkeypatch, tmp_path, content, reason):
        junit_xml = scriptlet("tools.junit_xml")
        monkeypatch.setattr(junit_xml, "MOST", 5)
        (tmp_path / "results.xml").write_bytes(content)
        with pytest.raises(ValueError) as caught:
            junit_xml.cases_of(tmp_path / "results.xml")
        assert str(caught.value).startswith(reason)

    def test_odd_values(self, scriptlet, tmp_path):
        properties = '<properties><property name="n" value="1e999"/><property/></properties>'
        odd = f'<testcase name="a" time="nan">{properties}</testcase>'
        (tmp_path / "results.xml").write_text(f"<testsuite>{odd}<testcase name='b' time='-1'/></testsuite>")
        one, two = scriptlet("tools.junit_xml").cases_of(tmp_path / "results.xml")
        assert (one.seconds, one.values, two.name, two.seconds) == (None, (("n", "1e999", ""),), "b", None)


class TestPytest:
    def test_a_file_whose_tests_pass(self, run_pytest, rack_context):
        text = "def test_fan(record_property):\n    record_property('speed', 5001)\n"
        assert run_pytest(text).verdict == "passed"
        assert rack_context.checked == {"test_fans::test_fan": "passed"}
        assert rack_context.measured["test_fans::test_fan.speed"] == 5001
        assert rack_context.measured["cases"] == rack_context.measured["cases.passed"] == 1
        assert {"pytest.log", "results.xml"} == rack_context.attached.keys()
        assert rack_context["suite.pytest_v1"]["not_passed"] == []
        assert sorted(path.name for path in Path("checks").iterdir()) == ["test_fans.py"]

    def test_a_folder_with_a_test_that_fails(self, run_pytest, rack_context):
        Path("checks").mkdir()
        Path("checks/test_heat.py").write_text(
            "import pytest\n@pytest.mark.skip(reason='no GPU')\ndef test_gpu(): pass\n"
        )
        outcome = run_pytest("def test_fan():\n    assert 3 > 4, 'it stands'\ndef test_b(): pass\n", src="checks/")
        assert outcome.verdict == "failed"
        assert (
            outcome.reason
            == "1 of 3 cases did not pass: test_fans::test_fan failed: AssertionError: it stands assert 3 > 4"
        )
        assert rack_context.checked == {"test_fans::test_fan": "failed", "test_fans::test_b": "passed"}
        assert rack_context.measured["test_heat::test_gpu"] == "skipped: no GPU"

    @table("text", "verdict", "reason")
    def test_what_is_not_passed(self, run_pytest, text, verdict, reason):
        outcome = run_pytest(text)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == (verdict, reason)

    def test_tests_that_its_arguments_leave_out_are_told(self, run_pytest):
        reason = run_pytest("def test_a(): pass\n", args=["-k", "other"]).reason
        assert reason.startswith("pytest ran no test: `args` left all out, or ")
        assert ": 1 deselected in " in reason

    def test_a_test_that_hangs_ends_with_the_results_so_far(self, run_pytest, rack_context):
        text = "import time\ndef test_a(): pass\ndef test_b(): time.sleep(900)\n"
        for seconds in (2, 10, 60, 300):  # a busy machine may need most of them until the first test runs
            outcome = run_pytest(text, timeout=seconds)
            assert outcome.verdict == "error"
            said = f"pytest did not end within {seconds} s: see its last lines in the log, or raise `timeout`"
            assert outcome.reason.startswith(said)
            if rack_context.checked:
                break
        assert rack_context.checked == {"test_fans::test_a": "passed", "a case without a name": "failed"}

    def test_wrong_arguments(self, run_pytest):
        assert run_pytest("def test_a(): pass\n", args=["--no-such"]).reason.startswith(
            "pytest was called wrongly, look at `args`: "
        )
        assert run_pytest(src="nowhere").reason.startswith("src: there is no file nowhere on this host")
        assert run_pytest("x", timeout=0).reason == "timeout: expected a number of seconds above 0, got 0"


class TestRobot:
    def test_a_suite(self, run_robot, rack_context):
        tests = "Turns\n    No Operation\nIs Fast\n    Should Be Equal    1    2    slow\nGPU\n    Skip    no GPU\n"
        outcome = run_robot(f"*** Test Cases ***\n{tests}")
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            "1 of 3 cases did not pass: Fans::Is Fast failed: slow: 1 != 2",
        )
        assert rack_context.checked == {"Fans::Is Fast": "failed", "Fans::Turns": "passed"}
        assert {"robot.log", "results.xml", "output.xml", "log.html"} == rack_context.attached.keys()
        assert [path.name for path in Path("checks").iterdir()] == ["fans.robot"]

    def test_a_suite_without_a_test_is_an_error(self, run_robot):
        outcome = run_robot("*** Keywords ***\nTurns\n    No Operation\n")
        assert (outcome.verdict, outcome.reason[:52]) == (
            "error",
            "robot was called wrongly, or found no test: Try --he",
        )


@pytest.mark.parametrize(("kind", "package"), [("pytest", "python3-pytest"), ("robot", "robotframework")])
def test_a_tool_that_is_missing_is_named_with_what_to_install(suite, scriptlet, monkeypatch, kind, package):
    programs = scriptlet("tools.suite_programs")
    monkeypatch.setattr(programs.shutil, "which", lambda _name, **_path: None)
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _name: None)
    outcome = suite(kind, "x = 1\n", file="test_a.py")
    assert outcome.verdict == "error"
    assert outcome.reason.startswith(f"{kind} is not installed on this host: install the ")
    assert package in outcome.reason
    assert outcome.reason.endswith(f"or name it in `{kind}`, such as [/opt/venv/bin/{kind}]")


class TestTap:
    def test_perl(self, suite, rack_context):
        text = """#!/usr/bin/perl
            use Test::More;
            ok(1, 'first # one');
            subtest 'inner' => sub { plan tests => 2; ok(1, 'a'); ok(0, 'b'); };
            TODO: { local $TODO = 'later'; ok(0, 'second'); }
            SKIP: { skip 'no hardware', 2; }
            is('slow', 'fast', 'third');
            done_testing;
        """
        outcome = suite("tap", text)
        assert outcome.verdict == "failed"
        assert outcome.reason == "2 of 7 cases did not pass: inner / b failed; third failed"
        assert rack_context.checked == {
            "inner / b": "failed",
            "third": "failed",
            "first # one": "passed",
            "inner / a": "passed",
        }
        assert rack_context.measured["second"] == "skipped: TODO later"
        assert rack_context.measured["cases.skipped"] == 3
        assert rack_context.attached.keys() == {"tap.log"}

    def test_bats(self, suite, rack_context):
        text = '#!/usr/bin/env bats\n@test "turns" { true; }\n@test "is fast" { echo 4000 rpm; false; }\n'
        outcome = suite("tap", text, file="checks/fans.bats")
        assert outcome.reason.startswith("1 of 2 cases did not pass: is fast failed: (in test file fans.bats, line 3)")
        assert outcome.reason.endswith("4000 rpm")
        assert rack_context.checked == {"is fast": "failed", "turns": "passed"}

    @table("text", "verdict", "reason")
    def test_how_it_ends(self, suite, text, verdict, reason):
        outcome = suite("tap", f"{text}\n")
        assert (outcome.verdict, outcome.reason) == (verdict, reason)

    def test_output_that_is_no_text_and_a_line_without_an_end(self, suite, rack_context):
        outcome = suite("tap", r"printf '1..2\nok 1 - \377\033[31m\000x\nnot ok 2 - half'" + "\n")
        assert (outcome.verdict, outcome.reason) == ("failed", "1 of 2 cases did not pass: half failed")
        assert rack_context.checked == {r"\xff x": "passed", "half": "failed"}

    def test_much_output_is_kept_in_part_and_read_whole(self, suite, rack_context, scriptlet, monkeypatch):
        monkeypatch.setattr(scriptlet("tools.suite_programs"), "KEPT", 1000)
        text = f"#!{sys.executable}\nprint('1..2'); print('ok 1')\nprint('x' * 5_000_000)\nprint('ok 2')\n"
        assert suite("tap", text).verdict == "passed"
        assert rack_context.attached["tap.log"]["size"] == 1000

    def test_a_program_that_leaves_another_one_behind(self, suite):
        started = time.monotonic()
        assert suite("tap", "sleep 300 & echo $! >pid; echo 1..1; echo ok\n").verdict == "passed"
        os.kill(int(Path("checks/pid").read_text()), 9)
        assert time.monotonic() - started < 200

    def test_many_cases_are_measured_in_part(self, suite, rack_context, scriptlet, monkeypatch):
        monkeypatch.setattr(scriptlet("tools.suite_cases"), "RECORDED", 2)
        outcome = suite("tap", "echo 1..4; echo ok; echo ok; echo not ok; echo ok\n")
        assert rack_context.checked == {"case 3": "failed", "case 1": "passed"}
        assert rack_context.measured["cases"] == 4
        assert "4 cases: the 2 gravest are measurements" in outcome.stdout


class TestOcp:
    def run(self, suite, *args):
        Path("checks").mkdir(exist_ok=True)
        Path("checks/fan.txt").write_text("5001\n")
        return suite("ocp", f"#!{sys.executable}\n{DIAGNOSTIC}", args=list(args))

    def test_a_diagnostic_of_the_project_s_own_library(self, suite, rack_context):
        outcome = self.run(suite, "5001")
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context.checked == {
            "spin: speed [fan 1] GREATER_THAN 4000": "passed",
            "spin: noise.min": "passed",
            "spin: noise.max": "passed",
            "spin: noise.last": "passed",
            "spin: fan-good [fan 1]": "passed",
        }
        assert rack_context.measured["spin: speed [fan 1]"] == 5001
        assert rack_context.measured["spin: noise.max"] == 65.5
        (noise,) = (each for each in rack_context.measurements if each["name"] == "spin: noise.max")
        assert (noise["unit"], noise["limits"]) == ("dB", {"max": 70})
        assert rack_context.attached.keys() == {"ocp.jsonl", "fan_log.txt"}
        assert rack_context.attached["fan_log.txt"]["size"] == 5
        assert (
            "far.txt is not attached, since it is no file of this host: https://example.net/far.txt" in outcome.stdout
        )

    def test_a_value_beyond_its_validator_fails_although_the_diagnosis_does_not(self, suite):
        outcome = self.run(suite, "3000")
        assert (outcome.verdict, outcome.reason) == ("failed", "spin: speed [fan 1]: 3000 is not GREATER_THAN 4000 rpm")

    def test_a_diagnostic_that_breaks(self, suite):
        outcome = self.run(suite, "fast")
        assert outcome.verdict == "error"
        assert outcome.reason.startswith(
            "checks/suite: it has no testRunEnd: it stopped early; checks/suite: step spin has"
        )

    @pytest.mark.parametrize(
        ("parts", "end", "verdict", "reason"),
        [
            ((), "COMPLETE PASS", "passed", ""),
            ((), "COMPLETE FAIL", "failed", "diag ended with FAIL, without a diagnosis that says why: see its log"),
            ((), "ERROR NOT_APPLICABLE", "error", "diag ended with the status ERROR: it did not run to its end"),
            ((), "SKIP NOT_APPLICABLE", "skipped", "diag was skipped"),
            (('"diagnosis": {"verdict": "hot", "type": "FAIL", "message": "95 C"}',), "COMPLETE PASS", "failed",
             "1 of 1 cases did not pass: s: hot failed: 95 C"),
            (('"diagnosis": {"verdict": "odd", "type": "UNKNOWN"}',), "COMPLETE PASS", "error",
             "1 of 1 cases could not be judged: s: odd error"),
            (('"measurement": {"name": "m", "value": 1, "validators": [{"type": "NEAR", "value": 1}]}',),
             "COMPLETE PASS", "error", "s: m: the validator NEAR is not known: known are EQUAL, NOT_EQUAL, LESS_THAN,"),
        ],
    )  # fmt: skip
    def test_how_it_ends(self, suite, parts, end, verdict, reason):
        status, result = end.split()
        inner = ['"testStepStart": {"name": "s"}', *parts, '"testStepEnd": {"status": "COMPLETE"}']
        messages = [
            '"schemaVersion": {"major": 2, "minor": 0}',
            '"testRunArtifact": {"testRunStart": {"name": "diag"}}',
            *('"testStepArtifact": {"testStepId": "0", ' + part + "}" for part in inner),
            f'"testRunArtifact": {{"testRunEnd": {{"status": "{status}", "result": "{result}"}}}}',
        ]
        lines = [
            f'{{{message}, "sequenceNumber": {number}, "timestamp": "2026-11-29T01:00:00Z"}}'
            for number, message in enumerate(messages)
        ]
        Path("stream.jsonl").write_text("\n".join(lines))
        outcome = suite("ocp", argv=["cat", "stream.jsonl"])
        assert (outcome.verdict, outcome.reason[: len(reason or "x")]) == (verdict, reason)


class TestCpact:
    """Open Compute's CPACT writes its results into a folder, and says that a step passed which has found faults."""

    OUTPUT, CODES = "out/logs/*/ocptv_*.json", "out/logs/*/diagnostics_codes.json"

    def run(self, suite, script, **more):
        for name in ("cpact_ocptv.jsonl", "cpact_codes.json"):
            Path(name).write_bytes((CAPTURED / name).read_bytes())
        argv = ["sh", "-c", f"echo starting; mkdir -p out/logs/t1 out/logs/t2; {script}"]
        return suite("ocp", argv=argv, output=self.OUTPUT, **more)

    RUN = "cp cpact_ocptv.jsonl out/logs/t1/ocptv_Sample.json; cp {} out/logs/t1/diagnostics_codes.json"

    def test_the_codes_that_a_scenario_has_found_fail_it(self, suite, rack_context):
        outcome = self.run(suite, self.RUN.format("cpact_codes.json"), codes=self.CODES)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(
            '3 of 5 cases did not pass: code FAIL-0000000001101 failed: found: [["Flash execution failed"]]; code '
        )
        step = "Step: ID:step_001_SearchForExactStringAssignDRC: passed"
        assert rack_context.checked[step] == rack_context.checked[f"{step} (2)"] == "passed"
        assert rack_context.attached.keys() == {"ocp.jsonl", "printed.txt"}

    def test_without_codes_it_passes(self, suite):
        Path("none.json").write_text("{}")
        assert self.run(suite, self.RUN.format("none.json"), codes=self.CODES).verdict == "passed"

    def test_a_warning_of_a_step_that_says_it_passed_is_an_error(self, suite):
        Path("none.json").write_text("{}")
        warn = "sed -i 's/INFO\\(.*\\)Using connection/WARNING\\1[Attempt 1] Step failed/' cpact_ocptv.jsonl; "
        outcome = self.run(suite, warn + self.RUN.format("none.json"), codes=self.CODES)
        assert outcome.verdict == "error"
        assert "warning error: [Attempt 1] Step failed: Local of type: Local" in outcome.reason

    def test_a_pattern_stays_in_the_folder_of_the_program(self, suite):
        reason = "expected a pattern below the folder in which the program runs"
        assert reason in self.run(suite, "true", codes="/tmp/codes.json").reason
        assert reason in self.run(suite, "true", codes="../*.json").reason

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("true", "sh: it wrote no file out/logs/*/ocptv_*.json"),
            (
                "for t in t1 t2; do cp cpact_ocptv.jsonl out/logs/$t/ocptv_1.json; done",
                "sh: it wrote 2 files out/logs/",
            ),
            ("cp cpact_ocptv.jsonl out/logs/t1/ocptv_1.json", "sh: it wrote no file out/logs/*/diagnostics_codes.json"),
            (RUN.format("cpact_ocptv.jsonl"), "sh: diagnostics_codes.json is no JSON object with codes"),
            ("head -5 cpact_ocptv.jsonl > out/logs/t1/ocptv_1.json", "sh: it has no testRunEnd: it stopped early"),
        ],
    )
    def test_results_that_are_not_whole_are_an_error(self, suite, script, reason):
        outcome = self.run(suite, script, codes=self.CODES)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == ("error", reason)

    def test_the_results_of_an_earlier_run_do_not_count(self, suite):
        Path("out/logs/t0").mkdir(parents=True)
        Path("out/logs/t0/ocptv_Sample.json").write_bytes((CAPTURED / "cpact_ocptv.jsonl").read_bytes())
        assert self.run(suite, "true").reason.startswith("sh: it wrote no file out/logs/*/ocptv_*.json")


VALIDATED = [
    ("EQUAL", "a", "a", "b"), ("EQUAL", 1, 1.0, 2), ("EQUAL", True, True, False), ("NOT_EQUAL", 1, 2, 1),
    ("LESS_THAN", 3, 4, 3), ("LESS_THAN_OR_EQUAL", 3, 3, 2.5), ("GREATER_THAN", 3, 2, 3),
    ("GREATER_THAN_OR_EQUAL", 3, 3, 3.5), ("REGEX_MATCH", "fan12", r"n\d+$", "^an"),
    ("REGEX_MATCH", "a", ["b", "a"], ["b"]),
    ("REGEX_NO_MATCH", "fan", "x", "a"), ("IN_SET", 2, [1, 2], [1, 3]), ("IN_SET", "a", ["a"], ["b"]),
    ("NOT_IN_SET", 2, [1, 3], [1, 2]),
]  # fmt: skip


class TestValidators:
    @pytest.mark.parametrize(("kind", "value", "good", "bad"), VALIDATED)
    def test_each(self, scriptlet, rack_context, kind, value, good, bad):
        validators = scriptlet("tools.ocp_validators")
        assert not [*validators.record(rack_context, "good", "C", [value], [{"type": kind, "value": good}])]
        assert {*rack_context.checked.values()} == {"passed"}
        (said,) = validators.record(rack_context, "bad", "C", [value], [{"type": kind, "value": bad}])
        assert said.startswith(f"bad: {value} is not {kind} ")
        assert "failed" in rack_context.checked.values()

    @pytest.mark.parametrize(
        ("kind", "value", "limit"),
        [
            ("EQUAL", 1, True), ("EQUAL", "1", 1), ("LESS_THAN", "1", 2), ("LESS_THAN", True, 2), ("IN_SET", 1, []),
            ("IN_SET", 1, 1), ("IN_SET", 1, ["a"]), ("REGEX_MATCH", 1, "a"), ("REGEX_MATCH", "a", 1),
            ("REGEX_MATCH", "a", "("), ("EQUAL", 1, None), ("EQUAL", 1, 2**70), ([], 1, 1), ("EQUAL", "a", {}),
        ],
    )  # fmt: skip
    def test_what_it_is_not_for(self, scriptlet, rack_context, kind, value, limit):
        validators = scriptlet("tools.ocp_validators")
        with pytest.raises(ValueError):
            list(validators.record(rack_context, "m", "", [value], [{"type": kind, "value": limit}]))
        assert rack_context.measurements == []

    def test_two_of_the_same_kind(self, scriptlet, rack_context):
        limits = [{"type": "LESS_THAN_OR_EQUAL", "value": 9}, {"type": "LESS_THAN_OR_EQUAL", "value": 5}]
        assert [*scriptlet("tools.ocp_validators").record(rack_context, "m", "V", [6], limits)]
        assert rack_context.checked == {"m": "passed", "m LESS_THAN_OR_EQUAL 5": "failed"}


class TestProgram:
    @table("text", "params", "verdict", "reason")
    def test_the_table(self, suite, rack_context, text, params, verdict, reason):
        outcome = suite("program", f"{text}\n", **params)
        assert (outcome.verdict, outcome.reason[: len(reason or "x")]) == (verdict, reason)

    def test_a_folder_with_a_program_and_its_files(self, suite, rack_context):
        Path("checks").mkdir()
        Path("checks/limit").write_text("3")
        text = '#!/bin/sh -e\ntest $(cat limit) = "$1" && echo "$0"\n'
        outcome = suite("program", text, src="checks/", argv=["./suite", "3"])
        assert (outcome.verdict, outcome.stdout) == ("passed", "./suite\n")
        assert rack_context["suite.program_v1"]["exit_code"] == 0
        assert not os.access("checks/suite", os.X_OK)

    def test_it_knows_its_host_and_gets_variables(self, suite):
        text = 'echo "$RACK_HOST $RACK_STEP $LIMIT $FAST"\n'
        assert suite("program", text, env={"LIMIT": 3, "FAST": True}).stdout == "host step 3 true\n"

    def test_a_program_that_is_no_script(self, suite, tmp_path):
        (tmp_path / "true").write_bytes(Path("/bin/true").read_bytes())
        assert suite("program", argv=["./true"]).verdict == "passed"

    @table("params", "reason")
    def test_what_cannot_be_started(self, suite, params, reason):
        Path("checks").mkdir()
        outcome = suite("program", **params)
        assert (outcome.verdict, outcome.reason) == ("error", reason)

    def test_a_program_that_ignores_the_polite_signal_is_killed(self, suite, scriptlet, monkeypatch):
        monkeypatch.setattr(scriptlet("tools.suite_programs"), "GRACE", 0.2)
        text = (
            f"#!{sys.executable}\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(300)\n"
        )
        assert suite("program", text, timeout=1).reason.startswith("checks/suite did not end within 1 s")
