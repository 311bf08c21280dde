# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call

CONFIG = "[defaults]\ncallbacks_enabled = rack.recipes.recorder\n"
RECIPE = """\
test_meta: {test_id: LINK-001, description: Links}
hosts: leafs
params:
  vlan: {type: int, default: 10}
steps:
  - {name: facts, type: ansible, module: arista.eos.eos_facts, success: none}
"""


@pytest.fixture
def lab(project: Path) -> Path:
    (project / "ansible.cfg").write_text(CONFIG)
    (project / "recipes").mkdir()
    (project / "recipes" / "links.yml").write_text(RECIPE)
    return project


def test_the_files_of_a_recipe(lab: Path):
    done = call("awx", "recipes/links.yml")
    names = ("execution-environment.yml", "requirements.txt", "bindep.txt", "requirements.yml", "configure.yml")
    files = [*names, "run_links.yml", "total_links.yml"]
    assert (done.code, done.answer) == (0, {"status": "ok", "files": {f"awx/{name}": "made" for name in files}})
    assert done.err.splitlines()[: len(files)] == [f"made awx/{name}" for name in files]
    assert yaml.safe_load((lab / "awx/requirements.yml").read_text()) == {"collections": [{"name": "arista.eos"}]}
    assert yaml.safe_load((lab / "awx/execution-environment.yml").read_text())["dependencies"]["galaxy"] == names[3]
    [run] = yaml.safe_load((lab / "awx/run_links.yml").read_text())
    assert run["import_playbook"] == "{{ lookup('rack.recipes.playbook', 'recipes/links.yml') }}"
    [total] = yaml.safe_load((lab / "awx/total_links.yml").read_text())
    assert total["tasks"][0]["vars"] == {"report_hosts": "leafs"}
    assert call("awx", str(lab / "recipes/links.yml")).answer["files"] == {f"awx/{name}": "same" for name in files}


def test_a_changed_file_is_kept_and_the_difference_is_shown(lab: Path):
    call("awx", "recipes/links.yml")
    with (lab / "awx/configure.yml").open("a") as file:
        file.write("# ours\n")
    done = call("awx", "recipes/links.yml")
    assert done.code == 2
    assert "awx/configure.yml: changed by somebody, so nothing was written (--force overwrites):" in done.err
    assert "\n-# ours" in done.err
    assert call("awx", "recipes/links.yml", "--force").answer["files"]["awx/configure.yml"] == "changed"


def test_every_recipe_that_does_not_compile_is_told(lab: Path):
    (lab / "recipes/bad.yml").write_text("test_meta: {test_id: B}\nsteps:\n  - {name: s, modul: x.y}\n")
    done = call("awx", "recipes/links.yml", "recipes/bad.yml", "recipes/none.yml")
    assert done.code == 2
    assert "recipes/bad.yml:3:15: " in done.err
    assert "(did you mean 'module'?)" in done.err
    assert "recipes/none.yml" in done.err
    assert not (lab / "awx").exists()


@pytest.mark.parametrize("word", ["/etc/passwd", "../other.yml"])
def test_what_is_not_in_the_project_is_refused(lab: Path, word: str):
    done = call("awx", word)
    assert done.code == 2
    assert f"{word}: expected a path in this folder: AWX sees only the files of its project" in done.err
    assert call("awx", "recipes/links.yml", "--output", word).code == 2


def test_a_parameter_that_awx_uses_itself_is_refused(lab: Path):
    (lab / "recipes/links.yml").write_text(RECIPE.replace("vlan", "awx_vlan"))
    done = call("awx", "recipes/links.yml")
    assert done.code == 2
    assert "recipes/links.yml:4:3: expected a name that begins neither with awx_ nor with tower_" in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "got none"),
        ("[defaults]\ncallbacks_enabled = timer\n", "expected rack.recipes.recorder in it, got 'timer'"),
        ("[defaults]\nforks = 5\n", "expected rack.recipes.recorder in it, it is missing"),
    ],
)
def test_a_project_whose_jobs_would_record_nothing_is_refused(lab: Path, text: str, told: str):
    (lab / "ansible.cfg").write_text(text) if text else (lab / "ansible.cfg").unlink()
    done = call("awx", "recipes/links.yml")
    assert done.code == 2
    assert (told if text else "there is none in this folder") in done.err


def test_the_playbook_of_another_recipe_is_not_replaced(lab: Path) -> None:
    (lab / "more").mkdir()
    (lab / "more/links.yml").write_text(RECIPE)
    call("awx", "recipes/links.yml")
    before = (lab / "awx/run_links.yml").read_text()
    done = call("awx", "more/links.yml")
    assert done.code == 2
    assert "awx/run_links.yml: it runs recipes/links.yml, and more/links.yml would be 'links' in AWX, too: " in done.err
    assert (lab / "awx/run_links.yml").read_text() == before
    assert call("awx", "more/links.yml", "--force").code == 0
    (lab / "more/links.yml").unlink()
    assert call("awx", "recipes/links.yml").code == 0, "it was moved"


def test_a_playbook_is_no_recipe_and_is_told_so(lab: Path) -> None:
    (lab / "burn.yml").write_text("- {name: Burn, hosts: all, roles: [rack.recipes.server_burn_in]}\n")
    done = call("awx", "burn.yml")
    assert done.code == 2
    assert (
        "burn.yml:1:1: expected a mapping with test_meta and steps, got a playbook: `ansible-playbook` runs it"
        in done.err
    )
    assert "docs/awx.md" in done.err
