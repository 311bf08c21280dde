# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the runner in a new Python process, as the controller does on a host: message and code come on stdin."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils import journal_record
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    children_of,
    has_died,
    request,
)

CODE = "ansible_collections/rack/recipes/plugins/module_utils"
# As the controller's, but for where the host keeps its folders and for its patience.
BOOT = """
import gc, os, sys
gc.disable()
read = sys.stdin.buffer
n, m = map(int, read.readline().split())
arguments, code = read.read(n), read.read(m)
memory = os.memfd_create("rack")
os.write(memory, code)
path = "/proc/self/fd/%d" % memory
sys.path.insert(0, sys.argv[2] or path)
from ansible_collections.rack.recipes.plugins.module_utils.runner import host_folders
host_folders.BASES = (sys.argv[1],)
from ansible_collections.rack.recipes.plugins.module_utils.runner import main
main.RENEWAL = 0.2
main.main(arguments, path)
os._exit(0)
"""


class Answer(NamedTuple):
    state: str
    offset: int
    records: list
    boot_id: str
    reason: str = ""
    concealed: str = ""
    lost: dict | None = None

    @property
    def reasons(self):
        return {each["step"]: each["reason"] for each in self.records if each["kind"] == "step"}


def module_utils():
    """The files of the executor, by their names in a payload."""
    folder = Path(journal_record.__file__).parent
    return {f"{CODE}/{path.relative_to(folder)}": path.read_text("utf-8") for path in folder.rglob("*.py")}


def pack(files):
    """A zip of the executor and of `files`, by name, as the controller makes it."""
    contents = {**module_utils(), **files}
    code = [name for name in contents if name.endswith(".py")]
    packages = {f"{parent}/__init__.py" for name in code for parent in list(Path(name).parents)[:-1]}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**dict.fromkeys(packages, ""), **contents}.items():
            archive.writestr(name, text)
    return target.getvalue()


class Host:
    """A host whose folders are below `place`."""

    def __init__(self, place):
        self.place = place
        self.base = place / "var" / f"rack-recipes-{os.geteuid()}"
        self.code = ""
        self.clock = [0.0, 0.0]
        (place / "var").mkdir()
        (place / "home").mkdir()

    def begin(self, message, files=None):
        """Send a message. Return the process that handles it."""
        text, payload = json.dumps(message).encode(), pack(files or {})
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.place / "home")}
        asked = subprocess.Popen(
            [sys.executable, "-S", "-c", BOOT, self.place / "var", self.code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
        asked.stdin.write(b"%d %d\n%b%b" % (len(text), len(payload), text, payload))
        asked.stdin.close()
        asked.stdin = None
        return asked

    def ask(self, message, files=None):
        """Send a message and read the answer."""
        stdout, _stderr = self.begin(message, files).communicate()
        before, mark, answer = stdout.decode("utf-8").partition(f"\n{MARK}{message['id']}\n")
        assert (before, mark != "") == ("", True)
        *lines, last = answer.strip("\n").split("\n")
        records = [journal_record.decode(line.encode()) for line in lines if line]
        assert None not in records
        status = json.loads(last)
        self.clock = status.pop("clock")  # never the same again
        return Answer(records=records, **status)

    def start(self, *steps, files=None, **fields):
        """Start a stage."""
        return self.ask(self.message(*steps, files=files, **fields), files)

    def message(self, *steps, files=None, **fields):
        data = [name for name in files or {} if not name.endswith(".py")]
        usual = {"id": "stage1", "run": "run1", "offset": 0, "attach": 60, "lease": 60, "collected": [], "files": data}
        return {**request(*steps), **usual, "code": {"digest": "1", "files": []}, **fields}

    def poll(self, name="stage1", offset=0, attach=60):
        """Ask how a stage goes on."""
        return self.ask({"id": name, "offset": offset, "attach": attach})

    def runners(self):
        """The process numbers of the stages' runners."""
        found = (path.read_text().split() for path in self.base.glob("*/runner"))
        return [int(words[0]) for words in found if words]  # one that just starts has not left its number yet

    def stop(self):
        """End the processes that still run, and wait for those that are ending."""
        for runner in self.runners():
            with suppress(FileNotFoundError, ProcessLookupError):  # it may just have ended
                for pid in (*children_of(runner), runner):
                    os.kill(pid, signal.SIGKILL)
        for path in self.base.glob("*/ended"):
            has_died(int(path.read_text().split()[0]))
