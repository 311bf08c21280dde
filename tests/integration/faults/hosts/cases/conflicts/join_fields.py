# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A merge hook: all that anybody has set, and who they were."""


def merge(key, base, theirs, ours):
    """The fields of both, those in common as a list."""
    common = [theirs["common"]] if isinstance(theirs["common"], str) else theirs["common"]
    return {**theirs, **ours, "common": [*common, ours["common"]]}
