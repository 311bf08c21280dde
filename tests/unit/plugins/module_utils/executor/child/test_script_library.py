# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps with the library for shell, awk and C: what is recorded counts, also in a sandbox and under limits."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import Work, no_sandbox
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.script_library.run_scripts import LIBRARY


@pytest.fixture
def step(work: Work) -> Any:
    """A function that runs a script as a step, with the library where a stage has it."""
    shutil.copytree(LIBRARY, work.folder / "library")

    def run(text: str, **fields: Any) -> Any:
        own = fields.pop("own", {})
        kind = work.script(text, library="library", **fields)
        return work.run(kind, own={key: [1, value] for key, value in own.items()})

    return run


SCRIPT = """
. "$RACK_SH"
rack_set host.name_v1 "$(rack_get name_v1)"
rack_check used 96 % max="$(rack_param most)" warn.max=80
rack_attach /etc/hostname
echo "$(rack_param password)"
"""


@pytest.mark.parametrize("more", [{}, {"limits": {"processes": 400, "open_files": 20}}, {"sandbox": {}}], ids=str)
def test_a_step_has_what_it_recorded(step, more):
    if "sandbox" in more and no_sandbox():
        pytest.skip(no_sandbox())
    options = {"most": {"type": "float"}, "password": {"type": "str", "no_log": True}}
    ran = step(SCRIPT, args={"most": 95, "password": "hush-hush"}, options=options, own={"name_v1": "r\n1"}, **more)
    assert ran.outcome == ("failed", "used: 96 % is above max 95.0 %")
    assert [(delta["key"], delta["after"]) for delta in ran.deltas] == [("host.name_v1", "r\n1")]
    assert ran.attempt["stdout"].startswith("********\n")
    assert [one["name"] for one in ran.records if one["kind"] == "artifact"] == ["hostname"]


@table("text", "verdict", "reason")
def test_the_verdict_of_a_step(step, text, verdict, reason):
    ran = step(f'. "$RACK_SH"\n{text}\n')
    assert ran.outcome[0] == verdict
    assert ran.outcome[1].startswith(reason)


def test_a_script_may_clean_up_when_its_time_is_over(step, work):
    ran = step('. "$RACK_SH"\ntrap "echo cleaned >done; exit 1" TERM\nsleep 5 & wait\n', timeout=1.5)
    assert ran.outcome == ("error", "timed out after 1.5 s")
    assert (work.folder / "done").read_text() == "cleaned\n"


def test_an_awk_step(step):
    ran = step('#!/usr/bin/env -S awk -f\nBEGIN { rack_check("n", 5, "", "max=4") }\n', name="n", file="n.awk")
    assert ran.outcome == ("failed", "n: 5 is above max 4")


def test_a_c_step(work):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    shutil.copytree(LIBRARY, work.folder / "library")
    check = 'rack_check("n", 5, "s", "max=%s", rack_param("most", ""))'
    source = f'#include "rack.h"\nint main(void) {{ {check}; return 0; }}\n'
    ran = work.run(work.source(source, library="library", args={"most": 4}))
    assert ran.outcome == ("failed", "n: 5 s is above max 4 s")


LOG = {
    "sh": '. "$RACK_SH"\nrack_log debug d\nrack_log info "i $RACK_STEP"\nrack_log warning w 1\n(rack_log error e)\n',
    "awk": 'BEGIN { rack_log("debug", "d"); rack_log("info", "i"); rack_log("warning", 1); rack_log("error", "e") }\n',
    "c": '#include "rack.h"\nint main(void) { rack_log("debug", "d"); rack_log("warning", "w %d", 1);'
    ' rack_log("error", "e"); return 0; }\n',
}
NAMED = {"sh": "shell", "awk": "awk", "c": "c"}


@pytest.mark.parametrize("kind", LOG)
@pytest.mark.parametrize(("level", "shown"), [("", ["WARNING", "ERROR"]), ("error", ["ERROR"]), ("debug", ["DEBUG"])])
def test_the_level_of_the_log_is_that_of_the_run(kind, level, shown, work):
    shutil.copytree(LIBRARY, work.folder / "library")
    if kind == "c":
        one = work.source(LOG[kind], library="library")
    else:
        one = work.script(LOG[kind], file=f"script.{kind}", library="library")
    ran = work.run(one, **({"log_level": level} if level else {}))
    lines = ran.attempt["stderr"].splitlines()
    assert [line.split()[1] for line in lines][: len(shown)] == shown
    moment, *words = lines[-1].split(" ")
    assert words == ["ERROR", NAMED[kind], "[run1", one["name"], "r1]", "e"]
    assert moment.endswith("Z")


def test_a_level_that_is_none_is_an_error(step):
    assert step('. "$RACK_SH"\nrack_log loud x\n').outcome == (
        "error",
        "rack_log: expected debug, info, warning or error, got loud",
    )
