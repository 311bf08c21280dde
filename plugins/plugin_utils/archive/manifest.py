# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pack is: the names in it, its manifest, and the list of checksums that other programs read, too.

The manifest has size and SHA-256 of every file but of itself and of `SHA256SUMS`, which has those of all, the
manifest's too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = "rack-recipes pack, version 1"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
SIGNATURE = ".sig"  # behind the name of the file that is signed
SUM = ".sha256"  # behind the name of an archive
JOURNAL = "journal.jsonl"
ARTIFACTS = "artifacts"
NAMESPACE = "rack-recipes"  # what signatures are for
CHUNK = 2**20  # bytes that are read at once

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class PackFacts:
    """Of a file: its size in bytes and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


def name_of(run_id: str) -> str:
    """The name of a run's pack, without a suffix; the folder that an archive unpacks into."""
    return f"rack-recipes-{_UNSAFE.sub('_', run_id)}"


def fault_of(name: str) -> str:
    """Why no file of a pack can have this name, empty where one can: it must not lead anywhere else."""
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "a path that leads elsewhere"
    return "" if name.isprintable() and "\\" not in name else "a name with characters that no pack has"


def sums_text(files: Mapping[str, str]) -> bytes:
    """The list of checksums as `sha256sum` writes it, for digests by their files' names."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()


def read_sums(text: bytes) -> dict[str, str] | None:
    """Digests by the names of their files; None for what is no such list."""
    try:
        found = [_LINE.fullmatch(line) for line in text.decode().split("\n")[:-1]]
    except UnicodeDecodeError:
        return None
    sums = {line[2]: line[1] for line in found if line}
    return sums if sums and sums_text(sums) == text else None


def manifest_text(about: Mapping[str, Any], files: Mapping[str, PackFacts]) -> bytes:
    """The manifest: what is said about the pack, and its files."""
    listed = {name: {"sha256": facts.sha256, "size": facts.size} for name, facts in sorted(files.items())}
    whole = {"format": FORMAT, **about, "files": listed}
    return f"{json.dumps(whole, ensure_ascii=False, indent=1)}\n".encode()


def read_manifest(text: bytes) -> tuple[dict[str, Any], dict[str, PackFacts]] | None:
    """What the manifest says, and the files that it lists; None for what is none."""
    try:
        whole = json.loads(text)
        files = {str(name): PackFacts(int(one["size"]), str(one["sha256"])) for name, one in whole["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (whole, files) if isinstance(whole.get("format"), str) else None
