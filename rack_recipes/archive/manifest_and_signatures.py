# SPDX-License-Identifier: GPL-3.0-or-later

"""What says that a pack is whole: manifest, checksums, the hash chain over the journal, signatures by SSH keys.

The manifest has the size and the SHA-256 of each file except of itself and of `SHA256SUMS`. `SHA256SUMS` has the
SHA-256 of each file and of the manifest, in the form of `sha256sum`.

The last digest proves that no line was changed, left out, added or moved.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from rack_recipes.errors import JournalError, UsageError
from rack_recipes.journal.record_fields import decode

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


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


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


def manifest_text(about: Mapping[str, object], files: Mapping[str, PackFacts]) -> bytes:
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


START = sha256(b"rack-recipes journal").digest()
MAX_NAMED = 5  # damaged lines that are reported one by one


class HashChain:
    """The chain over the lines that were added, and what they hold.

    `lines` counts all of them, `records` those that hold a record, and `set_aside` those that are damaged. `damaged`
    has the numbers of the first damaged lines, from 1, each with what is wrong with it.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.records = 0
        self.set_aside = 0
        self.damaged: list[tuple[int, str]] = []
        self._last = START

    def add(self, line: bytes) -> None:
        """Add the next line of the journal, with its newline."""
        self.lines += 1
        self._last = sha256(self._last + line).digest()
        if line == b"\n":
            return
        try:
            decode(line)
        except JournalError as error:
            self.set_aside += 1
            if len(self.damaged) < MAX_NAMED:
                self.damaged.append((self.lines, str(error)))
        else:
            self.records += 1

    def to_data(self) -> dict[str, Any]:
        """The entry of a manifest about a journal."""
        counts = {"lines": self.lines, "records": self.records, "set_aside": self.set_aside}
        return {**counts, "chain": f"sha256:{self._last.hex()}"}


PROGRAM = "ssh-keygen"


def sign(data: bytes, key: Path) -> bytes:
    """Sign `data` with the private key in a file; with a public key there, the agent signs. Raises UsageError."""
    done = _ssh_keygen(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE], data)
    if done.returncode:
        raise UsageError(f"--sign {key}: {_output(done)}")
    return done.stdout


def signature_problem(data: bytes, signature: bytes, allowed: Path | None = None, signer: str = "") -> str:
    """Why this is not a valid signature of `data`, empty where it is one.

    With a file of allowed signers in `allowed`, the key has to be one that this file gives to `signer`. Without one,
    any key is accepted. Raises UsageError where `ssh-keygen` cannot be started.
    """
    who = ["verify", "-f", str(allowed), "-I", signer] if allowed else ["check-novalidate"]
    with NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        done = _ssh_keygen(["-Y", *who, "-n", NAMESPACE, "-s", file.name], data)
    return _output(done) if done.returncode else ""


def _ssh_keygen(words: Sequence[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([PROGRAM, *words], input=data, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"{PROGRAM}: {error.strerror}: it signs packs and checks signatures") from error


def _output(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr + done.stdout).decode(errors="replace").splitlines()
    return "; ".join(line.strip() for line in lines if line.strip()) or f"{PROGRAM} ended with {done.returncode}"
