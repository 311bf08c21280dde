# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/host_setup.yml on a server of a virtual rack: set up as expected, and with a hanging mount and worse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from virtual_racks import NEEDS_ROOT, virtual_rack

from call_rack_recipes import Results, rack_recipes, results
from rack_recipes.lab.faults import break_rack
from rack_recipes.lab.rack_state import RackState

pytestmark = [NEEDS_ROOT, pytest.mark.usefixtures("own_recipes")]

PARAMS = {
    "kernel_settings": "{net.ipv4.ip_forward: 0, net.core.somaxconn: {min: 128}}",
    "packages": "{bash: '', iproute2: '*'}",
    "limits": "{nofile: 64}",
    "paths": "{/srv/disk: {kind: folder, writable: true}, /etc/hostname: {kind: file, owner: root}}",
    "processes": "{sshd: 1}",
    "large_pieces_mib": "1",
    "write": "[/srv/disk, /tmp]",
    "seconds": "8",  # a busy machine may take long for a file of a few bytes
}
JUDGED = (
    "release", "uptime", "kernel", "packages", "limits", "paths", "processes", "fragments", "cores", "mounts", "login",
)  # fmt: skip
# A file system (FUSE) whose server never says a word: whoever asks it waits, as with an NFS server that is away. And a
# process that has ended, with a parent that takes no note.
BREAK = """
mkdir -p /srv/hangs
setsid python3 -c '
import ctypes, os, time
fuse = os.open("/dev/fuse", os.O_RDWR)
data = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse
assert not ctypes.CDLL(None).mount(b"rack", b"/srv/hangs", b"fuse.rack", 0, data)
os.fork() or os._exit(0)
open("/tmp/broken", "w").close()
time.sleep(600)
' >/dev/null 2>&1 </dev/null &
until [ -e /tmp/broken ]; do sleep 0.05; done
sysctl -q net.ipv4.ip_forward=1
rm /etc/hostname
"""


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack with one server, without BMCs."""
    with virtual_rack(tmp_path_factory.mktemp("setup") / "rack", 1, 1, 1, with_bmcs=False) as state:
        yield state


def run(rack: RackState) -> Results:
    """The results of a run on the server."""
    words = [word for name, value in PARAMS.items() for word in ("--param", f"{name}={value}")]
    # the clock source is that of the machine that runs the tests
    select = ("-i", rack.folder / "inventory.yml", "-l", "server1", "--skip", "clock_source")
    return results(rack_recipes("run", "recipes/host_setup.yml", *select, *words).answer["run_id"])


def test_a_server_as_expected_and_one_with_a_hanging_mount(rack: RackState) -> None:
    found = run(rack)
    reasons = {name: found.steps[name, "server1"]["reason"] for name in JUDGED}
    assert {name: found.verdicts()[name, "server1"] for name in JUDGED} == dict.fromkeys(JUDGED, "passed"), reasons
    boot_id = rack.run("server1", "cat /proc/sys/kernel/random/boot_id").strip()
    assert found.context["host.uptime_v1", "server1"]["boot_id"] == boot_id
    rack.run("server1", BREAK)
    break_rack(rack, "memory-fragments", "server1")
    found = run(rack)
    reasons = {name: found.steps[name, "server1"]["reason"] for name in JUDGED}
    bad = {name for name in JUDGED if found.verdicts()[name, "server1"] == "failed"}
    assert bad == {"kernel", "paths", "processes", "fragments", "mounts"}, reasons
    assert "node0 has 0 MiB of its " in reasons["fragments"]
    assert reasons["mounts"].startswith("/srv/hangs hangs: look at its server and the network to it")
    assert "1 processes are dead and nobody takes note: python3" in reasons["processes"]
    assert reasons["kernel"].startswith("net.ipv4.ip_forward is 1, expected 0: set it in /etc/sysctl.d")
    assert reasons["paths"] == "/etc/hostname is not there: look at what should have made it"
