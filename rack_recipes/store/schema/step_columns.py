# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The columns of a step's result, each described once: for the table, its rows, cached results and data frames.

A new column is a row here and a migration.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a column holds. Each user of the list has a table of what it does with each kind."""

    NAME = auto()  # a short text that is compared and sorted
    TEXT = auto()
    INTEGER = auto()
    COUNT = auto()  # an integer, 0 where it is missing
    SIZE = auto()  # how many entries the field of the record has
    REAL = auto()
    FLAG = auto()  # true, or missing
    TRUTH = auto()  # true, false, or missing
    OBJECT = auto()  # JSON, empty where it is missing
    LIST = auto()
    JSON = auto()  # any value
    SOME_OBJECT = auto()  # JSON, missing where it is empty
    SOME_TEXT = auto()  # missing where it is empty
    ATTEMPTS = auto()  # a list of attempts, the output of the last one in columns of its own


JSON_KINDS = frozenset((Kind.OBJECT, Kind.LIST, Kind.JSON, Kind.SOME_OBJECT, Kind.ATTEMPTS))


class Source(Enum):
    """Where the value of a column comes from."""

    RECORD = auto()  # the step record
    ATTEMPT = auto()  # its last attempt
    PLAN = auto()  # the planned step in the run record, and what record_to_rows.py makes of the record


class Cached(Enum):
    """Whether the record of a result under a cache key has the field."""

    NEVER = auto()
    ALWAYS = auto()
    IF_SET = auto()  # where it is not empty


class StepColumn(NamedTuple):
    """One column of the table `steps`, after `run_id`. `field` is its field in the source, if that has another name."""

    name: str
    kind: Kind
    source: Source = Source.RECORD
    cached: Cached = Cached.NEVER
    is_in_frames: bool = True
    field: str = ""


STEP_COLUMNS = (
    StepColumn("host", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("step", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("stage", Kind.INTEGER, cached=Cached.ALWAYS),
    StepColumn("idx", Kind.INTEGER, Source.PLAN),
    StepColumn("scope", Kind.NAME, Source.PLAN),
    StepColumn("verdict", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("reason", Kind.TEXT, cached=Cached.ALWAYS),
    StepColumn("started", Kind.NAME, cached=Cached.ALWAYS),
    StepColumn("seconds", Kind.REAL, cached=Cached.ALWAYS),
    StepColumn("tries", Kind.SIZE, field="attempts"),
    StepColumn("exit_code", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("user_sec", Kind.REAL, Source.ATTEMPT),
    StepColumn("system_sec", Kind.REAL, Source.ATTEMPT),
    StepColumn("max_rss_kib", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("in_blocks", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("out_blocks", Kind.INTEGER, Source.ATTEMPT),
    StepColumn("voluntary_switches", Kind.INTEGER, Source.ATTEMPT, is_in_frames=False),
    StepColumn("involuntary_switches", Kind.INTEGER, Source.ATTEMPT, is_in_frames=False),
    StepColumn("stdout", Kind.TEXT, Source.ATTEMPT, is_in_frames=False),
    StepColumn("stderr", Kind.TEXT, Source.ATTEMPT),
    StepColumn("attempts", Kind.ATTEMPTS, Source.PLAN, cached=Cached.ALWAYS),
    StepColumn("blocks", Kind.FLAG, cached=Cached.IF_SET, is_in_frames=False),
    StepColumn("flake", Kind.FLAG, cached=Cached.IF_SET),
    StepColumn("checks", Kind.COUNT, cached=Cached.IF_SET),
    StepColumn("instances", Kind.INTEGER, cached=Cached.IF_SET),
    StepColumn("parent", Kind.NAME, cached=Cached.IF_SET),
    StepColumn("inputs", Kind.NAME, cached=Cached.IF_SET, is_in_frames=False),
    StepColumn("source_run", Kind.NAME, cached=Cached.IF_SET, field="from"),
    StepColumn("cache_key", Kind.NAME, Source.PLAN, is_in_frames=False),
    StepColumn("rounds", Kind.OBJECT, cached=Cached.IF_SET),
    StepColumn("hooks", Kind.LIST, cached=Cached.IF_SET),
    StepColumn("tags", Kind.LIST, cached=Cached.IF_SET, is_in_frames=False),
    StepColumn("through", Kind.NAME, cached=Cached.IF_SET),
    StepColumn("waived", Kind.SOME_OBJECT, cached=Cached.IF_SET),
)
