# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the archive for Galaxy: that of `ansible-galaxy collection build`, with links that lead somewhere from there.

    .venv/bin/python tests/tools/build_collection.py FOLDER

Galaxy shows the README without the files beside it, so all of its links become addresses; on the other pages those to
files that are not in the archive.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
from hatch_build import README, with_addresses

METADATA = "galaxy.yml"


def main(to: str) -> None:
    """Make the archive in a folder. What is in it shows a first one, of the checkout as it stands."""
    version = yaml.safe_load((ROOT / METADATA).read_text(encoding="utf-8"))["version"]
    with TemporaryDirectory() as name:
        folder, files = Path(name), Path(name, "files")
        build(ROOT, folder)
        [archive] = folder.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(files, filter="data")
            packed = opened.getnames()
        shutil.copy(ROOT / METADATA, files)
        for path in files.rglob("*.md"):
            page = path.relative_to(files).as_posix()
            kept = () if page == README else packed
            text = with_addresses(path.read_text(encoding="utf-8"), page, f"v{version}", kept.__contains__)
            path.write_text(text, encoding="utf-8")
        build(files, Path(to))


def build(collection: Path, folder: Path) -> None:
    """Pack a collection."""
    program = Path(sys.executable).with_name("ansible-galaxy")
    command = (program, "collection", "build", "--force", collection, "--output-path", folder)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1])
