# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether files and folders are there, of the right kind, owner and mode."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from rack_recipes import Failed, Scriptlet

KINDS = {
    "file": stat.S_ISREG, "folder": stat.S_ISDIR, "link": stat.S_ISLNK, "block": stat.S_ISBLK,
    "character": stat.S_ISCHR, "socket": stat.S_ISSOCK, "fifo": stat.S_ISFIFO,
}  # fmt: skip
ACCESS = {"readable": os.R_OK, "writable": os.W_OK, "runnable": os.X_OK}
WORDS = ("kind", "owner", "group", "mode", *ACCESS)


class HostPaths(Scriptlet):
    """Whether files and folders are there, with the kind, owner, mode and rights that are expected, and others not."""

    options = {
        "wanted": {
            "type": "dict",
            "default": {},
            "description": (
                "PATH -> what is known of it, or {}: `kind` (file, folder, link, block, character, socket, fifo), "
                '`owner` and `group` (names), `mode` (such as "0640"), and what the user of the step may do: '
                "`readable`, `writable`, `runnable`"
            ),
        },
        "unwanted": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Paths that must not be there",
        },
    }
    reads = ()
    writes = {"host.paths_v1": "For each wanted path what it is, by the words of `wanted`; null if nothing is there"}
    needs = ()
    verdicts = {
        "failed": "a path is not there or not as expected, or one is there that must not be",
        "error": "a folder may not be looked into",
    }
    example = """
        - name: paths
          module: host.paths
          args:
            wanted:
              /etc/slurm/slurm.conf: {kind: file, owner: root, mode: "0644"}
              /scratch: {kind: folder, writable: true}
            unwanted: [/etc/nologin]
    """

    def validate(self, ctx, params):
        if not params["wanted"] and not params["unwanted"]:
            raise ValueError("nothing to check: say which paths are `wanted` or `unwanted`")
        for path, known in params["wanted"].items():
            if known and not (isinstance(known, dict) and set(known) <= set(WORDS)):
                raise ValueError(f"wanted: {path} must have some of {', '.join(WORDS)}, got {known!r}")

    def run(self, ctx, params):
        found = {path: told(path) for path in params["wanted"]}
        ctx.set("host.paths_v1", found)
        wrong = [
            said for path, known in params["wanted"].items() for said in _judge(ctx, path, found[path], known or {})
        ]
        there = [path for path in params["unwanted"] if os.path.lexists(path)]
        if params["unwanted"] and ctx.check("unwanted", len(there), "paths", max=0) == "failed":
            wrong.append(f"{', '.join(there)} must not be there: look at who made it, and remove it")
        if wrong:
            raise Failed("; ".join(wrong))


def told(path):
    """What a path is, by the words of `wanted`; None if nothing is there. Raises ValueError where one may not look."""
    try:
        found = Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{path} cannot be looked at: {error.strerror}") from None
    return {
        "kind": next((kind for kind, is_kind in KINDS.items() if is_kind(found.st_mode)), "?"),
        "owner": _name(pwd.getpwuid, found.st_uid),
        "group": _name(grp.getgrgid, found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        **{word: os.access(path, right) for word, right in ACCESS.items()},
    }


def _name(ask, number):
    """The name of a user or a group, or its number where it has none."""
    try:
        return ask(number)[0]
    except KeyError:
        return str(number)


def _judge(ctx, path, found, known):
    """Judge one path; yields what is wrong with it."""
    if ctx.check(f"exists.{path}", found is not None, eq=True) == "failed":
        yield f"{path} is not there: look at what should have made it"
        return
    for word, expected in known.items():
        if ctx.check(f"{word}.{path}", found[word], eq=expected) == "failed":
            if word in ACCESS:
                yield f"{path} is {'not ' if expected else ''}{word} for this user: correct its owner and mode"
            else:
                yield f"{path}: {word} is {found[word]}, expected {expected}: correct it"
