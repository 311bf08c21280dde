# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A flush that a step of the recipe asks for, from one of Ansible's workers."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import Run
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.store_writer_client import PATIENT
from ansible_collections.rack.recipes.plugins.plugin_utils.run.store_writer.store_writer import StoreWriter


def checkpoint(run: Run) -> str:
    """Bring what the journal has by now into the store; returns what went wrong, empty for nothing.

    The follower belongs to Ansible's main process, so this opens the store for itself: two may follow one journal.
    """
    store = StoreWriter(str(run.path), run.settings.db, run.settings.store_timeout * PATIENT)
    try:
        return store.flush()
    finally:
        store.close()
