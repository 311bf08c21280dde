# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.report.table_model import named
from rack_recipes.report.tables.host_table import EXPECTED, with_own_columns


def test_a_table_gets_the_attributes_of_its_hosts(report, tmp_path):
    (tmp_path / "columns.yml").write_text(
        "not_passed:\n  - {attribute: nic_model, title: Network card}\n  - {attribute: asset_tag}\n"
    )
    tables = named(with_own_columns(report, str(tmp_path)))
    not_passed = tables["not_passed"]
    assert [column.title for column in not_passed.columns[-2:]] == ["Network card", "asset_tag"]
    cards = dict(zip(not_passed.values("host"), not_passed.values("attribute.nic_model"), strict=True))
    assert cards["rack1-u2"] == "CX-6"
    assert set(not_passed.values("attribute.asset_tag")) == {None}
    assert tables["verdicts"] == named(report)["verdicts"]


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_without_the_file_tables_stay_as_they_are(report, folder):
    assert with_own_columns(report, folder) == report


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", EXPECTED),
        ("not_passed: asset_tag", EXPECTED),
        ("not_passed: [{title: x}]", EXPECTED),
        ("not_passed: [{attribute: x, width: y}]", EXPECTED),
        ("not_passed: [{attribute: 1}]", EXPECTED),
        ("reasons: [{attribute: x}]", "there is no table 'reasons' with hosts; there are not_passed, "),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_what_is_wrong_is_said(report, tmp_path, text, said):
    (tmp_path / "columns.yml").write_text(text)
    with pytest.raises(UsageError) as error:
        with_own_columns(report, str(tmp_path))
    assert f"{tmp_path}/columns.yml: " in str(error.value)
    assert said in str(error.value)
