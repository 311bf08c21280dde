# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis.kinds_of_values import EVENTS, KINDS, NOISE, READING, SETTING, UNKNOWN, kind_of


@pytest.mark.parametrize(
    ("name", "unit", "kind"),
    [
        ("busiest_process", "%", NOISE),
        ("jitter_p99", "us", NOISE),
        ("ms.leaf1", "ms", NOISE),
        ("started", "", NOISE),
        ("rx.eth0", "1/s", NOISE),
        ("packets_in.eth0", "packets", EVENTS),
        ("link_errors.eth0", "", EVENTS),
        ("restarts.sshd", "", EVENTS),
        ("corrected.dimm3", "1/d", NOISE),
        ("temperature.cpu1", "Cel", READING),
        ("speed.fan1", "rpm", READING),
        ("memory_used", "%", READING),
        ("power", "W", READING),
        ("gpus", "", SETTING),
        ("found", "GPUs", SETTING),
        ("power_supplies", "", SETTING),
        ("speed.eth0", "Mbit/s", SETTING),
        ("host.hardware_v1.memory_modules", "", SETTING),
        ("fields_compared", "fields", UNKNOWN),
        ("zorks", "", UNKNOWN),
    ],
)
def test_name_and_unit_tell_what_a_number_is(name: str, unit: str, kind: str):
    assert kind_of(name, unit) == kind


def test_no_word_and_no_unit_is_of_two_kinds():
    words = [word for one in KINDS for word in one.words]
    units = [unit for one in KINDS for unit in one.units]
    assert len(words) == len({*words})
    assert len(units) == len({*units})
