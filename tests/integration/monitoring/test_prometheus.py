# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics and the rules of the docs, as Prometheus' own tool reads them."""

from __future__ import annotations

import re
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.integration.web.ten_runs import store_ten_runs
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.call_command import call
from service_supervisor import program

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


def test_the_rules_of_the_docs_are_rules(tmp_path):
    [rules] = re.findall(r"```yaml shown\n(groups:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "rules.yml").write_text(rules)
    assert promtool("check", "rules", str(tmp_path / "rules.yml"))[0] == 0
