# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import argparse
from datetime import timedelta

import pytest

from rack_recipes.cli.shared_options import parse_age, parse_count, parse_number, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("12 h", timedelta(hours=12)),
        ("4w", timedelta(weeks=4)),
        ("30m", timedelta(minutes=30)),
        ("0s", timedelta()),
    ],
)
def test_ages(text: str, span: timedelta):
    assert parse_age(text) == span


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "1y", "999999d", "9" * 30 + "w", "٣d"])
def test_what_is_no_age(text: str):
    if text == "٣d":  # a digit of another script counts as one
        assert parse_age(text) == timedelta(days=3)
        return
    with pytest.raises(argparse.ArgumentTypeError, match="expected an age of at most 100 years such as 90d, 12h or 4w"):
        parse_age(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("4096", 4096), ("10GiB", 10 * 2**30), ("1.5 kib", 1536), ("500MB", 500_000_000), ("2TB", 2 * 10**12), ("7B", 7)],
)
def test_sizes(text: str, number: int):
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1e3", "10 Gi", "1,5MB", "9" * 40])
def test_what_is_no_size(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size such as 10GiB, 500MB or 4096, got "):
        parse_size(text)


def test_counts():
    assert parse_count("0") == 0
    for text in ("", "-1", "x", "1.0"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 0, got "):
            parse_count(text)


def test_numbers():
    assert parse_number("1") == 1
    for text in ("", "0", "00", "-0", "-1", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 1, got "):
            parse_number(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (-2048, "-2.0 KiB"), (2**42, "4.0 TiB")],
)
def test_shown(amount: int, text: str):
    assert size_text(amount) == text
