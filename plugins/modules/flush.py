#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the flush action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flush
short_description: Bring the results of the run into the store
description:
  - When this task starts, the recorder brings the journal into the store.
  - After the last stage, the recorder first gives every planned step a verdict. Before a stage, the task is a
    checkpoint; it stores the results so far.
  - In a recipe, a step of O(ignore:type=ansible) with this module is a checkpoint, too. Give it the scope V(run), so
    that it does its work once.
  - Fails if the results cannot be stored. They are still in the journal then.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
    details: What was done in check mode is recorded and stored, too.
notes:
  - The callback P(rack.recipes.recorder#callback) must be enabled.
"""

EXAMPLES = r"""
- name: Bring the results into the store
  rack.recipes.flush:
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
run_id:
  description: The run.
  returned: success
  type: str
  sample: 20261125-120000-3f9a2c
journal:
  description: Path of the run's journal on the controller.
  returned: success
  type: str
  sample: .rack-recipes/runs/20261125-120000-3f9a2c/journal.jsonl
"""
