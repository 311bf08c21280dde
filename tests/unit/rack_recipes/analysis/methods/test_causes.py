# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest

from rack_recipes.analysis.methods.causes import Shared, common_group, find_causes, host_sets
from rack_recipes.analysis.methods.statistics_without_numpy import hypergeometric_tail

HOSTS = [f"r{number:03}" for number in range(200)]


def by_value(values: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for host, value in values.items():
        found.setdefault(value, []).append(host)
    return found


def world() -> dict[str, dict[str, list[str]]]:
    """200 hosts in 20 racks of 10, a leaf for each rack, four batches, and one model."""
    number = {host: place for place, host in enumerate(HOSTS)}
    return {
        "rack": by_value({host: f"rack{number[host] // 10}" for host in HOSTS}),
        "leaf": by_value({host: f"leaf{number[host] // 10}" for host in HOSTS}),
        "batch": by_value({host: f"batch{number[host] % 4}" for host in HOSTS}),
        "model": by_value(dict.fromkeys(HOSTS, "M1")),
    }


def test_hosts_of_one_leaf_have_one_cause_with_all_its_names():
    failing = [*HOSTS[30:37], HOSTS[101]]
    (cause,) = find_causes(failing, HOSTS, world())
    assert cause.names == (Shared("rack", "rack3"), Shared("leaf", "leaf3"))
    assert cause.explains == set(HOSTS[30:37])
    assert cause.group == set(HOSTS[30:40])
    assert cause.passing == 3
    assert cause.p < 1e-6


def test_two_of_two_are_too_weak_and_three_of_three_are_enough():
    assert find_causes(HOSTS[30:32], HOSTS, world()) == []
    (cause,) = find_causes(HOSTS[30:33], HOSTS, world())
    assert cause.names[1] == ("leaf", "leaf3")
    assert cause.p == pytest.approx(9.136592e-05 * 24, rel=1e-6)


def test_two_causes_are_ranked_by_what_they_explain():
    failing = {*HOSTS[30:37], *[host for host in HOSTS if HOSTS.index(host) % 4 == 1]}
    batch, leaf = find_causes(failing, HOSTS, world())
    assert batch.names == (("batch", "batch1"),)
    assert len(batch.explains) == 50
    assert leaf.names[1] == ("leaf", "leaf3")
    assert leaf.explains == {*HOSTS[30:37]} - batch.explains


def test_what_is_explained_is_not_explained_again():
    attributes = {"leaf": {"a": HOSTS[:10]}, "feed": {"b": HOSTS[:11]}}
    (cause,) = find_causes(HOSTS[:10], HOSTS, attributes)
    assert cause.names == (("leaf", "a"),)


def test_two_leaves_are_named_and_not_the_rack_that_has_hosts_of_both():
    """Of three leaves over two racks two fail: the first rack is the least likely group, and no cause."""
    hosts = HOSTS[:48]
    attributes = {
        "leaf": {"1": hosts[:16], "2": hosts[16:32], "3": hosts[32:]},
        "rack": {"1": hosts[:24], "2": hosts[24:]},
    }
    first, second = find_causes(hosts[:32], hosts, attributes)
    assert {first.names, second.names} == {(("leaf", "1"),), (("leaf", "2"),)}
    assert first.explains | second.explains == {*hosts[:32]}
    assert not first.explains & second.explains


def test_both_racks_of_a_leaf_are_one_cause():
    """Two of three leaves fail. One rack of the first is less likely than the leaf, and its other rack is left over."""
    hosts = HOSTS[:96]
    attributes = {
        "leaf": {str(leaf): hosts[32 * leaf : 32 * leaf + 32] for leaf in range(3)},
        "rack": {str(rack): hosts[16 * rack : 16 * rack + 16] for rack in range(6)},
    }
    failing = [*hosts[:26], *hosts[32:41], *hosts[48:57]]
    causes = find_causes(failing, hosts, attributes)
    assert [cause.names for cause in causes] == [(("leaf", "0"),), (("leaf", "1"),)]
    assert causes[0].explains == {*hosts[:26]}
    assert all(cause.p < 0.05 for cause in causes)


def test_hosts_that_are_explained_are_out_of_the_comparison():
    first, second = find_causes([*HOSTS[:10], *HOSTS[30:34]], HOSTS, world())
    assert first.p == pytest.approx(24 * hypergeometric_tail(10, 200, 14, 10))
    assert second.p == pytest.approx(24 * hypergeometric_tail(4, 190, 4, 10))


def test_of_two_groups_that_explain_alike_the_one_with_fewer_passing_is_named():
    attributes = {"feed": {"b": HOSTS[:100]}, "leaf": {"a": [*HOSTS[:10], "unknown"]}}
    (cause,) = find_causes(HOSTS[:10], HOSTS, attributes)
    assert cause.names == (("leaf", "a"),)
    assert cause.group == set(HOSTS[:10])


def test_hosts_that_were_not_judged_do_not_count():
    assert find_causes(["other"], HOSTS, world()) == []
    assert host_sets(HOSTS[:20], world())[frozenset(HOSTS[:10])] == (("rack", "rack0"), ("leaf", "leaf0"))


def test_what_all_share_explains_nothing():
    assert find_causes(HOSTS, HOSTS, world()) == []
    assert find_causes(HOSTS[:5], HOSTS[:5], {"model": {"M1": HOSTS}}) == []


def test_nothing_fails_and_nothing_is_known():
    assert find_causes([], HOSTS, world()) == []
    assert find_causes(HOSTS[:5], HOSTS, {}) == []


def test_a_serial_number_explains_nothing():
    serials = {"serial": {f"S{host}": [host] for host in HOSTS}}
    assert find_causes(HOSTS[:5], HOSTS, serials) == []


def test_false_causes_are_as_rare_as_is_said():
    random = np.random.default_rng(1)
    attributes = world()
    found = [find_causes(random.choice(HOSTS, 12, replace=False).tolist(), HOSTS, attributes) for _turn in range(200)]
    assert sum(map(len, found)) <= 8


def test_a_planted_leaf_is_found_among_noise():
    random = np.random.default_rng(2)
    right = wrong = 0
    for _turn in range(60):
        failing = {*random.choice(HOSTS, 4, replace=False).tolist(), *random.choice(HOSTS[50:60], 6, False).tolist()}
        found = find_causes(failing, HOSTS, world())
        right += any(("leaf", "leaf5") in cause.names for cause in found)
        wrong += sum(("leaf", "leaf5") not in cause.names for cause in found)
    assert right >= 57
    assert wrong <= 4


EIGHT = HOSTS[:8]
LEAVES = {"leaf": {"a": EIGHT[:3], "b": EIGHT[3:6], "c": EIGHT[6:]}}


def test_in_a_small_rack_a_perfect_match_is_said_with_its_chance():
    assert find_causes(EIGHT[:3], EIGHT, LEAVES) == []
    match = common_group(EIGHT[:3], EIGHT, host_sets(EIGHT, LEAVES))
    assert match is not None
    assert match.names == (("leaf", "a"),)
    assert match.p == pytest.approx(3 / 56)
    assert match.passing == 0


def test_most_hosts_of_a_group_are_a_guess_where_that_is_unlikely():
    halves = host_sets(EIGHT, {"leaf": {"a": EIGHT[:4], "b": EIGHT[4:]}})
    match = common_group(EIGHT[:3], EIGHT, halves)
    assert match is not None
    assert (match.p, match.passing) == (pytest.approx(2 * 4 / 56), 1)
    assert common_group(EIGHT[:2], EIGHT, halves) is None  # 6 of 28 pairs are on leaf a
    four = host_sets(EIGHT[:4], {"leaf": {"a": EIGHT[:2], "b": EIGHT[2:4]}})
    assert common_group(EIGHT[:2], EIGHT[:4], four) is None  # one of three pairs is a leaf


@pytest.mark.parametrize("failing", [EIGHT[:1], EIGHT[:2], EIGHT[:4], EIGHT[5:7], []])
def test_no_common_group(failing: list[str]):
    assert common_group(failing, EIGHT, host_sets(EIGHT, LEAVES)) is None
    assert common_group(EIGHT[:1], EIGHT, host_sets(EIGHT, {"serial": {"S1": EIGHT[:1]}})) is None
