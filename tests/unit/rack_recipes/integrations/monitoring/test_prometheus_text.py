# SPDX-License-Identifier: GPL-3.0-or-later

"""The text that Prometheus reads, and the file that node_exporter reads."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.integrations.monitoring.prometheus_metrics import Metric, Sample, as_text, write_textfile


def test_a_metric_has_its_meaning_its_type_and_its_samples():
    found = as_text([Metric("a_seconds", "How\nlong \\.", [Sample(1.5, {"test": "T", "b": "c"}), Sample(2, {})])])
    assert found == (
        '# HELP a_seconds How\\nlong \\\\.\n# TYPE a_seconds gauge\na_seconds{test="T",b="c"} 1.5\na_seconds 2\n'
    )


def test_text_of_a_label_cannot_leave_it():
    assert 'a{test="x\\"} 1\\n\\\\b"} 0\n' in as_text([Metric("a", "A.", [Sample(0, {"test": 'x"} 1\n\\b'})])])


def test_a_metric_without_samples_is_left_out():
    assert as_text([Metric("a", "A.", [])]) == ""


def test_a_file_is_replaced_and_everybody_can_read_it(tmp_path: Path):
    path = tmp_path / "rack.prom"
    path.write_text("old")
    write_textfile(path, "new\n")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new\n", 0o644)
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_cannot_be_replaced_leaves_no_draft(tmp_path: Path):
    (tmp_path / "rack.prom").mkdir()
    with pytest.raises(UsageError, match=r"rack\.prom: cannot be written: Is a directory"):
        write_textfile(tmp_path / "rack.prom", "new\n")
    assert [one.name for one in tmp_path.iterdir()] == ["rack.prom"]
    with pytest.raises(UsageError, match=r"none/rack\.prom: cannot be written: No such file or directory"):
        write_textfile(tmp_path / "none" / "rack.prom", "new\n")
