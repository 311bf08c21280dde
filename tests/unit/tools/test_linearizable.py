# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories made by hand, right and wrong ones, and random ones against the definition."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations, permutations

import pytest

from linearizable import ADD, READ, UNKNOWN, WRITE, Operation, problems


def read(began: float, ended: float, version: int, value: object) -> Operation:
    return Operation("k", READ, began, ended, version=version, value=value)


def write(began: float, ended: float, value: object, version: int = 0, based_on: int | None = None) -> Operation:
    return Operation("k", WRITE, began, ended, value, based_on, version, value)


def refused(began: float, ended: float, value: object, based_on: int, version: int, current: object) -> Operation:
    return Operation("k", WRITE, began, ended, value, based_on, version, current, was_refused=True)


def add(began: float, ended: float, version: int = 0, value: object = None) -> Operation:
    return Operation("k", ADD, began, ended, 1, None, version, value)


RIGHT = {
    "nothing": [],
    "a key that is not set": [read(0, 1, 0, None)],
    "one after the other": [write(0, 1, "a", 1), read(2, 3, 1, "a"), write(4, 5, "b", 2, 1), read(6, 7, 2, "b")],
    "a read during a write, before it": [write(0, 9, "a", 1), read(1, 2, 0, None)],
    "a read during a write, after it": [write(0, 9, "a", 1), read(1, 2, 1, "a")],
    "two writes at once, the later one first": [write(0, 9, "b", 2), write(1, 9, "a", 1), read(10, 11, 2, "b")],
    "a refused write": [write(0, 1, "a", 1), refused(2, 3, "b", 0, 1, "a"), read(4, 5, 1, "a")],
    "increments": [add(0, 9, 2, 2), add(0, 9, 1, 1), add(10, 11, 3, 3)],
    "unknown, never": [write(0, 1, "a", 1), write(2, UNKNOWN, "b"), read(3, 4, 1, "a"), read(5, 6, 1, "a")],
    "unknown, at once": [write(0, 1, "a", 1), write(2, UNKNOWN, "b"), read(3, 4, 2, "b")],
    "unknown, long after": [write(0, UNKNOWN, "a"), read(1, 2, 0, None), read(8, 9, 1, "a")],
    "unknown, before the next write": [add(0, UNKNOWN), add(1, 2, 2, 2)],
    "unknown, three of four": [*[add(0, UNKNOWN)] * 4, read(1, 2, 1, 1), read(3, 4, 3, 3)],
    "unknown, based on a version": [write(0, UNKNOWN, "a", based_on=0), write(1, 2, "b", 1, 0), read(3, 4, 1, "b")],
    "an unknown read": [read(0, UNKNOWN, 0, None), write(1, 2, "a", 1)],
}
WRONG = {
    "a stale read": [write(0, 1, "a", 1), write(2, 3, "b", 2), read(4, 5, 1, "a")],
    "two reads that go back": [write(0, 9, "a", 1), read(1, 2, 1, "a"), read(3, 4, 0, None)],
    "a lost write": [write(0, 1, "a", 1), read(2, 3, 0, None)],
    "a lost update": [write(0, 1, "a", 1, 0), write(0, 1, "b", 1, 0)],
    "a lost update of an increment": [add(0, 1, 1, 1), add(0, 1, 1, 1)],
    "a doubled write": [write(0, 1, "a", 1), read(2, 3, 2, "a")],
    "a doubled increment": [add(0, 1, 1, 1), read(2, 3, 2, 2)],
    "a version without a write": [read(0, 1, 1, "a")],
    "a value that nobody wrote": [write(0, 1, "a", 1), read(2, 3, 1, "b")],
    "a write based on an older version": [write(0, 1, "a", 1), write(2, 3, "b", 2), write(4, 5, "c", 3, 1)],
    "refused without a reason": [write(0, 1, "a", 1), refused(2, 3, "b", 1, 1, "a")],
    "refused and done": [write(0, 1, "a", 1), refused(2, 3, "b", 0, 1, "a"), read(4, 5, 2, "b")],
    "an answered write that appears after a read missed it": [
        write(0, 1, "a", 1),
        read(2, 3, 0, None),
        read(4, 5, 1, "a"),
    ],
    "unknown, before it began": [read(0, 1, 1, "a"), write(2, UNKNOWN, "a")],
    "unknown, done twice": [write(0, UNKNOWN, "a"), read(1, 2, 1, "a"), write(3, 4, "b", 2), read(5, 6, 3, "a")],
    "unknown, gone again": [write(0, UNKNOWN, "a"), read(1, 2, 1, "a"), read(3, 4, 0, None)],
    "unknown, more than there are": [add(0, UNKNOWN), add(0, UNKNOWN), read(1, 2, 3, 3)],
    "unknown, though based on another version": [
        write(0, 1, "a", 1),
        write(2, UNKNOWN, "b", based_on=0),
        read(3, 4, 2, "b"),
    ],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_right(history: list[Operation]):
    assert problems(history) == []


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG)
def test_wrong(history: list[Operation]):
    assert len(problems(history)) == 1


def test_each_key_is_judged_by_itself():
    wrong = WRONG["a stale read"]
    assert problems([*wrong, *(replace(one, key="other") for one in RIGHT["increments"])]) == [
        "k: no order explains write 'b' (version 2, 'b'), begun at 2.000000"
    ]
    assert len(problems([*wrong, *(replace(one, key="other") for one in wrong)])) == 2


def test_a_line_says_what_is_based_on_what():
    [line] = problems([write(0, 1, "a", 1), refused(2, 3, "b", 1, 1, "a")])
    assert line == "k: no order explains write 'b' based on version 1 (refused at version 1, 'a'), begun at 2.000000"


def by_definition(history: list[Operation]) -> bool:
    """Whether one of all orders of the answered operations, with any of the others, is as the definition says."""
    known, unknown = ([one for one in history if one.is_known is wanted] for wanted in (True, False))
    chosen = [[*known, *some] for size in range(len(unknown) + 1) for some in combinations(unknown, size)]
    return any(keeps_time(order) and explains(order) for some in chosen for order in permutations(some))


def keeps_time(order: tuple[Operation, ...]) -> bool:
    return all(first.began <= later.ended for first, later in combinations(order, 2))


def explains(order: tuple[Operation, ...]) -> bool:
    version, value = 0, None
    for one in order:
        is_refused = one.based_on not in (None, version)
        if one.action != READ and not is_refused:
            version, value = version + 1, one.operand
        if one.is_known and (one.version, one.value, one.was_refused) != (version, value, is_refused):
            return False
    return True


def random_history(chance: random.Random) -> list[Operation]:
    """Five operations of a correct register, at times that overlap; then half of the histories get a wrong answer."""
    version, value, history = 0, None, []
    for moment in range(5):
        began, ended = moment - chance.random() * 2, moment + chance.random() * 2
        action, based_on = chance.choice([READ, WRITE]), chance.choice([None, version, max(0, version - 1)])
        if action == READ:
            history.append(read(began, ended, version, value))
            continue
        is_refused = based_on not in (None, version)
        if not is_refused:
            version, value = version + 1, moment
        done = Operation("k", WRITE, began, ended, moment, based_on, version, value, is_refused)
        history.append(replace(done, ended=UNKNOWN) if chance.random() < 0.3 else done)
    if chance.random() < 0.5:
        number = chance.randrange(len(history))
        history[number] = replace(history[number], version=history[number].version + chance.choice([-1, 1]))
    return history


def test_random_histories_are_judged_as_by_the_definition():
    chance, found = random.Random(1), {True: 0, False: 0}
    for _each in range(300):
        history = random_history(chance)
        is_right = by_definition(history)
        assert (problems(history) == []) is is_right, history
        found[is_right] += 1
    assert min(found.values()) > 50


def test_many_operations_of_unknown_outcome_take_no_time():
    done = [add(2 * number, 2 * number + 1, 2 * number + 2, 2 * number + 2) for number in range(500)]
    lost = [add(2 * number - 0.5, UNKNOWN) for number in range(500)]
    assert problems([*done, *lost]) == []
    assert len(problems([*done, *lost[1:]])) == 1
