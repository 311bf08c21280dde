# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics, the rules and the scrape configuration of the docs, read by Prometheus and by its own tool."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.web.ten_runs import store_ten_runs
from ansible_collections.rack.recipes.tests.integration.web.web_server import TIMEOUT, web_server
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from service_supervisor import free_port, program

PAGE = Path(__file__).resolve().parents[3] / "docs/monitoring.md"
HOSTILE = 'x"} 1\n# TYPE y \\'


def promtool(*words: str, stdin: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [program("promtool", "promtool"), *words], input=stdin, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with ten runs; the test of the last one has a name that wants to do harm."""
    made = tmp_path_factory.mktemp("monitoring")
    with chdir(made):
        Path("ansible.cfg").write_text("[defaults]\n")
        store_ten_runs(HOSTILE)
    return made


def test_promtool_finds_nothing_to_complain_of(folder, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, _err = call("metrics")
    assert (code, promtool("check", "metrics", stdin=out)) == (0, (0, ""))


def test_a_file_for_node_exporter_has_the_same(folder, monkeypatch):
    monkeypatch.chdir(folder)
    printed = call("metrics").out
    done = call("metrics", "--output", "rack.prom")
    assert (done.answer, Path("rack.prom").read_text()) == ({"status": "ok", "file": "rack.prom"}, printed)
    assert call("metrics", "--json").answer["metrics"][0]["name"] == "rack_recipes_build_info"


def test_a_store_that_cannot_be_read_leaves_the_file_as_it_is(project):
    Path("rack.prom").write_text("old\n")
    code, _out, err = call("metrics", "--output", "rack.prom")
    assert (code, "there is no store yet" in err, Path("rack.prom").read_text()) == (5, True, "old\n")


def shown(first: str) -> str:
    """The YAML of the docs that begins with this word."""
    [found] = re.findall(rf"```yaml shown\n({first}:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def test_the_rules_of_the_docs_are_rules(tmp_path):
    (tmp_path / "rules.yml").write_text(shown("groups"))
    assert promtool("check", "rules", str(tmp_path / "rules.yml"))[0] == 0


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """A Prometheus with this configuration and the rules of the docs; its address."""
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "rules.yml").write_text(shown("groups"))
    (folder / "prometheus.yml").write_text(json.dumps({"global": every, "rule_files": ["rules.yml"], **config}))
    listens = f"127.0.0.1:{free_port('127.0.0.1')}"
    places = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "tsdb",
        "web.listen-address": listens,
    }
    words = [program("prometheus", "prometheus"), *(f"--{name}={value}" for name, value in places.items())]
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            yield f"http://{listens}"
        finally:
            process.terminate()


def ask(address: str, query: str) -> list[dict[str, Any]]:
    """The samples of a query, once there are some."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{address}/api/v1/query?{urlencode({'query': query})}", timeout=TIMEOUT) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except URLError:
            found = []
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"Prometheus has no sample of {query}")


def test_a_prometheus_reads_the_page_and_its_alert_fires(folder, tmp_path):
    with web_server(folder) as server:
        (tmp_path / "token").write_text(server.token)
        config = yaml.safe_load(shown("scrape_configs"))
        [job] = config["scrape_configs"]
        job |= {"scheme": "http", "authorization": {"credentials_file": str(tmp_path / "token")}}
        job["static_configs"][0]["targets"] = [server.url.removeprefix("http://")]
        with prometheus(tmp_path, config) as address:
            [up] = ask(address, 'up{job="rack_recipes"} == 1')
            assert up["metric"]["instance"] == server.url.removeprefix("http://")
            [last] = ask(address, "rack_recipes_last_run_failing_hosts > 0")
            assert (last["metric"]["test"], last["value"][1]) == (HOSTILE, "3")
            [alert] = ask(address, 'ALERTS{alertname="RackTestFailed"}')
            assert alert["metric"]["test"] == HOSTILE
