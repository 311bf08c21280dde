# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether files have the content that they must have, by their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rack_recipes import Failed, Scriptlet

CHUNK = 1 << 20  # bytes


class FileDigests(Scriptlet):
    """Compares the digest of each file with the expected one; `files` is PATH -> digest in hexadecimal.

    What is no ordinary file is not read.
    """

    options = {
        "files": {
            "type": "dict",
            "required": True,
            "description": "PATH -> its digest, in hexadecimal",
        },
        "algorithm": {
            "type": "str",
            "default": "sha256",
            "choices": ["sha256", "sha384", "sha512", "sha1", "md5"],
            "description": "How the digests are made",
        },
    }
    reads = ()
    writes = {"generic.digest_v1": "For each path its digest, null where there is no file"}
    needs = ()
    verdicts = {
        "failed": "a file is not there, or its content is another one",
        "error": "a file may not be read",
    }
    example = """
        - name: configuration
          module: generic.digest
          args:
            files: {/etc/hostname: 9a271f2a916b0b6ee6cecb2426f0b3206ef074578be55d9bc94f6f3fe3ab86aa}
    """

    def validate(self, ctx, params):
        if not params["files"]:
            raise ValueError("files: expected at least one path with its digest")
        size = 2 * _hash(params["algorithm"]).digest_size
        for path, digest in params["files"].items():
            if len(str(digest)) != size or set(str(digest).lower()) - set("0123456789abcdef"):
                raise ValueError(f"files: {path}: expected {size} hexadecimal digits ({params['algorithm']})")

    def run(self, ctx, params):
        found = {path: digest_of(path, params["algorithm"]) for path in params["files"]}
        ctx.set("generic.digest_v1", found)
        wrong = [said for path in found if (said := _judge(ctx, path, found[path], params["files"][path]))]
        if wrong:
            raise Failed("; ".join(wrong))


def digest_of(path, algorithm):
    """The digest of an ordinary file; None where there is none. Raises OSError where it cannot be read."""
    try:
        if not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            found = _hash(algorithm)
            while data := file.read(CHUNK):
                found.update(data)
            return found.hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _hash(algorithm):
    return hashlib.new(algorithm, usedforsecurity=False)  # md5 is there on hosts in FIPS mode, too


def _judge(ctx, path, found, expected):
    """Judge one file; returns what is wrong with it."""
    if ctx.check(f"digest.{path}", found or "", eq=str(expected).lower()) != "failed":
        return ""
    if found is None:
        kind = "is no ordinary file" if Path(path).exists() else "is missing"
        return f"{path} {kind}: install it again"
    return f"{path} has another content (digest {found[:16]}...): compare it with the one that was released"
