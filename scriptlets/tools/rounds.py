# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All pairs of hosts in the fewest rounds, no host twice in a round (the circle method of tournaments).

An even number of hosts n needs n - 1 rounds, an odd one n rounds, in each of which one host has nobody.
"""

from __future__ import annotations

from collections import Counter


def rounds(names):
    """A list of rounds, each a list of pairs; every two names meet once. The first of a pair is the client."""
    ring = [*names, *([None] if len(names) % 2 else [])]
    found = []
    for number in range(len(ring) - 1):
        half = len(ring) // 2
        pairs = list(zip(ring[:half], reversed(ring[half:])))
        turned = [pair[::-1] if number % 2 else pair for pair in pairs]  # each is client about as often as server
        found.append([pair for pair in turned if None not in pair])
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return _fair(found) if len(names) == 4 else found


def _fair(found):
    """These rounds, with a pair turned for whom is never the client, as the last of four names would be."""
    clients = Counter(one for pairs in found for one, _other in pairs)
    for pairs in found:
        for at, (one, other) in enumerate(pairs):
            if not clients[other]:
                pairs[at] = (other, one)
                clients.update({other: 1, one: -1})
    return found


def partners(names, name):
    """Round by round whom a host meets and whether it is the client, as (PARTNER, BOOL); None in a round without."""
    return [next((_seen(pair, name) for pair in pairs if name in pair), None) for pairs in rounds(names)]


def _seen(pair, name):
    return (pair[1], True) if pair[0] == name else (pair[0], False)
