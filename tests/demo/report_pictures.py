# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the pictures of the README: the first screen of the report of a run that failed for one cause.

    .venv/bin/python tests/demo/report_pictures.py [FOLDER]

Runs a recipe twice over eight SSH hosts of its own: first all is well, then the uplink of one leaf is down. Writes
report-light.png and report-dark.png into FOLDER (docs/images). Needs Chromium and playwright.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "rack"))
from ssh_hosts import Rack

COMMAND = Path(sys.executable).with_name("rack-recipes")
CHROMIUM = "/usr/bin/chromium"
SIZE: Any = {"width": 1340, "height": 860}
LEAVES = {"leaf1": ("r01", "r02", "r03"), "leaf2": ("r04", "r05", "r06"), "leaf3": ("r07", "r08")}
BROKEN = LEAVES["leaf2"]
DOWN = "uplink.down"  # in the home folder of a host whose uplink is down

RECIPE = {
    "test_meta": {"test_id": "rack-acceptance", "tester": "night shift",
                  "description": "Inventory, uplinks, throughput and disks of eight servers behind three leaves"},
    "steps": [
        {"name": name, "type": "shell", "module": f"rack.{name}", "success": success, "depends_on": needs}
        for name, success, needs in (
            ("inventory", "none", []),
            ("uplink", "none", ["inventory"]),
            ("throughput", {"values": [{"name": "rate", "value": "${rack.rate_v1.gbit}", "min": 90, "unit": "Gb/s"}]},
             ["uplink"]),
            ("disk", "none", ["inventory"]),
        )
    ],
}  # fmt: skip
ANSWER = """echo '{"status": "ok", "outputs": {}}'
"""
RATE = """\
gbit=9$((5 + $$ % 4)).$(($$ % 10))
printf '{"status": "ok", "outputs": {"rack.rate_v1": {"gbit": %s}}}\\n' "$gbit"
"""
UPLINK = f"""\
if [ -e "$HOME/{DOWN}" ]; then
    echo '{{"status": "failed", "reason": "eth1 has no carrier"}}'
    exit 1
fi
"""
SCRIPTS = {
    "inventory": ("[]", ANSWER),
    "uplink": ("[]", UPLINK + ANSWER),
    "throughput": ("[rack.rate_v1]", RATE),
    "disk": ("[]", ANSWER),
}


def main() -> None:
    """Make the pictures and print their paths."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "images").absolute()
    with tempfile.TemporaryDirectory() as name, Rack(8) as rack:
        project = Path(name)
        write_project(project)
        run(project, rack)
        for host in BROKEN:
            (rack.folder / host / DOWN).touch()
        answer = run(project, rack)
        page = next(path for path in answer["report"] if path.endswith("report.html"))
        target.mkdir(exist_ok=True)
        print(*pictures(project / page, target), sep="\n")


def write_project(project: Path) -> None:
    """A project with the recipe, its scriptlets, and what the inventory says of the hosts."""
    folder = project / "scriptlets" / "rack"
    folder.mkdir(parents=True)
    for name, (writes, script) in SCRIPTS.items():
        (folder / f"{name}.sh").write_text(f"#!/bin/sh\n{script}")
        (folder / f"{name}.yml").write_text(f"description: The {name} of a server.\nwrites: {writes}\n")
    (project / "recipe.yml").write_text(json.dumps(RECIPE))
    (project / "places.yml").write_text(json.dumps({"all": {"children": dict(places())}}))


def places() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where the hosts stand and what they hang on, as groups of an inventory."""
    position = 2
    for leaf, hosts in LEAVES.items():
        own = {}
        for host in hosts:
            own[host] = {"position": position, "rack": "A1" if position < 10 else "A2"}
            position += 2
        yield leaf, {"vars": {"leaf": leaf}, "hosts": own}


def run(project: Path, rack: Rack) -> dict[str, Any]:
    """Run the recipe; returns the answer."""
    command: list[str | Path] = [COMMAND, "run", "recipe.yml", "-i", rack.inventory, "-i", "places.yml", "--report"]
    environment = {**os.environ, "ANSIBLE_CALLBACKS_ENABLED": "rack.recipes.recorder"}
    done = subprocess.run(command, cwd=project, env=environment, stdout=subprocess.PIPE, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def pictures(page: Path, target: Path) -> Iterator[Path]:
    """The first screen, light and dark."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        for scheme in ("light", "dark"):
            context = browser.new_context(offline=True, color_scheme=scheme, viewport=SIZE, reduced_motion="reduce")
            view = context.new_page()
            view.goto(page.as_uri())
            view.wait_for_selector("html[data-ready]")
            path = target / f"report-{scheme}.png"
            view.screenshot(path=path)
            yield path
        browser.close()


if __name__ == "__main__":
    main()
