# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the small files in which a kernel tells of its host: /proc, /sys, and those in /etc."""

from __future__ import annotations

import os
import re


class HostFiles:
    """Reads the files below the folder `root`, which tests put in the place of /.

    A file that is absent or cannot be read is None.

    >>> host = HostFiles("/")
    >>> host.number("proc/sys/kernel/pid_max") > 0, host.text("proc/absent"), host.names("proc/self/fd")[:3]
    (True, None, ['0', '1', '2'])
    """

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        self.root = os.fspath(root)
        self.live = os.path.realpath(root) == "/"

    def is_host(self) -> bool:
        """Whether there is a /proc or a /sys below the root."""
        return any(os.path.isdir(self.path(name)) for name in ("proc", "sys"))

    def path(self, path: str) -> str:
        """Where `path` lies below the root."""
        return os.path.join(self.root, path)

    def text(self, path: str) -> str | None:
        """A file's text without surrounding white space; None if it is empty or cannot be read."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as file:
                return file.read().strip(" \t\n\0") or None
        except OSError:  # a link that is down answers EINVAL when it is asked for its speed
            return None

    def number(self, path: str) -> int | None:
        """A file's text as an integer; None if it is none."""
        text = self.text(path)
        return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,18}", text) else None

    def names(self, path: str) -> list[str]:
        """The names in a folder, `eth2` before `eth10`."""
        try:
            return sorted(os.listdir(self.path(path)), key=_by_number)
        except OSError:
            return []

    def target(self, path: str) -> str | None:
        """The last part of a symbolic link's target; None if there is no such link."""
        try:
            return os.path.basename(os.readlink(self.path(path))) or None
        except OSError:
            return None

    def fields(self, path: str, separator: str = ":") -> list[tuple[str, str]]:
        """The pairs of a file with one name and one value on each line; a name may be there twice, as for each CPU."""
        lines = (self.text(path) or "").splitlines()
        pairs = (line.partition(separator) for line in lines if separator in line)
        return [(name.strip(), value.strip()) for name, _separator, value in pairs]


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name)]
