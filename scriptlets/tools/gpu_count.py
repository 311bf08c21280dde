# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge how many GPUs a node has."""

from __future__ import annotations

from scriptlets.tools.limits import judge


def judge_count(ctx, found, expected):
    """Judge how many GPUs there are; yields what is wrong."""
    if judge(ctx, "gpus", found, "GPUs", eq=expected) == "failed":
        yield f"{found} GPUs are seen, expected {expected}: power the node off and on, then reseat or replace the GPU"
