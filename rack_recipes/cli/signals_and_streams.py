# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ctrl-C does to a command, before it begins to work and then.

And its stdin, stdout and stderr, also where they are closed, on a full disk, or read by nobody.

Python raises KeyboardInterrupt wherever it is. In a `__del__` or in the callback of a weak reference, as while modules
are imported, it only prints this exception and goes on. So this way is left to commands that have to clean up.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports further modules, and this must not take long
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Buffer


def end_at_once() -> None:
    """From now on the system ends the process at an interrupt, as it does at other signals; one ignored stays so."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def raise_keyboard_interrupt() -> None:
    """From now on an interrupt raises KeyboardInterrupt, unless it is ignored."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


STDOUT, STDERR = 1, 2
# What is opened in place of a closed one. Nothing can be written into this stdout, as into the closed one.
IN_PLACE_OF_CLOSED = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)


class _Lossy(io.FileIO):
    """A stream whose writer goes on although nothing can be written, as after the disk is full."""

    def write(self, data: Buffer) -> int:
        try:
            return super().write(data) or memoryview(data).nbytes  # nothing where the reader does not keep up
        except OSError:
            return memoryview(data).nbytes


def keep_streams_open() -> None:
    """Open those of descriptors 0 to 2 that are closed, so that no file or socket gets the number of one.

    Messages that cannot be written to stderr are lost from now on, and the command goes on.
    """
    for number, flags in enumerate(IN_PLACE_OF_CLOSED):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is this one
            os.set_inheritable(os.open(os.devnull, flags), True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), "utf-8")
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(STDOUT, "w", closefd=False)), "utf-8")
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    raw = io.BufferedWriter(_Lossy(STDERR, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True)


def write_stdout(text: str) -> str:
    """Write to stdout as UTF-8, with what was printed before; returns why that cannot be done, or an empty string.

    The name of a file in the text may hold bytes that are not valid UTF-8. A reader who has closed the pipe has seen
    enough: that is no reason.
    """
    try:
        sys.stdout.flush()
        if text:
            sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)  # what is buffered goes there: Python writes it at its end
        return "" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
    return ""
