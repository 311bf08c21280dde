# SPDX-License-Identifier: GPL-3.0-or-later

"""The running server does what its OpenAPI document says, whatever is sent to it: schemathesis, all checks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.rack.recipes.tests.integration.server.network_client import new_token
from ansible_collections.rack.recipes.tests.integration.server.server_process import served

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 200 if "RACK_SOAK" in os.environ else 3  # of each operation
OPTIONS = (
    "--checks",
    "all",
    "--generation-deterministic",
    "--no-color",
    "--phases",
    "examples,coverage,fuzzing,stateful",
)


def test_the_server_keeps_to_its_description(project):
    """It is asked over the network, so that authorization is checked, too."""
    token = new_token("schemathesis", "admin")
    with served("--listen", "127.0.0.1:0", "--requests", "1000000") as server:
        program, url = Path(sys.executable).with_name("schemathesis"), server.ready["url"]
        words = [program, "--config-file", CONFIG, "run", f"{url}/openapi.json", "-n", str(EXAMPLES), *OPTIONS]
        own = {**os.environ, "RACK_TEST_TOKEN": token}
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900, env=own)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        assert server.log.read_text() == "", "no fault of ours"
