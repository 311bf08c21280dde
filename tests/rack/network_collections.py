# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ansible collections for network devices, out of the Python package `ansible`.

That package has a hundred collections and takes half a gigabyte. So it is not installed: these few are unpacked, once.
`python network_collections.py` does that and prints where they are.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGE = "ansible>=14.5,<15"
COLLECTIONS = ("ansible/netcommon", "ansible/utils", "arista/eos", "cisco/ios", "cisco/nxos")
PLACE = Path(__file__).parents[2] / ".nox" / "network-collections"


def network_collections() -> Path:
    """The folder to name in ANSIBLE_COLLECTIONS_PATH; the collections are fetched where they are not there yet."""
    if not (PLACE / "complete").exists():
        with TemporaryDirectory() as name:
            _download(name)
            [wheel] = Path(name).glob("ansible-*.whl")
            _unpack(wheel)
        (PLACE / "complete").touch()
    return PLACE


def _download(folder: str) -> None:
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
    subprocess.run([*command, "--dest", folder, PACKAGE], check=True)


def _unpack(wheel: Path) -> None:
    wanted = tuple(f"ansible_collections/{name}/" for name in COLLECTIONS)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(PLACE, [name for name in archive.namelist() if name.startswith(wanted)])


if __name__ == "__main__":
    print(network_collections())
