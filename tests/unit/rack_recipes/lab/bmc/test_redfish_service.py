# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator of one BMC, in a process of its own as in a rack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rack_recipes.lab.bmc import hardware_and_event_log
from rack_recipes.lab.rack_first_process import PIDS

pytest.importorskip("sushy_tools")
ASK = """\
import base64, json, sys, threading, uuid
from pathlib import Path
from sushy_tools.emulator import main as emulator
from rack_recipes.lab.bmc import redfish_service
from rack_recipes.lab.bmc.redfish_bmcs import Bmc

folder = Path(sys.argv[1])
bmc = Bmc("server1", folder / "bmc/server1", str(uuid.uuid4()), str(uuid.uuid4()))
app = redfish_service.make_app(emulator, folder / "spec.json", bmc)
paths = [f"/redfish/v1/Systems/{bmc.system}", "/redfish/v1/Systems", bmc.chassis_path, f"{bmc.chassis_path}/Power"]
user = {"Authorization": "Basic " + base64.b64encode(b"admin:secret").decode()}
together, found = threading.Barrier(16), []

def ask(path):
    together.wait()
    answer = app.test_client().get(path, headers=user)
    found.append(answer.status_code if answer.status_code == 200 else (path, answer.text))

threads = [threading.Thread(target=ask, args=(path,)) for path in paths * 4]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(found))
"""


def test_a_new_bmc_answers_many_clients_at_once_and_keeps_no_files(tmp_path: Path) -> None:
    """It kept its state in an SQLite file, which was locked where several clients were its first."""
    import bcrypt

    hardware_and_event_log.make_hardware(tmp_path / "bmc/server1")
    (tmp_path / PIDS).mkdir()
    (tmp_path / PIDS / "server1").touch()
    (tmp_path / "spec.json").write_text(json.dumps({"folder": str(tmp_path)}))
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "bmc/users").write_text(f"admin:{hashed}\n")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", ASK, tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [200] * 16
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
