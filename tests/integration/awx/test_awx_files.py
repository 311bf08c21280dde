# SPDX-License-Identifier: GPL-3.0-or-later

"""The files for AWX: taken by the modules of awx.awx, by ansible-lint and ansible-builder, and run as AWX runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.awx.awx_api import AwxApi, handler_of, is_playbook
from ansible_collections.rack.recipes.tests.integration.awx.awx_jobs import (
    HOSTS,
    Job,
    Uploads,
    run_job,
    serving,
    uploads,
)
from call_rack_recipes import CHECKOUT, Done, call, environment, rack_recipes, results
from network_collections import network_collections

pytestmark = pytest.mark.filterwarnings("default")  # ansible-runner leaves files open

RECIPES = ("service_checks", "host_health", "golden_host")
SITE = ("scm_url=https://git.example/rack.git", "image=registry.example/rack:1", "slices=4")
STORE = "postgresql://rack:hunter2@db.example/rack"
SERVICE = {
    "port": 0,
    "url": "",
    "page": "all is (well|fine)",
    "command": '["echo", "a: b"]',
    "digests": "{}",
    "wait": 2.5,
}
# What people answer, as AWX gives it to a job, and what reaches the recipe.
ANSWERS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "service_checks": (SERVICE, {"command": ["echo", "a: b"], "digests": {}, "max_ms": 1000}),
    "host_health": ({"path": "/", "max_used": 0, "max_link_errors": 100000}, {}),
    "golden_host": (
        {"serials": "true", "wanted": "- {name: a}\n- {name: b}\n", "kernel_log": "dmesg", "root": ""},
        {"serials": True, "wanted": [{"name": "a"}, {"name": "b"}], "allowed": []},
    ),
}
NUMBERS = {name: number for number, name in enumerate(RECIPES, 7)}
ONLY = {"host_health": "disk_usage", "golden_host": "log_mark"}  # one cheap step; service_checks runs whole


@pytest.fixture(scope="module")
def awx_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three of our recipes and the files for AWX."""
    folder = tmp_path_factory.mktemp("awx") / "lab"
    with chdir(folder.parent):
        assert rack_recipes("new", "project", "lab").code == 0
    for name in ("recipes", "data"):
        shutil.copytree(CHECKOUT / name, folder / name, dirs_exist_ok=True)
    with chdir(folder):
        done = rack_recipes("awx", *(f"recipes/{name}.yml" for name in RECIPES))
    assert done.code == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", environment()["PATH"])


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(network_collections()))


def configure(awx: AwxApi, *words: str) -> Done:
    with serving(handler_of(awx)) as url:
        access = {"CONTROLLER_HOST": url, "CONTROLLER_OAUTH_TOKEN": "t", "RACK_RECIPES_DB": STORE}
        given = [word for pair in SITE for word in ("-e", pair)]
        fewer_processes = {"ANSIBLE_PIPELINING": "1"}
        return call("ansible-playbook", "awx/configure.yml", *given, *words, **access, **fewer_processes)


@pytest.mark.usefixtures("collections")
def test_the_modules_of_awx_make_all_of_it(awx_project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(awx_project)
    awx = AwxApi()
    done = configure(awx, "-e", "notification_url=https://chat.example/hook")
    assert done.code == 0, done.stdout + done.stderr
    assert awx.refused == []
    assert "hunter2" not in done.stdout + done.stderr
    for name, (answers, _values) in ANSWERS.items():
        template = awx.named("job_templates", f"rack {name}")
        assert (awx_project / template["playbook"]).exists()
        assert template["job_slice_count"] == len(HOSTS)
        assert awx.launch_errors(f"rack {name}", {**answers, **({"port": 80} if "port" in answers else {})}) == []
        assert awx.launch_errors(f"rack {name}", {}) == []
        assert awx.linked("job_templates", f"rack {name}", "credentials") == ["rack store"]
        told = awx.linked("workflow_job_templates", f"rack {name} workflow", "notification_templates_error")
        assert told == ["rack notification"]
    nodes = awx.objects["workflow_job_template_nodes"]
    assert len(nodes) == 2 * len(RECIPES)
    after = {
        number: links
        for place, links in awx.links.items()
        if links and (number := place.split("/")[1]) in map(str, nodes)
    }
    assert len(after) == len(RECIPES)
    assert awx.named("credentials", "rack store")["inputs"]["db"] == STORE
    env = awx.named("credential_types", "rack store")["injectors"]["env"]
    assert env["RACK_RECIPES_DB"] == "{{ db }}"


@pytest.mark.usefixtures("collections")
def test_awx_is_told_what_it_needs(awx_project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(awx_project)
    done = configure(AwxApi(), "-e", "scm_url=")
    assert done.code == 2
    assert "Give scm_url (the git repository of this project) and image" in done.stdout


@pytest.mark.parametrize(
    "left_out", [RECIPES[1:], pytest.param((), marks=pytest.mark.repeats)], ids=["one recipe", "all"]
)
@pytest.mark.usefixtures("collections")
def test_the_linter_has_nothing_to_say(awx_project: Path, monkeypatch: pytest.MonkeyPatch, left_out: tuple[str, ...]):
    """The playbooks of a recipe differ from those of another by its names and texts."""
    monkeypatch.chdir(awx_project)
    files = sorted(str(path) for path in Path("awx").glob("*.yml") if not path.stem.endswith(left_out))
    done = call("ansible-lint", "--offline", "--profile", "production", *files)
    assert done.code == 0, done.stdout + done.stderr


def test_the_builder_takes_the_image(awx_project: Path, tmp_path: Path):
    file = awx_project / "awx" / "execution-environment.yml"
    words = ("--output-filename", "Containerfile", "--file", file, "--context", tmp_path / "context")
    done = call("ansible-builder", "create", *words)
    assert done.code == 0, done.stdout + done.stderr
    text = (tmp_path / "context" / "Containerfile").read_text()
    assert "quay.io/centos/centos:stream10" in text
    packed = {path.name: path.read_text() for path in (tmp_path / "context" / "_build").iterdir() if path.is_file()}
    assert "rack-recipes[postgresql]" in packed["requirements.txt"]
    assert "openssh-clients" in packed["bindep.txt"]


def test_the_builder_finds_what_the_collection_needs(tmp_path: Path):
    place = tmp_path / "ansible_collections" / "rack"
    place.mkdir(parents=True)
    (place / "recipes").symlink_to(CHECKOUT)
    done = call("ansible-builder", "introspect", tmp_path)
    assert done.code == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    python = {line.partition("  #")[0] for line in found["python"]}
    assert python == set(needs())
    assert any(line.startswith("openssh-clients") for line in found["system"])


def needs() -> list[str]:
    text = (CHECKOUT / "meta" / "ee-requirements.txt").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_every_playbook_is_one_for_awx(awx_project: Path):
    names = {path.name for path in (awx_project / "awx").glob("*.yml") if is_playbook(path.read_text())}
    assert names == {"configure.yml", *(f"{kind}_{name}.yml" for name in RECIPES for kind in ("run", "total"))}


@pytest.fixture(scope="module")
def server() -> Iterator[Uploads]:
    with uploads() as taken:
        yield taken


@pytest.fixture(scope="module")
def jobs(awx_project: Path, server: Uploads, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    """A function that runs the job of a recipe with the answers of its survey, once; its upload may be refused."""
    taken = {"RACK_RECIPES_UPLOAD": f"{server.url}/reports/", "RACK_RECIPES_UPLOAD_AUTHORIZATION": "Bearer hunter2"}
    refused = {"RACK_RECIPES_UPLOAD": f"{server.url}/refused"}

    @cache
    def run(name: str, *, is_refused: bool = False) -> Job:
        own = {"rack_recipes_report": True, "report_formats": ["html", "md", "json"], "awx_job_id": NUMBERS[name]}
        chosen = {"rack_recipes_only": ONLY[name]} if name in ONLY else {}
        given = {**own, **answers_of(name, server), **chosen}
        env = {"RACK_RECIPES_DB": store_of(awx_project), **(refused if is_refused else taken)}
        return run_job(awx_project, tmp_path_factory.mktemp(name), f"awx/run_{name}.yml", given, HOSTS[:1], **env)

    return run


def store_of(project: Path) -> str:
    return f"sqlite:///{project.parent}/results.db"


def answers_of(name: str, server: Uploads) -> dict[str, Any]:
    answers = ANSWERS[name][0]
    port = int(server.url.rpartition(":")[2])
    return {**answers, **({"port": port, "url": server.url} if "url" in answers else {})}


def told_by(job: Job, name: str) -> dict[str, Any]:
    assert f"rack_recipes_job_{NUMBERS[name]}" in job.artifacts, job.output
    told: dict[str, Any] = job.artifacts[f"rack_recipes_job_{NUMBERS[name]}"]
    return told


@pytest.mark.parametrize("name", [*RECIPES[:-1], pytest.param(RECIPES[-1], marks=pytest.mark.repeats)])
def test_answers_reach_the_recipe_with_their_types(awx_project: Path, server: Uploads, jobs: Any, name: str):
    told = told_by(jobs(name), name)
    run = results(told["run_id"], RACK_RECIPES_DB=store_of(awx_project)).run
    wanted = {**answers_of(name, server), **ANSWERS[name][1]}
    assert {each: run["params"][each] for each in wanted} == wanted
    assert {each: type(run["params"][each]) for each in wanted} == {each: type(value) for each, value in wanted.items()}
    assert (told["status"], told["counts"]) == (run["status"], run["counts"])
    assert sum(told["counts"].values())
    assert told["hosts"] == ["h1"]


def test_a_job_leaves_its_report_and_its_address(server: Uploads, jobs: Any):
    done = jobs("host_health")
    assert done.status == "failed"
    told = told_by(done, "host_health")
    assert told["status"] == "failed"
    assert told["report"] == f"{server.url}/reports/{told['run_id']}/report.html"
    page = told["report"].removeprefix(server.url)
    assert told["run_id"].encode() in server.files[page]
    names = {Path(path).name for path in server.files if told["run_id"] in path}
    assert names == {"report.html", "report.md", "report.json"}
    assert server.headers[page]["Content-Type"].startswith("text/html")
    assert server.headers[page]["Authorization"] == "Bearer hunter2"
    assert "hunter2" not in done.output + json.dumps(done.artifacts)
    assert len(json.dumps(done.artifacts)) < 2000


def test_a_refused_upload_is_told(server: Uploads, jobs: Any):
    told = told_by(jobs("host_health", is_refused=True), "host_health")
    assert told["report"] == ""
    assert told["report_error"].startswith(f"the report was not uploaded: PUT {server.url}/refused/{told['run_id']}/")
    assert "403" in told["report_error"]


def part(number: int, *hosts: str) -> dict[str, Any]:
    told = {"job": str(number), "run_id": f"R{number}", "status": "passed", "counts": {"passed": 2}, "hosts": [*hosts]}
    done = {**told, "causes": [], "report": f"http://x/R{number}", "report_error": ""}
    return {f"rack_recipes_job_{number}": done}


def test_the_last_job_adds_up_the_others(awx_project: Path, tmp_path: Path):
    """The artifacts of the jobs before it are its extra variables."""
    parts = {**part(11, "h1", "h3"), **part(12, "h2", "h4")}
    done = run_job(awx_project, tmp_path, "awx/total_host_health.yml", {**parts, "awx_job_id": 13}, HOSTS)
    assert done.status == "successful", done.output
    total = done.artifacts["rack_recipes_total"]
    assert (total["status"], total["counts"], total["hosts"]) == ("passed", {"passed": 4}, 4)
    assert total["reports"] == ["http://x/R11", "http://x/R12"]
