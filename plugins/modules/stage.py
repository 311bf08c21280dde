#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the stage action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage
short_description: Run the steps of a recipe's stage on a host
description:
  - Sends the steps, their scriptlets and the executor to the host in one message, and writes the host's answers to the
    journal of the run.
  - Compiled recipes consist of such tasks; there is no need to write one by hand.
  - A stage that takes more than a few seconds goes on without its connection. It is asked for results from time to
    time.
  - Files that steps attach are copied into the run's folder after the results. A file that cannot be copied is a
    warning.
  - A step of C(type=ansible) is a stage of its own. Its module or action is run by Ansible, over the task's connection,
    and judged as every step is.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  number:
    description: Number of the stage in its recipe, from 1.
    type: int
    required: true
  steps:
    description: The steps in the order in which they run, each as in a recipe, with all steps that it depends on.
    type: list
    elements: dict
    required: true
  locks:
    description:
      - The locks of these steps that hosts share, by name. Each has C(capacity), C(of) and C(settle_sec). C(of) is
        C(run), or a variable of the inventory such as C(rack).
      - The task holds a slot of each lock while the stage runs.
    type: dict
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
    details: Arguments are checked, scriptlets are not run; Ansible's modules run in their own check mode.
notes:
  - The callback P(rack.recipes.recorder#callback) must be enabled.
  - The tags of the task hold for all of its steps, as those of a block do. C(tags) of a step are for it alone, beside
    its name. A compiled task has the names and tags of all its steps, and each step is selected by its own.
  - A stage runs once on a host, and a playbook has each step once. C(loop), C(until) and C(retries) are refused, since
    steps have a C(loop) and a C(retry) of their own.
"""

EXAMPLES = r"""
- name: Stage 1, compute_numbers
  rack.recipes.stage:
    number: 1
    steps:
      - name: compute_numbers
        module: rack.recipes.numbers_stats
        args:
          src: data/numbers.csv
        success:
          ctx_has_keys: [numbers.stats_v1]
  tags: [compute_numbers]
"""

RETURN = r"""
steps:
  description:
    - A line for each step with its verdict, its duration and, where it did not pass, the reason.
    - For a looped step, a line for each of its instances.
  returned: always
  type: list
  elements: str
  sample: ["passed      0.012 s  compute_numbers"]
msg:
  description: How many steps have each verdict, or the first step that did not pass and why.
  returned: always
  type: str
  sample: 2 passed in 0.024 s
"""
