# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.report.colours import contrast
from rack_recipes.report.format_values import css, cut, shown, style_of, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("naïve 温度 😀", "naïve 温度 😀"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("\x00\x1b[0m\x7f\x9b", "⟨U+0000⟩⟨U+001B⟩[0m⟨U+007F⟩⟨U+009B⟩"),
        ("abc\u202etxt", "abc⟨U+202E⟩txt"),
        ("\u00ad\u061c\u180e\u200b\u2066\ufeff\ufff9", "⟨U+00AD⟩⟨U+061C⟩⟨U+180E⟩⟨U+200B⟩⟨U+2066⟩⟨U+FEFF⟩⟨U+FFF9⟩"),
        ("\ud83d", "⟨U+D83D⟩"),
        ("\ufffe\uffff", "⟨U+FFFE⟩⟨U+FFFF⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
    ],
)
def test_nothing_hides(text, expected):
    assert visible(text) == expected
    assert visible(expected) == expected


def test_a_cut_says_how_much_there_was():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcdef… [cut: 7 characters in all]"
    assert cut("abcdefg", 2, at_end=False) == "[cut: 7 characters in all] …fg"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "text", ""),
        (0.0123456, "seconds", "0.012"),
        (7204.12, "seconds", "7204.120"),
        (97.4612345, "number", "97.4612"),
        (2**60, "number", "1152921504606846976"),
        ("true", "number", "true"),
        ("2026-11-25T12:00:00.123456Z", "time", "2026-11-25 12:00:00.123"),
        ("2026-11-25T12:00:00Z", "time", "2026-11-25 12:00:00"),
        ("soon\x1b", "time", "soon⟨U+001B⟩"),
        ('{"a": 1}', "json", '{"a": 1}'),
    ],
)
def test_cells_as_people_read_them(value, kind, expected):
    assert shown(value, kind) == expected


LIGHT_PAGE, DARK_PAGE = "#ffffff", "#121417"
LIGHT_GROUND, DARK_GROUND = "#e3efe8", "#1e2a24"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_are_readable_on_the_page(verdict):
    assert contrast(VERDICTS[verdict].light, LIGHT_PAGE) >= 4.5
    assert contrast(VERDICTS[verdict].dark, DARK_PAGE) >= 4.5


@pytest.mark.parametrize("verdict", sorted(set(VERDICTS) - {"passed"}))
def test_verdicts_stand_out_from_the_ground_of_the_heat_map(verdict):
    assert contrast(VERDICTS[verdict].light, LIGHT_GROUND) >= 3
    assert contrast(VERDICTS[verdict].dark, DARK_GROUND) >= 3


def test_every_verdict_has_a_look_of_its_own():
    assert len({own.symbol for own in VERDICTS.values()}) == len(VERDICTS)
    assert set(VERDICTS) > PASSING


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("failed", "failed"),
        ("interrupted", "error"),
        ("rehearsed", "skipped"),
        ("running", "skipped"),
        ("unchecked", "error"),
        ("</style>", "unreachable"),
        ("", "unreachable"),
    ],
)
def test_any_word_gets_a_look(word, expected):
    assert style_of(word) == expected


def test_the_style_sheet_names_each_verdict_in_both_schemes():
    light, dark = css().split("@media")
    for verdict, own in VERDICTS.items():
        assert f"--{verdict}:{own.light};" in light
        assert f"--{verdict}:{own.dark};" in dark
