# SPDX-License-Identifier: GPL-3.0-or-later

"""Only the user of a run can read its files, whatever the umask is, on the controller and on the host."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from call_rack_recipes import COMMAND, environment, results, shell, write_recipe

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
    Path("scriptlets/t/look.sh").write_text(LOOK)
    Path("scriptlets/t/look.yml").write_text("description: Looks\nwrites: [t.look_v1]\n")
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
