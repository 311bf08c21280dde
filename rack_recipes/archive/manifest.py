# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names in a pack, its manifest, and its list of checksums.

The manifest has the size and the SHA-256 of each file except of itself and of `SHA256SUMS`. `SHA256SUMS` has the
SHA-256 of each file and of the manifest, in the form of `sha256sum`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "rack-recipes pack, version 1"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
SIGNATURE = ".sig"  # behind the name of the file that is signed
SUM = ".sha256"  # behind the name of an archive
NAMESPACE = "rack-recipes"  # of signatures: one that was made for another purpose does not count
CHUNK = 2**20  # bytes that are read at once

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class PackFacts:
    """The size of a file in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


def pack_name(run_id: str) -> str:
    """The name of a run's pack without a suffix. It is also the name of the folder inside of an archive."""
    return f"rack-recipes-{_UNSAFE.sub('_', run_id)}"


def names_in(folder: Path) -> list[str]:
    """The paths of all files below a folder, relative to it and sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def name_problem(name: str) -> str:
    """Why no file of a pack can have this name, empty where one can. A name must not lead out of the pack."""
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "a path that leads elsewhere"
    return "" if name.isprintable() and "\\" not in name else "a name with characters that no pack has"


def sums_text(files: Mapping[str, str]) -> bytes:
    """The list of checksums in the form of `sha256sum`. `files` has the SHA-256 of each file by its name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()


def read_sums(text: bytes) -> dict[str, str] | None:
    """The SHA-256 of each file by its name, from such a list; None for another text."""
    try:
        found = [_LINE.fullmatch(line) for line in text.decode().split("\n")[:-1]]
    except UnicodeDecodeError:
        return None
    sums = {line[2]: line[1] for line in found if line}
    return sums if sums and sums_text(sums) == text else None


def manifest_text(about: Mapping[str, Any], files: Mapping[str, PackFacts]) -> bytes:
    """The manifest as a text: its fields about the whole pack, and the list of its files."""
    listed = {name: {"sha256": facts.sha256, "size": facts.size} for name, facts in sorted(files.items())}
    whole = {"format": FORMAT, **about, "files": listed}
    return f"{json.dumps(whole, ensure_ascii=False, indent=1)}\n".encode()


def read_manifest(text: bytes) -> tuple[dict[str, Any], dict[str, PackFacts]] | None:
    """All fields of a manifest, and the files that it lists; None for another text."""
    try:
        whole = json.loads(text)
        files = {str(name): PackFacts(int(one["size"]), str(one["sha256"])) for name, one in whole["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (whole, files) if isinstance(whole.get("format"), str) else None
