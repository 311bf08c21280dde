# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a project for AWX, and the total of its jobs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.integrations.awx.configuration_playbook import Job, check_names
from rack_recipes.integrations.awx.project_files import ANSIBLE_CORE, collections_of
from rack_recipes.integrations.awx.total_of_jobs import total_of
from rack_recipes.integrations.awx.write_unless_edited import with_head, write_files
from rack_recipes.recipe.load import parse

ROOT = Path(__file__).resolve().parents[5]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def job(path: str, *modules: str) -> Job:
    steps = "\n".join(
        f"  - {{name: s{n}, type: ansible, module: {name}, success: none}}" for n, name in enumerate(modules)
    )
    text = f"test_meta: {{test_id: T-1}}\nsteps:\n{steps or '  - {name: s, module: x.y, success: none}'}\n"
    return Job(parse(text.encode(), path), Path("awx"))


def test_names_of_a_job():
    found = job("recipes/Burn-in 2.yml")
    assert (found.name, found.title, found.playbook) == ("burn_in_2", "rack burn_in_2", "awx/run_burn_in_2.yml")
    assert (found.workflow, found.ending_playbook) == ("rack burn_in_2 workflow", "awx/total_burn_in_2.yml")


def test_two_recipes_of_one_name_are_refused():
    with pytest.raises(UsageError, match=r"a/x\.yml and b/x\.yml: both would be 'x' in AWX: rename one of them"):
        check_names([job("a/x.yml"), job("b/x.yml")])
    with pytest.raises(UsageError, match="expected a file name with a letter or a digit"):
        check_names([job("recipes/---.yml")])


def test_collections_of_modules_are_named():
    modules = ("arista.eos.eos_facts", "ansible.builtin.ping", "cisco.ios.ios_facts", "arista.eos.eos_vlans")
    assert collections_of([job("x.yml", *modules)]) == ["arista.eos", "cisco.ios"]


def test_an_image_gets_the_ansible_that_the_package_admits():
    assert ANSIBLE_CORE in PROJECT["dependencies"]


def test_files_are_made_and_stay(tmp_path: Path):
    files = {tmp_path / "a" / "x.yml": "---\n- 1\n", tmp_path / "a" / "y.txt": "y\n"}
    assert write_files(files, force=False) == (dict.fromkeys(files, "made"), [])
    assert (tmp_path / "a" / "x.yml").read_text().splitlines()[1:] == ["---", "- 1"]
    assert write_files(files, force=False) == (dict.fromkeys(files, "same"), [])


def test_what_nobody_changed_follows_the_recipe(tmp_path: Path):
    path = tmp_path / "x.yml"
    write_files({path: "old\n"}, force=False)
    assert write_files({path: "new\n"}, force=False) == ({path: "changed"}, [])
    assert path.read_text() == with_head("new\n")


@pytest.mark.parametrize("theirs", ["mine\n", with_head("old\n") + "mine\n", ""])
def test_what_people_changed_is_kept_and_shown(tmp_path: Path, theirs: str):
    path, other = tmp_path / "x.yml", tmp_path / "y.yml"
    path.write_text(theirs)
    done, [kept] = write_files({path: "new\n", other: "y\n"}, force=False)
    assert (done, path.read_text(), other.exists()) == ({}, theirs, False)
    assert f"--- {path}\n" in [*kept.lines()]
    assert "+new\n" in [*kept.lines()]
    assert write_files({path: "new\n"}, force=True) == ({path: "changed"}, [])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"x\.yml: cannot be read: it is no text in UTF-8"):
        write_files({path: "new\n"}, force=False)
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match=r"x\.yml: cannot be read: Is a directory"):
        write_files({path: "new\n"}, force=False)
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="Not a directory"):
        write_files({tmp_path / "f" / "x": "new\n"}, force=False)


def part(job: str = "1", hosts: tuple[str, ...] = ("h1",), **more: object) -> dict[str, object]:
    told = {
        "job": job,
        "run_id": f"R{job}",
        "status": "passed",
        "counts": {"passed": 2},
        "hosts": [*hosts],
        "causes": [],
    }
    return {**told, "report": f"http://x/R{job}/report.html", "report_error": "", **more}


def test_parts_that_passed():
    found = total_of(
        [part("1", ("h1", "h3")), part("2", ("h2",), counts={"passed": 1, "skipped": 1})], ["h1", "h2", "h3"]
    )
    assert found == {
        "status": "passed",
        "counts": {"passed": 3, "skipped": 1},
        "hosts": 3,
        "runs": ["R1", "R2"],
        "reports": ["http://x/R1/report.html", "http://x/R2/report.html"],
        "causes": [],
        "problems": [],
    }


@pytest.mark.parametrize(
    ("parts", "hosts", "status", "problem"),
    [
        ([], ["h1"], "incomplete", "no job of this workflow has told of a run: look at its jobs, and whether they ran"),
        ([part()], ["h1", "h2"], "incomplete", "h2 is in no part of the run: a job was killed, or never began"),
        ([part()], [f"h{n}" for n in range(1, 9)], "incomplete", "h2, h3, h4, h5, h6 and 2 more are in no part"),
        ([part("1"), part("2")], ["h1"], "passed", "h1 is in several parts of the run"),
        ([part(report_error="no room")], ["h1"], "passed", "job 1: no room"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said(parts, hosts, status, problem):
    found = total_of(parts, hosts)
    assert found["status"] == status
    assert [one[: len(problem)] for one in found["problems"]] == [problem]


def test_a_part_that_did_not_pass_decides():
    causes = ["link failed on every host (2 of 2)"]
    parts = [part("1"), part("2", ("h2",), status="unreachable", causes=causes), part("3", ("h3",), causes=causes)]
    found = total_of(parts, ["h1", "h2", "h3", "h4"])
    assert (found["status"], found["causes"]) == ("unreachable", causes)


def test_a_part_that_could_not_be_stored_has_not_passed():
    lost = {"job": "4", "run_id": "", "status": "not stored", "counts": {}, "hosts": ["h1"], "causes": [], "report": ""}
    found = total_of([{**lost, "report_error": "there is no report: the database is away"}], ["h1"])
    assert (found["status"], found["runs"]) == ("not stored", [])
    assert found["problems"] == ["job 4: there is no report: the database is away"]
