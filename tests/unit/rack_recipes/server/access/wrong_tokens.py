# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that must not be let in."""

from __future__ import annotations

import random
from collections.abc import Iterator

from rack_recipes.server.access.token_file import new_token

SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.=%/"  # no blank: HTTP cuts it off
PARTS = ("", "rrt_", "Bearer", "null", "undefined", "*", "' or 1=1 --", "../../tokens.json", "\u00e9")


def mangled(token: str, number: int) -> Iterator[str]:
    """So many wrong tokens: foreign ones, and the right one with some change. The same ones each time."""
    dice = random.Random(18)
    for each in range(number):
        made = CHANGES[each % len(CHANGES)](token, dice)
        yield made if made != token else f"{token}x"


def _foreign(_token: str, _dice: random.Random) -> str:
    return new_token()[0]


def _other_secret(token: str, _dice: random.Random) -> str:
    return token[:21] + new_token()[0][21:]


def _other_sign(token: str, dice: random.Random) -> str:
    at = dice.randrange(len(token))
    return token[:at] + dice.choice(SIGNS) + token[at + 1 :]


def _cut(token: str, dice: random.Random) -> str:
    return token[: dice.randrange(len(token))]


def _longer(token: str, dice: random.Random) -> str:
    return token + dice.choice(SIGNS) * dice.randint(1, 2000)


def _other_case(token: str, dice: random.Random) -> str:
    return dice.choice((token.upper(), token.lower(), token.swapcase()))


def _swapped(token: str, dice: random.Random) -> str:
    at = dice.randrange(len(token) - 1)
    return token[:at] + token[at + 1] + token[at] + token[at + 2 :]


def _other(_token: str, dice: random.Random) -> str:
    return dice.choice(PARTS)


CHANGES = (_foreign, _other_secret, _other_sign, _cut, _longer, _other_case, _swapped, _other)
