# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of parameters and of an imported context are data, whichever way they come in and wherever they are used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from call_rack_recipes import Done, call, rack_recipes, results

BOMB = "x {{ lookup('pipe', 'touch pwned') }}{% set x = lookup('pipe', 'touch pwned') %} ${t.other_v1}"
INVENTORY = """\
all:
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  hosts: {h1: {}}
"""
KEEPS = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
class Keeps(Scriptlet):
    options = {"key": {"type": "str"}, "what": {"type": "raw"}}
    def run(self, ctx, params):
        ctx.set("t.other_v1", "resolved")
        if params["key"]:
            ctx.set(params["key"], params["what"])
"""
PARAMS = {
    "text": {"type": "str"},
    "texts": {"type": "list", "default": []},
    "inner": {"type": "dict", "default": {}},
    "where": {"type": "str", "default": "h1"},
}
HERE = "rack_recipes_params"
EXPECTED = {
    **dict.fromkeys(("by_reference", "by_jinja", "of_loop", "of_context", "closing"), BOMB),
    "by_part": f"<{BOMB}>",
    "of_mapping": {BOMB: [BOMB]},
}


def _keep(name: str, what: object, **fields: object) -> dict[str, object]:
    return {"name": name, "module": "t.keeps", "args": {"key": f"t.{name}_v1", "what": what}, **fields}


def _debug(name: str, args: dict[str, str], **fields: object) -> dict[str, object]:
    return {"name": name, "type": "ansible", "module": "ansible.builtin.debug", "args": args, **fields}


def _steps(known: str) -> list[dict[str, object]]:
    """Each place of a recipe that takes a value; `known` is how Jinja of the recipe names the parameter."""
    return [
        _keep("by_reference", "${params.text}"),
        _keep("by_part", "<${params.text}>"),
        _keep("by_jinja", f"{{{{ {known} }}}}"),
        _keep("of_loop", "${item}", loop="${params.texts}"),
        _keep("of_mapping", "${params.inner}"),
        _keep("of_context", "${t.brought_v1}"),
        _keep("by_condition", 1, when=[{"value": "${params.text}", "matches": "(?s).*"}]),
        _keep("by_jinja_condition", 1, when=f"{{{{ {known} | length > 3 }}}}"),
        _keep("by_delegate", 1, delegate_to=f"{{{{ {known} if false else inventory_hostname }}}}"),
        _debug("of_module", {"msg": "${params.text}"}),
        _debug("of_module_by_jinja", {"msg": f"{{{{ {known} }}}}"}),
        _debug("as_expression", {"var": "${params.text}"}, continue_on_fail=True),
        _keep("judged", 1, success={"values": [{"value": "${params.text}", "ne": ""}]}),
        _keep("closing", "${params.text}", always=True),
    ]


@pytest.fixture
def given(project: Path) -> dict[str, object]:
    (project / "scriptlets/t").mkdir(parents=True)
    (project / "scriptlets/t/keeps.py").write_text(KEEPS)
    (project / "inventory.yml").write_text(INVENTORY)
    (project / "context.json").write_text(json.dumps({"hosts": {"h1": {"t.brought_v1": BOMB}}}))
    return {"text": BOMB, "texts": [BOMB], "inner": {BOMB: [BOMB]}}


def _write(known: str) -> None:
    hooks = {"post_step": [{"module": "t.keeps", "args": {"what": f"{{{{ {known} }}}}", "key": ""}}]}
    recipe = {"test_meta": {"test_id": "T"}, "params": PARAMS, "hooks": hooks}
    steps = [{"success": "none", **step} for step in _steps(known)]
    Path("recipe.yml").write_text(json.dumps({**recipe, "steps": steps}))


def _command(*words: str) -> Done:
    return rack_recipes("run", "recipe.yml", "-i", "inventory.yml", "--context", "context.json", *words)


def _words(given: dict[str, object]) -> Done:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    return _command(*(word for name, text in texts.items() for word in ("--param", f"{name}={text}")))


def _file(given: dict[str, object]) -> Done:
    Path("given.json").write_text(json.dumps(given))
    return _command("--param-file", "given.json")


def _variables(given: dict[str, object]) -> Done:
    return _command("--extra-vars", json.dumps(given))


def _playbook(given: dict[str, object]) -> Done:
    more = {"recipe": "recipe.yml", "rack_recipes_context": "context.json", HERE: given}
    return call("ansible-playbook", "-i", "inventory.yml", "rack.recipes.run", "-e", json.dumps(more))


def _survey(given: dict[str, object]) -> Done:
    Path("answers.yml").write_text(json.dumps({**given, "rack_recipes_context": "context.json"}))
    Path("compiled.yml").write_text(rack_recipes("compile", "recipe.yml").stdout)
    return call("ansible-playbook", "-i", "inventory.yml", "compiled.yml", "-e", "@answers.yml")


WAYS: dict[str, tuple[Callable[[dict[str, object]], Done], str]] = {
    "words": (_words, f"{HERE}.text"),
    "file": (_file, f"{HERE}.text"),
    "variables": (_variables, "text"),
    "playbook": (_playbook, f"{HERE}.text"),
    "survey": (_survey, "text"),
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.repeats if way in ("file", "playbook") else ()) for way in WAYS]
)
def test_a_value_of_a_parameter_is_never_run(way: str, given: dict[str, object]):
    start, known = WAYS[way]
    _write(known)
    done = start(given)
    assert not [*Path().rglob("pwned")]
    found = results()
    kept = {key.removeprefix("t.").removesuffix("_v1"): value for (key, _host), value in found.context.items()}
    assert {name: kept[name] for name in EXPECTED} == EXPECTED
    verdicts = {step: row["verdict"] for (step, _host), row in found.steps.items()}
    assert verdicts.pop("as_expression") in ("error", "failed"), "Ansible takes no untrusted text for an expression"
    (journal,) = Path(".rack-recipes/runs").glob("*/journal.jsonl")
    assert "parameter 'text': its value has a template" in journal.read_text()
    assert set(verdicts.values()) == {"passed"}, done.stdout + done.stderr
