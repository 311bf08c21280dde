# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ansible collections for network devices, and the one for AWX, out of the Python package `ansible`.

That package has a hundred collections and takes half a gigabyte. So it is not installed: these few are unpacked, once.
Its newest versions have no collection for AWX any more.
`python network_collections.py` does that and prints where they are.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

COLLECTIONS = {
    "ansible>=14.5,<15": ("ansible/netcommon", "ansible/utils", "arista/eos", "cisco/ios", "cisco/nxos"),
    "ansible>=12.3,<13": ("awx/awx",),
}
PLACE = Path(__file__).parents[2] / ".nox" / "network-collections"


def network_collections() -> Path:
    """The folder to name in ANSIBLE_COLLECTIONS_PATH; the collections are fetched where they are not there yet."""
    for package, names in COLLECTIONS.items():
        if not _is_complete(names):
            with TemporaryDirectory() as folder:
                _download(package, folder)
                [wheel] = Path(folder).glob("ansible-*.whl")
                _unpack(wheel, names)
    return PLACE


def _is_complete(names: tuple[str, ...]) -> bool:
    """Whether the collections of a package are there: the file that says so is written last."""
    return all(_mark(name).exists() for name in names)


def _mark(name: str) -> Path:
    return PLACE / "ansible_collections" / name / ".complete"


def _download(package: str, folder: str) -> None:
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
    subprocess.run([*command, "--dest", folder, package], check=True)


def _unpack(wheel: Path, names: tuple[str, ...]) -> None:
    wanted = tuple(f"ansible_collections/{name}/" for name in names)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(PLACE, [name for name in archive.namelist() if name.startswith(wanted)])
    for name in names:
        _mark(name).touch()


if __name__ == "__main__":
    print(network_collections())
