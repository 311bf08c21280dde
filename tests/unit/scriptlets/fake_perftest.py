# SPDX-License-Identifier: GPL-3.0-or-later

"""A perftest without cards: both sides meet at the TCP port as perftest's do, and the measuring one writes its JSON.

Started as `ib_write_bw` and the like. The folder of the program has `DEVICE.answer`, what is told of a rail, and gets a
line in `asked` for each start. A rail without an answer ends as perftest does where a card fails.
"""

from __future__ import annotations

import socket
import sys
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent


def main(words: list[str]) -> int:
    with (FOLDER / "asked").open("a", encoding="utf-8") as asked:
        asked.write(" ".join((Path(sys.argv[0]).name, *words)) + "\n")
    given = dict(pairwise(words))
    device, port = given["-d"], int(given["-p"])
    if "--out_json" not in words:
        with socket.create_server(("127.0.0.1", port)) as waiting:
            waiting.settimeout(20)
            meeting, _address = waiting.accept()
            meeting.sendall(device.encode())
            meeting.close()
        return 0
    try:
        with socket.create_connection((words[-1], port)) as meeting:
            far = meeting.recv(64).decode()
    except OSError:
        sys.stderr.write(f"Couldn't connect to {words[-1]}:{port}\n Unable to init the socket connection\n")
        return 1
    answer = FOLDER / f"{device}.answer"
    if not answer.exists():
        sys.stderr.write(f" Completion with error at client\n Failed status 12: wr_id 0 syndrom 0x81 ({far})\n")
        return 1
    file = next(word.partition("=")[2] for word in words if word.startswith("--out_json_file="))
    Path(file).write_text(answer.read_text(encoding="utf-8"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
