# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ctrl-C does to a command, before the command begins to work and then.

Python raises KeyboardInterrupt wherever it is. In a `__del__` or in the callback of a weak reference, as while modules
are imported, it only prints this exception and goes on. So this way is left to commands that have to clean up.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports further modules, and this must not take long


def end_at_once() -> None:
    """From now on the system ends the process at an interrupt, as it does at other signals; one ignored stays so."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def raise_keyboard_interrupt() -> None:
    """From now on an interrupt raises KeyboardInterrupt, unless it is ignored."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
