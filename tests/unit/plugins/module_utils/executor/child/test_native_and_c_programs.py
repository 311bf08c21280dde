# SPDX-License-Identifier: GPL-3.0-or-later

"""Native scriptlets: C sources compiled by the compiler of this machine, and programs that are ready."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import step

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler on this machine")

ROOT_2 = """
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    printf("{\\"status\\":\\"ok\\",\\"outputs\\":{\\"root_v1\\":%.3f}}\\n", sqrt(atof(getenv("RACK_PARAM_OF"))));
    return 0;
}
"""
SAYS_OK = '#include <stdio.h>\nint main(void) { puts("{\\"status\\":\\"ok\\"}"); return 0; }\n'
# Counts how often it is called.
COMPILER = '#!/bin/sh\necho called >> "$CALLS"\nexec cc "$@"\n'


@pytest.fixture
def calls(work, monkeypatch):
    """How often the compiler was called."""
    compiler, log = work.folder.parent / "counting-cc", work.folder.parent / "calls"
    compiler.write_text(COMPILER)
    compiler.chmod(0o700)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("CALLS", str(log))
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


def test_a_c_source_is_compiled_and_run(work):
    ran = work.run(work.source(ROOT_2, flags=["-O1", "-lm"], args={"of": 2}))
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] == 1.414


def test_it_is_compiled_once(work, calls):
    for _time in range(3):
        assert work.run(work.source(SAYS_OK)).outcome == ("passed", "")
    assert calls() == 1
    assert [path.name for path in work.cache.iterdir()] == [f"sha256-1-{os.uname().machine}"]
    assert sorted(path.name for path in work.folder.iterdir()) == ["program.c"]


def test_another_digest_is_compiled_again(work, calls):
    work.run(work.source(SAYS_OK), work.source(SAYS_OK, "again", digest="sha256:2"))
    assert calls() == 2


def test_hosts_that_are_one_machine_compile_beside_each_other(work):
    steps = [work.source(SAYS_OK, f"p{number}", parallel=True) for number in range(4)]
    assert set(work.run(*steps).verdicts.values()) == {"passed"}
    assert len(list(work.cache.iterdir())) == 1


def test_a_source_with_a_mistake_is_told(work):
    ran = work.run(work.source("int main(void) {\n    return sum;\n}\n"))
    verdict, reason = ran.outcome
    assert verdict == "error"
    assert reason.startswith("the C source does not compile: ")
    assert "program.c:2:" in reason
    assert "sum" in reason
    assert reason.partition(": ")[2] in ran.attempt["stderr"]
    assert not list(work.cache.iterdir())


def test_what_does_not_link_is_told(work):
    reason = work.run(work.source("int other(void) { return 0; }\n")).outcome[1]
    assert "undefined reference to `main'" in reason


def test_a_compiler_that_says_nothing(work, monkeypatch):
    monkeypatch.setenv("CC", "false")
    assert work.run(work.source(SAYS_OK)).outcome == (
        "error",
        "the C source does not compile: the compiler says nothing",
    )


def test_warnings_are_in_the_log(work):
    ran = work.run(work.source("#warning old\n" + SAYS_OK))
    assert ran.outcome == ("passed", "")
    assert "old" in ran.attempt["stderr"]


def test_a_host_without_compiler_is_told(work, monkeypatch):
    monkeypatch.setenv("PATH", str(work.cache))
    monkeypatch.delenv("CC", raising=False)
    assert work.run(work.source(SAYS_OK)).outcome == ("error", "no C compiler (cc, gcc, clang) on this host")


def test_programs_that_cannot_be_kept_are_told(work):
    work.cache.rmdir()
    verdict, reason = work.run(work.source(SAYS_OK)).outcome
    assert verdict == "error"
    assert "No such file or directory" in reason


def test_a_compiler_that_hangs_is_stopped_in_time(work, monkeypatch):
    compiler = work.folder.parent / "slow-cc"
    compiler.write_text("#!/bin/sh\nsleep 600\n")
    compiler.chmod(0o700)
    monkeypatch.setenv("CC", str(compiler))
    assert work.run(work.source(SAYS_OK, timeout=0.5)).outcome == ("error", "timed out after 0.5 s")
    assert not list(work.cache.iterdir())


def test_a_program_that_is_ready_runs(work):
    shutil.copy(shutil.which("cat"), work.folder / "ready")
    (work.folder / "ready").chmod(0o600)
    ran = work.run(step("ready", kind="native", file="ready", digest="sha256:3", args={"a": 1}))
    assert json.loads(ran.attempt["stdout"])["params"] == {"a": 1}


def test_what_is_no_program_is_told(work):
    (work.folder / "ready").write_bytes(b"\x7fELF and no more")
    reason = work.run(step("ready", kind="native", file="ready", digest="sha256:3")).outcome[1]
    assert reason.startswith(f"printed no envelope: its stdout is empty (exit code 127: {work.folder}/ready: ")


@pytest.mark.parametrize("file", ["gone", "gone.c"])
def test_a_missing_file_is_told(work, file):
    ran = work.run(step("s", kind="native", file=file, digest="sha256:3"))
    assert ran.outcome == ("error", f"{work.folder}/{file}: No such file or directory")


INSIDE = """
import json, os, shutil, sys
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, Work, step
os.mkdir("work")
os.chdir("work")
work = Work(os.getcwd())
shutil.copy(shutil.which("true"), "ready")
ready = step("ready", kind="native", file="ready", digest="sha256:3")
ran = work.run(work.script("#!/bin/sh\\n" + OK), work.source(sys.argv[1]), ready)
print(json.dumps(ran.reasons))
"""


def test_a_folder_that_is_mounted_noexec_is_enough(tmp_path):
    if os.geteuid() or shutil.which("unshare") is None or os.system("unshare -m true 2> /dev/null"):
        pytest.skip("cannot mount anything here")
    Path(tmp_path, "inside.py").write_text(INSIDE)
    mount = 'mount -t tmpfs -o noexec tmpfs "$1" && cd "$1" && shift && exec "$@"'
    (tmp_path / "mounted").mkdir()
    command = ["unshare", "-m", "sh", "-c", mount, "sh", tmp_path / "mounted", sys.executable, tmp_path / "inside.py"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, SAYS_OK], stdout=subprocess.PIPE, env=env, check=True)
    nothing = "printed no envelope: its stdout is empty"  # and no exit code: it ran
    assert json.loads(done.stdout) == {"script": "", "program": "", "ready": nothing}
