# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc

from ansible_collections.rack.recipes.plugins.plugin_utils.run.store_writer.store_writer import lasting


def test_no_search_for_garbage_goes_through_what_lasts():
    gc.unfreeze()
    with lasting():
        assert not gc.isenabled()
        assert not gc.get_freeze_count()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
