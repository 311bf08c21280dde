# SPDX-License-Identifier: GPL-3.0-or-later

"""The login program of a host that answers as the executor does, with records of the journal without an end.

With the argument `answer` they are all in one answer, with `journal` each answer has some and says that more follow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import encode
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK

SOME = 8 * 1024 * 1024  # bytes


def records() -> Iterator[bytes]:
    """What a step says that sets a key again and again."""
    record = {"kind": "delta", "stage": 1, "host": sys.argv[1], "step": "one", "attempt": 1, "who": "one"}
    record |= {"scope": "host", "key": "h.flood_v1", "after": "x" * 100_000, "based_on": 0}
    record["time"] = "2026-01-01T00:00:00.000000Z"
    while True:
        yield encode({**record, "n": 1})


def main() -> None:
    """Read the request, and answer."""
    size, more = map(int, sys.stdin.buffer.readline().split())
    request = json.loads(sys.stdin.buffer.read(size))
    sys.stdin.buffer.read(more)
    out, sent = sys.stdout.buffer, 0
    out.write(f"\n{MARK}{request['id']}\n".encode())
    for record in records():
        out.write(record)
        sent += len(record)
        if sys.argv[1] == "journal" and sent > SOME:
            break
    status = {"state": "running", "offset": request["offset"] + sent, "boot_id": "x"}
    out.write(b"\n" + json.dumps(status).encode() + b"\n")


main()
