# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader
from ansible_collections.rack.recipes.plugins.plugin_utils.run.missing_results import missing_result


def test_the_record_of_a_step_without_a_result_is_one_of_a_journal(tmp_path: Path):
    record = missing_result(1, "a", "r1", "error", "why")
    append(tmp_path / "journal.jsonl", [record])
    [line] = JournalReader(tmp_path / "journal.jsonl").read()
    assert line.record
    assert line.record.items() >= record.items()


@pytest.mark.parametrize("blocks", [True, False])
def test_a_step_without_a_result_blocks_unless_it_goes_on(blocks: bool):
    assert missing_result(1, "a", "r1", "error", "why", blocks=blocks).get("blocks", False) is blocks
