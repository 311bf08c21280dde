# SPDX-License-Identifier: GPL-3.0-or-later

"""How scripts with the library end, and what they read: by every shell and awk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.script_library.run_scripts import PAIRS, Scripts

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "endings.yml").read_text())
TABLE = [(name, PAIRS[number % len(PAIRS)]) for number, name in enumerate(CASES)]  # the shells take turns
NEEDED = ("set", "trap", "kill", "fail", "pipe", "background", "IFS")  # what shells differ in: by each of them


def scripts_by(folder: Path, pair: tuple[str, str]) -> Scripts:
    for program in pair:
        if not shutil.which(program.split()[0]):
            pytest.skip(f"no {program}")
    scripts = Scripts(folder, *pair)
    scripts.given = {"params": {"path": "/x", "most": None}, "context": {"k_v1": "value"}}
    return scripts


@pytest.fixture(params=PAIRS, ids=" and ".join)
def scripts(request: pytest.FixtureRequest, tmp_path: Path) -> Scripts:
    return scripts_by(tmp_path, request.param)


ALL = [(name, pair) for name in CASES if any(word in name for word in NEEDED) for pair in PAIRS[:3]]


@pytest.mark.parametrize(("name", "pair"), [*dict.fromkeys([*TABLE, *ALL])], ids=str)
def test_how_it_ends(name, pair, tmp_path):
    wanted = CASES[name]
    done = scripts_by(tmp_path, pair).sh(wanted["script"])
    assert done.envelope, done.stderr
    assert done.said[0] == wanted["status"], done
    assert done.said[1].startswith(wanted.get("reason", "")), done
    measured = [one["name"] for one in done.envelope.get("measurements", ())]
    assert len(measured) == wanted["count"] if "count" in wanted else measured == wanted.get("measured", [])
    assert [one["name"] for one in done.envelope.get("checks", ())] == wanted.get("checked", [])
    assert wanted.get("stderr", "") in done.stderr
    assert done.code == done.envelope.get("exit_code", 0) == wanted.get("code", done.code)


def test_fields_come_together_in_the_order_in_which_they_are_set(scripts):
    later = "echo | while read -r l; do rack_set_fields a_v1 y:=2; done"
    done = scripts.sh(f"rack_set_fields a_v1 x=1\nrack_set b_v1 t\n{later}")
    assert list(done.outputs) == ["a_v1", "b_v1"]
    assert done.outputs == {"a_v1": {"x": "1", "y": 2}, "b_v1": "t"}
    done = scripts.sh("rack_set_fields a_v1 x=1\nrack_set a_v1 t\nrack_set c_v1 t\nrack_set_fields c_v1 z=3")
    assert done.outputs == {"a_v1": "t", "c_v1": {"z": "3"}}


def test_parameters_and_keys_are_read(scripts):
    scripts.given = {
        "params": {"path": "a\n'\"\\b é", "none": None, "list": [1, "x"], "most": 95.0},
        "context": {"a.b_v1": {"deep": [{"x.y": 1}, "t\u00e9xt"], "a.b_v1": 5}, "c_v12": None, "t_v1": "\ud83d\ude00"},
    }
    script = """
    echo x | while read -r word; do
      rack_set p_v1 "$(rack_param path)"
      rack_set q_v1 "$(rack_param none standard)$(rack_param none)"
      rack_set_json r_v1 "$(rack_param list)"
      rack_set s_v1 "$(rack_param MOST)$(rack_param most)"
      rack_set t_v1 "$(rack_get a.b_v1.deep.1)$(rack_get t_v1)"
      rack_set_json u_v1 "$(rack_get a.b_v1)"
      rack_set v_v1 "$(rack_get a.b_v1.absent none)$(rack_get absent_v1 '')$(rack_get c_v12)"
    done
    """
    assert scripts.sh(script, RACK_PARAM_MOST="95").outputs == {
        "p_v1": "a\n'\"\\b é",
        "q_v1": "standard",
        "r_v1": [1, "x"],
        "s_v1": "9595",
        "t_v1": "t\u00e9xt\U0001f600",
        "u_v1": {"deep": [{"x.y": 1}, "t\u00e9xt"], "a.b_v1": 5},
        "v_v1": "nonenull",
    }


def test_what_awk_reads_and_how_it_ends(scripts):
    scripts.given = {"params": {"most": None, "pin": "a\n'\"\\"}, "context": {"a_v1": {"x": "é\n"}}}
    script = """
    BEGIN {
        rack_set("a_v1", rack_param("pin"))
        rack_set("b_v1", rack_get("a_v1.x")); rack_set("c_v1", rack_get("d_v1", ""))
        rack_set("e_v1", rack_param("most", "standard") rack_param("most") rack_param("path"))
        rack_set_json("j_v1", "[1]"); rack_set_number("n_v1", 1.50); rack_secret("hush"); rack_attach("script.awk")
        rack_check("c", "012", "s", "max=" rack_param("most"), "warn.max=9"); rack_check("m", 3, "", "max=")
    }
    END { %s }
    """
    done = scripts.of_awk(script % 'if (1) rack_fail("why"); print "not reached"', RACK_PARAM_PATH="/")
    assert done.said == ("failed", "why")
    assert done.outputs == {
        "a_v1": "a\n'\"\\", "b_v1": "é\n", "c_v1": "", "e_v1": "standard/", "j_v1": [1], "n_v1": 1.5,
    }  # fmt: skip
    assert done.envelope
    assert done.envelope["checks"] == [{"name": "c", "value": 12, "unit": "s", "warn": {"max": 9}}]
    assert done.envelope["measurements"] == [{"name": "m", "value": 3, "unit": ""}]
    assert (done.envelope["secrets"], done.envelope["artifacts"][0]["name"]) == (["hush"], "script.awk")
    assert scripts.of_awk(script % "exit", RACK_PARAM_PATH="/").said == ("ok", "")
    assert scripts.of_awk(script % "exit 3", RACK_PARAM_PATH="/").said == ("error", "")
    assert scripts.of_awk('BEGIN { rack_skip("no such hardware") }').said == ("skipped", "no such hardware")
    assert scripts.of_awk('BEGIN { rack_get("z_v1") }').said == (
        "error",
        "rack_get: there is no z_v1 among what the step reads: a_v1",
    )
    assert scripts.of_awk('BEGIN { rack_param("path") }').said == (
        "error",
        "rack_param: there is no parameter path, there are: most, pin",
    )


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(1, 3, "33.33"), (0, 0, "0.00"), ("007", "1.4e1", "50.00"), (-1, 8, "-12.50"), (2**60, 2**61, "50.00")],
)
def test_a_percentage(scripts, part, whole, percent):
    assert scripts.sh(f'rack_set p_v1 "$(rack_percent {part} {whole})"').outputs == {"p_v1": percent}
    in_awk = f'BEGIN {{ rack_set("p_v1", rack_percent("{part}", "{whole}")) }}'
    assert scripts.of_awk(in_awk).outputs == {"p_v1": percent}
    assert scripts.of_awk('BEGIN { rack_set("p_v1", rack_percent(1.5, 6)) }').outputs == {"p_v1": "25.00"}


@pytest.mark.parametrize("given", ["1 0", "1 -2", "x 2", "1 nan", "'' 2", "2"])
def test_what_has_no_percentage_is_an_error(scripts, given):
    reason = "rack_percent: expected PART and WHOLE, a number above 0, got"
    status, said = scripts.sh(f'p=$(rack_percent {given})\nrack_measure used "$p"').said
    assert (status, said.startswith(reason)) == ("error", True)
    words = ", ".join(f'"{word}"' for word in given.replace("'", "").split(" "))
    assert scripts.of_awk(f"BEGIN {{ rack_percent({words}) }}").said[0] == "error"


def test_a_script_that_never_asks_for_the_library_keeps_its_own_envelope(scripts):
    scripts.env["RACK_SH"] = "/dev/null"  # in the place of the library
    script = scripts.folder / "own.sh"
    script.write_text('echo \'{"status": "failed", "reason": "its own"}\'\n')
    assert scripts._run([*scripts.shell, str(script)], {}).said == ("failed", "its own")


def test_a_large_value_is_quick_enough(scripts):
    """About a second is fine, a minute would not be: awk copies texts that grow."""
    script = 'rack_set a_v1 "$(cat text)"; rack_set_json b_v1 "$(cat json)"'
    text = "".join(f"line {number} with 'é' \"quoted\" and \\ more\n" for number in range(5000))
    (scripts.folder / "text").write_text(text + "end")
    items = (f'{{"n": {number}, "t": "\\"é\\""}}' for number in range(5000))
    (scripts.folder / "json").write_text("[\n" + ",\n".join(items) + "]")
    outputs = scripts.sh(script).outputs
    assert outputs["a_v1"] == text + "end"
    assert outputs["b_v1"][4999] == {"n": 4999, "t": '"é"'}


def test_files_are_attached_from_everywhere(scripts):
    (scripts.folder / "log.txt").write_text("inside")
    (scripts.folder / "odd n\u00e4me\n.txt").write_text("odd")
    outside = scripts.folder / "bin" / "awk"
    script = (
        "rack_attach log.txt\nrack_attach odd*\ncd bin\nrack_attach awk program text/plain\nrack_attach /etc/passwd"
    )
    done = scripts.sh(script)
    assert done.envelope
    found = {one["name"]: Path(one["path"]) for one in done.envelope["artifacts"]}
    assert list(found) == ["log.txt", "odd n\u00e4me\n.txt", "program", "passwd"]
    assert found["log.txt"] == scripts.folder / "log.txt"
    assert found["odd n\u00e4me\n.txt"].read_text() == "odd"
    assert found["program"].read_bytes() == outside.read_bytes()
    assert all(path.is_relative_to(scripts.folder) for path in found.values())
    assert done.envelope["artifacts"][2]["media_type"] == "text/plain"
