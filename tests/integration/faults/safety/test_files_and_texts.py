# SPDX-License-Identifier: GPL-3.0-or-later

"""Nobody else reads what a run writes, and texts of hosts change nothing where they are shown."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

from call_rack_recipes import (
    COMMAND,
    environment,
    rack_recipes,
    results,
    run_recipe,
    shell,
    write_recipe,
    write_scriptlet,
)

OPEN = 0o077
LOOK = """\
#!/bin/sh
# The stage's folder lies in that of its user, which is named so; nobody else can enter either.
stage=$(cd "$(dirname "$0")" && pwd -P)
until case $(dirname "$stage") in */rack-recipes-*/*) false ;; esac; do stage=$(dirname "$stage"); done
user=$(dirname "$stage")
open=$({ find "$user" -maxdepth 0 -perm /077; find "$stage" -maxdepth 1 -perm /077 ! -type l; } | head | tr '\\n' ' ')
printf '{"status": "ok", "outputs": {"t.look_v1": {"open": "%s", "files": %d, "stage": "%s"}}}\\n' \\
    "$open" "$(find "$stage" | wc -l)" "$stage"
"""


def run_without_umask(*words: str) -> None:
    command = ["sh", "-c", 'umask 0; exec "$@"', "sh", sys.executable, "-c", COMMAND, *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def open_to_others(folder: Path) -> list[str]:
    """What others may read, write or enter, with its mode."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.lstat().st_mode for path in paths}
    return sorted(
        f"{path} {stat.filemode(mode)}" for path, mode in modes.items() if mode & OPEN and not stat.S_ISLNK(mode)
    )


def test_nobody_else_can_read_what_a_run_writes(steps: Path):
    write_scriptlet("t.look", LOOK, "description: Looks\nwrites: [t.look_v1]\n")
    success = {"ctx_has_keys": ["t.look_v1"]}
    recipe = write_recipe([shell("ok"), {**shell("look"), "success": success}, shell("total_step", "ok", scope="run")])
    run_without_umask("run", recipe, "--report", "--debug")
    run_without_umask("run", recipe, "--flush-now", "--resume", "last")
    for words in (("show",), ("report",), ("ctx", "show"), ("flush",)):
        run_without_umask(*words)
    made = Path(".rack-recipes")
    assert {"results.db", "compiled", "runs"} <= {path.name for path in made.iterdir()}
    assert [*made.glob("runs/*/report/*.html")]
    assert open_to_others(made) == []
    (looked,) = [value for (key, _host), value in results().context.items() if key == "t.look_v1"][:1]
    assert looked["files"] > 5, looked
    assert looked["open"] == "", looked


def test_the_folder_on_a_host_is_the_user_s_alone():
    """It is made where everybody may write, under a name that anybody can guess."""
    for base in ("/var/tmp", "/tmp"):
        folder = Path(base, f"rack-recipes-{os.geteuid()}")
        if folder.exists():
            found = folder.lstat()
            assert (stat.S_ISDIR(found.st_mode), found.st_uid, found.st_mode & OPEN) == (True, os.geteuid(), 0)


TEXTS = [
    "{{ lookup('pipe', 'touch MARK') }}",
    "{% for x in [1] %}{{ lookup('pipe', 'touch MARK') }}{% endfor %}",
    "${t.other_v1}",
    "=cmd|'/C touch MARK'!A0",
    "@SUM(1)",
    "<script>document.title='MARK'</script>",
    "\u001b[2J\u001b]0;MARK\u0007",
    "../../../MARK",
    "$(touch MARK)`touch MARK`;touch MARK",
    "' OR '1'='1'; DROP TABLE runs; --",
]
SAYS = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet, Failed
class Says(Scriptlet):
    writes = ("t.said_v1", "t.other_v1")
    def run(self, ctx, params):
        ctx.set("t.other_v1", "resolved")
        ctx.set("t.said_v1", TEXTS)
"""
REPEATS = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet, Failed
class Repeats(Scriptlet):
    options = {"key": {"type": "str"}, "texts": {"type": "list", "elements": "str"}, "fail": {"type": "bool"}}
    def run(self, ctx, params):
        ctx.set(params["key"], params["texts"])
        for number, text in enumerate(params["texts"]):
            ctx.measure(text[:60] or "x", number)
        if params["fail"]:
            raise Failed(" ".join(params["texts"]))
"""
NOTES = """\
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
class Notes(Scriptlet):
    options = {"texts": {"type": "list", "elements": "str"}}
    def run(self, ctx, params):
        if params["texts"]:
            ctx.set("t.hooked_v1", params["texts"])
"""
KNOWN = "((ansible_facts.rack_recipes | default({})).context | default({}))['t.said_v1'] | default([])"
HOOKS = {"post_step": [{"module": "t.notes", "args": {"texts": f"{{{{ {KNOWN} }}}}"}}]}
FACT = "ansible_facts.rack_recipes.context['t.said_v1']"
STEPS = [
    {"name": "say", "module": "t.says", "success": "none"},
    {"name": "by_reference", "module": "t.repeats", "args": {"key": "t.one_v1", "texts": "${t.said_v1}"}},
    {
        "name": "by_lookup",
        "module": "t.repeats",
        "args": {"key": "t.two_v1", "texts": "{{ lookup('rack.recipes.context', 't.said_v1') }}"},
        "depends_on": ["say"],
    },
    {
        "name": "by_fact",
        "module": "t.repeats",
        "args": {"key": "t.three_v1", "texts": f"{{{{ {FACT} }}}}", "fail": True},
    },
    {
        "name": "by_module",
        "type": "ansible",
        "module": "ansible.builtin.debug",
        "args": {"msg": "{{ lookup('rack.recipes.context', 't.said_v1') }}"},
        "depends_on": ["say"],
    },
]


def test_text_of_a_host_is_text(project: Path):
    folder = project / "scriptlets/t"
    folder.mkdir(parents=True)
    texts = [text.replace("MARK", "pwned") for text in TEXTS]
    (folder / "says.py").write_text(SAYS.replace("TEXTS", repr(texts)))
    (folder / "repeats.py").write_text(REPEATS)
    steps = [{"success": "none", "depends_on": ["say"] if step["name"] != "say" else [], **step} for step in STEPS]
    (folder / "notes.py").write_text(NOTES)
    Path("recipe.yml").write_text(json.dumps({"test_meta": {"test_id": "T-1"}, "hooks": HOOKS, "steps": steps}))
    done = run_recipe("recipe.yml", "--report", "--", "-v")
    found = results()
    verdicts = {step: row["verdict"] for (step, _host), row in found.steps.items()}
    wanted = dict.fromkeys(("say", "by_reference", "by_lookup", "by_module"), "passed")
    assert verdicts == {**wanted, "by_fact": "failed"}, done.stderr
    for key in ("t.said_v1", "t.one_v1", "t.two_v1", "t.three_v1", "t.hooked_v1"):
        assert found.context[key, "localhost"] == texts
    assert found.steps["by_fact", "localhost"]["reason"] == " ".join(texts)
    assert found.steps["say", "localhost"]["verdict"] == "passed"
    assert not [path for path in (*project.rglob("*"), *project.parent.glob("*")) if path.name == "pwned"]
    check_shown(project, done.stderr + rack_recipes("show").stdout + rack_recipes("ctx", "show").stdout)


def check_shown(project: Path, told: str) -> None:
    """Nothing steers a terminal, a browser or a spreadsheet."""
    assert "\u001b]0" not in told
    assert "\u001b[2J" not in told
    report = next((project / ".rack-recipes/runs").glob("*/report"))
    (page,) = report.glob("*.html")
    assert "<script>document.title" not in page.read_text()
    for path in report.rglob("*.csv"):
        with path.open(newline="") as file:
            assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=cmd", "@SUM"))]
    (sheets,) = report.glob("*.xlsx")
    with zipfile.ZipFile(sheets) as archive:
        assert not [name for name in archive.namelist() if b"<f>" in archive.read(name)]
