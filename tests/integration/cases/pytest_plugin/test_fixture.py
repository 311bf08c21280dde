"""The fixtures `run_recipe` and `run_scriptlet`, from inside."""

import pytest

STEP = {"name": "value", "type": "shell", "module": "t.value"}
LIMIT = {"name": "value", "value": "${t.value_v1}", "max": 5}


def recipe(**args):
    return {"test_meta": {"test_id": "T"}, "steps": [{**STEP, "args": args, "success": {"values": [LIMIT]}}]}


def test_two_mappings_in_one_test(run_recipe):
    result, other = run_recipe(recipe(value=3)), run_recipe(recipe(value=6))
    assert (result.exit_code, result.status) == (0, "ok"), result
    assert result.verdicts == {("value", "localhost"): "passed"}
    assert result.context == {("t.value_v1", "localhost"): 3}
    assert result.measurements["value"]["value"]["distance"] == 2
    assert (other.exit_code, other.status) == (1, "failed")
    assert other.reasons["value"] == "value: 6 is above max 5"
    with pytest.raises(AssertionError, match=r"assert 'failed' == 'passed'\n\s+value: 6 is above max 5"):
        assert other.verdicts["value"] == "passed"
    assert result.run_id != other.run_id


def test_a_file_with_parameters_on_other_hosts(run_recipe, capsys):
    options = ["--log-level", "info"]
    result = run_recipe(
        "parameters.recipe.yml", inventory="inventory.yml", params={"ports": [4]}, limit="leafs", options=options
    )
    assert result.exit_code == 0, result
    assert result.logs["port[4]", "leaf2"][-1].endswith("port[4]@leaf2 end: passed")
    assert "port[4]@leaf2 end: passed" in capsys.readouterr().err
    assert result.verdicts["port[4]", "leaf2"] == "passed"
    assert result.context["t.value_v1", "leaf1"] == 3


def test_one_that_cannot_be_run(run_recipe):
    with pytest.raises(TypeError, match="takes no 'limt'; it takes inventory, limit, "):
        run_recipe({}, limt="leafs")
    result = run_recipe({"steps": []})
    assert (result.exit_code, result.status, result.run_id) == (2, "error", "")
    assert "test_meta" in result.reason
    with pytest.raises(Exception, match="nothing was run: .*test_meta"):
        result.verdicts["value"]


def test_one_scriptlet_of_the_project(run_scriptlet):
    result = run_scriptlet("t.value", {"value": 4})
    assert (result.verdict, result.context) == ("passed", {"t.value_v1": 4})


def test_one_of_the_collection_on_a_host(run_scriptlet):
    result = run_scriptlet("disk.usage", {"max_percent": -1}, host="leaf1", inventory="inventory.yml")
    assert result.verdict == "failed", result
    assert result.reason


def test_a_name_that_is_not_there(run_scriptlet):
    with pytest.raises(Exception, match="did you mean 't.value'"):
        run_scriptlet("t.valeu")
