# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups for the faults that give a server less than it needs: a slow disk, little memory.

A group belongs to the machine's kernel, not to a namespace: it stays, empty, when its processes have ended. So it has a
name that tells the rack, and `remove_groups` takes away all of a rack. Both versions of the kernel's interface are
known: https://docs.kernel.org/admin-guide/cgroup-v1/index.html and https://docs.kernel.org/admin-guide/cgroup-v2.html.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

MACHINE = Path("/sys/fs/cgroup")
MEMORY_MIB = 128
REQUESTS = 16  # a second

_MOVE = """
move_all() {{
  for each in /proc/[0-9]*; do
    echo "${{each#/proc/}}" >"$1/cgroup.procs" 2>/dev/null || :
  done
}}
"""
# In a node, where no groups are mounted. `enter` wants a controller as version 1 calls it, and as version 2 does. What
# version 2 has must not be mounted by itself: that would take it away. /run/groups-before keeps where the node was.
ENTER = (
    _MOVE
    + """
group={group}
enter() {{
  mkdir -p /run/groups
  version=2 line='^0:'
  mount -t cgroup2 groups /run/groups
  if ! grep -qw "$2" /run/groups/cgroup.controllers; then
    umount /run/groups
    version=1 line=":\\([^:]*,\\)\\?$1\\(,[^:]*\\)\\?:"
    mount -t cgroup -o "$1" groups /run/groups
  else
    echo "+$2" >/run/groups/cgroup.subtree_control
  fi
  grep "$line" /proc/1/cgroup | cut -d : -f 3- >/run/groups-before
  mkdir -p "/run/groups/$group"
}}
limit() {{ echo "$2" >"/run/groups/$group/$1"; }}
"""
)
SLOW_DISK = f"""
enter blkio io
disk=$(stat -c %Hr:%Lr "$(findmnt -n -o SOURCE {{disk}})")
case $version in
  1)
    limit blkio.throttle.read_iops_device "$disk {REQUESTS}"
    limit blkio.throttle.write_iops_device "$disk {REQUESTS}"
    ;;
  2) limit io.max "$disk riops={REQUESTS} wiops={REQUESTS}" ;;
esac
move_all "/run/groups/$group"
"""
LITTLE_MEMORY = f"""
enter memory memory
case $version in
  1) limit memory.limit_in_bytes {MEMORY_MIB}M && limit memory.swappiness 0 ;;
  2) limit memory.max {MEMORY_MIB}M && limit memory.swap.max 0 ;;
esac
move_all "/run/groups/$group"
"""
LEAVE = (
    _MOVE
    + """
move_all "/run/groups$(cat /run/groups-before)"
rmdir "/run/groups/{group}"
umount /run/groups
"""
)


def name_of(folder: Path, node: str) -> str:
    """The name of a node's group, another one for each rack."""
    return f"{_prefix(folder)}{node}"


def remove_groups(folder: Path, machine: Path = MACHINE) -> None:
    """Remove what is left of the groups of the rack in a folder; those that still have processes stay."""
    for pattern in (f"{_prefix(folder)}*", f"*/{_prefix(folder)}*"):
        for group in machine.glob(pattern):
            with contextlib.suppress(OSError):
                group.rmdir()


def _prefix(folder: Path) -> str:
    return f"rack-recipes-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]}-"
