# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pings that may not be cut, by every version of iputils."""

from __future__ import annotations

from scriptlets.tools.commands import run

UNKNOWN = "invalid -M argument"


def ping(words, exit_codes=(0, 1)):
    """What ping prints. What the host has learned of a path's MTU before is not asked, since it may be of yesterday.

    That is `-M probe`, which iputils has since 20231222; an older one gets `-M do`, which asks it.
    """
    try:
        return run(("ping", "-M", "probe", *words), exit_codes)
    except ValueError as error:
        if UNKNOWN not in str(error):
            raise
    return run(("ping", "-M", "do", *words), exit_codes)


def better_of_two(measure):
    """What `measure` returns, a mapping with `loss` in percent; where some pings were lost, the better of two tries.

    ping's buffer holds some hundred kilobytes. So a host that is too busy to read it for a tenth of a second loses
    answers that have arrived. It hardly does so twice; a bad cable does.
    """
    first = measure()
    return min(first, measure(), key=lambda one: one["loss"]) if 0 < first["loss"] < 100 else first
