# SPDX-License-Identifier: GPL-3.0-or-later

"""A merge hook: all that anybody has set, and who they were."""


def merge(key, base, theirs, ours):
    """The fields of both, those in common as a list."""
    common = [theirs["common"]] if isinstance(theirs["common"], str) else theirs["common"]
    return {**theirs, **ours, "common": [*common, ours["common"]]}
