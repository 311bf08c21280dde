# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run, step
from rack_recipes.store.writing.import_journal import import_journal

# What the commands ask, and by which index it is found.
QUESTIONS = {
    "the last result of a step on a host": (
        "SELECT verdict FROM steps WHERE step = 's7' AND host = 'r7' ORDER BY started DESC LIMIT 1",
        "ix_steps_step_host_started",
    ),
    "results under a cache key": (
        "SELECT run_id FROM steps WHERE cache_key = 'k7' AND host = 'r7' AND inputs = 'x'",
        "ix_steps_cache_key_host_inputs",
    ),
    "the last runs of a test": (
        "SELECT run_id FROM runs WHERE test_id = 'T-7' ORDER BY started DESC LIMIT 20",
        "ix_runs_test_id_started",
    ),
    "how a step did over the runs": (
        "SELECT seconds FROM steps WHERE step = 's7' AND host = 'r7'",
        "ix_steps_step_host_started",
    ),
}
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "mysql": "EXPLAIN", "postgresql": "EXPLAIN"}


def test_what_commands_ask_is_found_by_an_index(new_store: Engine, journal: Callable[..., Path]) -> None:
    for number in range(20):
        steps = [step(n, f"r{n % 10}", step=f"s{n}") for n in range(1, 40)]
        about = {"recipe": {"test_id": f"T-{number}"}}
        import_journal(new_store, journal([run(f"R{number}") | about, *steps], f"R{number}"))
    with new_store.connect() as connection:
        if new_store.dialect.name == "postgresql":
            connection.execute(text("SET enable_seqscan = off"))  # so small a table it would read as a whole
        for question, (asked, index) in QUESTIONS.items():
            plan = connection.execute(text(f"{EXPLAIN[new_store.dialect.name]} {asked}")).mappings().all()
            assert index in json.dumps([dict(row) for row in plan]), question
