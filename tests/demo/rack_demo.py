# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts a virtual rack, tests it, swaps two of its cables, tests it again, and ends it. It needs root.

rack_demo.py [FOLDER]: in this folder, else in the folder of the checkout.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("rack-recipes")
RUN = (
    "run", str(ROOT / "recipes/fabric.yml"), "-i", ".rack-recipes/rack/inventory.yml",
    "-e", "kernel_log=/var/log/kern.log", "-e", "disk=/srv/disk",
)  # fmt: skip
DROP = ("rack", "break", "dropped-network", "--where", "spine2")
NAMED: Mapping[str, str] = {"a spine that drops a network": "spine2 says"}
SWAP = ("rack", "break", "swapped-cables", "--where", "leaf4:swp3")


def main(folder: Path) -> int:
    """Run the demo in a folder. Returns 0 where the rack passed whole and did not pass with swapped cables."""
    codes, answer = broken_rack(folder, SWAP)
    call(folder, "analyse", answer["run_id"])
    print(*(path for path in answer["report"] if path.endswith(".html")), sep="\n")
    return 0 if codes == (0, 1) else 1


def broken_rack(folder: Path, fault: Sequence[str]) -> tuple[tuple[int, int], dict[str, Any]]:
    """Test a rack, break it and test it again; returns both exit codes, and the answer of the second run."""
    if call(folder, "rack", "up"):
        raise SystemExit(1)
    try:
        healthy, _answer = test(folder)
        call(folder, *fault)
        broken, answer = test(folder, "--report")
    finally:
        call(folder, "rack", "down")
    return (healthy, broken), answer


def write_report(folder: Path) -> Path:
    """The page of a rack in which a spine drops what goes to one leaf."""
    files: list[str] = broken_rack(folder, DROP)[1]["report"]
    return folder / next(path for path in files if path.endswith("report.html"))


def call(folder: Path, *words: str) -> int:
    """Show a command and run it; returns its exit code."""
    print("$ rack-recipes", *words, file=sys.stderr, flush=True)
    return subprocess.run((COMMAND, *words), cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode


def test(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Show the test of the rack and run it; returns its exit code and its answer."""
    print("$ rack-recipes", *RUN, *options, file=sys.stderr, flush=True)
    done = subprocess.run(
        (COMMAND, *RUN, *options), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
