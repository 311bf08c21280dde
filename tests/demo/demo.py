# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs two recipes on SSH hosts of the demo's own and on this machine, and writes the reports of both runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "rack"))
from service_supervisor import ServiceError
from ssh_hosts import Rack

HOSTS = 6
RECIPES = ("recipes/host_inventory.yml", "recipes/numbers.yml")
COMMAND = Path(sys.executable).with_name("rack-recipes")
HERE = Path(__file__).with_name("here.yml")


def main() -> int:
    """Run the demo, print the paths of the reports, and return the exit code of the first run that did not pass."""
    try:
        with Rack(HOSTS) as rack:
            runs = [run(recipe, rack.inventory) for recipe in RECIPES]
    except ServiceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    for recipe, (_code, answer) in zip(RECIPES, runs, strict=True):
        print(f"{recipe}: {answer['status']}", *shown(answer["report"]), sep="\n  ")
    return next((code for code, _answer in runs if code), 0)


def run(recipe: str, inventory: Path) -> tuple[int, dict[str, Any]]:
    """Run a recipe; return the exit code and the answer."""
    command: list[str | Path] = [COMMAND, "run", recipe, "-i", inventory, "-i", HERE, "--report"]
    print("$ rack-recipes", *command[1:], file=sys.stderr, flush=True)
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
    return ended.returncode, json.loads(ended.stdout)


def shown(paths: list[str]) -> list[str]:
    """Return the paths that are shown: for the many CSV files it is their folder."""
    return list(dict.fromkeys(f"{Path(path).parent}/" if path.endswith(".csv") else path for path in paths))


if __name__ == "__main__":
    raise SystemExit(main())
