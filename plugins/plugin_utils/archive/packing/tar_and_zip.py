# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder as one archive: the same files give the same bytes, whoever packs them, and when."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.manifest import CHUNK
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.packing.pack_contents import names_in

MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
SECONDS = 315_532_800  # the same for a tar
MODE = 0o644
UNIX = 3
LEVEL = 6


def write_tar(folder: Path, inside: str, target: IO[bytes]) -> None:
    """A tar.gz of a folder's files, below the folder `inside`."""
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names_in(folder):
            info = tarfile.TarInfo(f"{inside}/{name}")
            info.size, info.mtime, info.mode = (folder / name).stat().st_size, SECONDS, MODE
            with (folder / name).open("rb") as file:
                tar.addfile(info, file)


def write_zip(folder: Path, inside: str, target: IO[bytes]) -> None:
    """The same as a zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names_in(folder):
            info = zipfile.ZipInfo(f"{inside}/{name}", MOMENT)
            info.create_system, info.external_attr = UNIX, MODE << 16
            info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, (folder / name).stat().st_size
            with (folder / name).open("rb") as file, archive.open(info, "w") as member:
                shutil.copyfileobj(file, member, CHUNK)


# By the suffix of the archive's name.
WRITERS: Mapping[str, Callable[[Path, str, IO[bytes]], None]] = {
    ".tar.gz": write_tar,
    ".tgz": write_tar,
    ".zip": write_zip,
}
