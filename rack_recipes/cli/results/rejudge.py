# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `rejudge`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples

if TYPE_CHECKING:
    from rack_recipes.analysis.rejudge import Judged

TITLES = ("was", "", "now", "name", "value", "step", "host", "why")


def add_rejudge(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("run", metavar="RUN", help="id of the run, or its beginning")
    command.add_argument("--limits", metavar="FILE", required=True, help="YAML file with the new limits")
    command.add_argument(
        "--exit-code",
        action="store_true",
        help="for CI: end with 1 if a measurement fails that passed before, or had no limit; otherwise with 0",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes rejudge 20261125-14 --limits limits.yml",
        "rack-recipes rejudge 20261125-14 --limits limits.yml --json --exit-code",
    )


def rejudge(options: argparse.Namespace) -> Answer:
    """Judge the stored measurements of a run by other limits, and tell what changes. Nothing is run.

    The run and its verdicts stay as they are: the store gets a judgement more, which `show` and reports tell of. The
    file lists limits, each with `measurement`, the criteria of recipes (`min`, `max`, `within`, `one_of`, `eq`, `ne`,
    `matches`, `warn`), and `step` and `unit` where they matter; * stands for any text, and the first that fits counts.
    """
    from rack_recipes import settings
    from rack_recipes.analysis.rejudge import count_verdicts, read_limits
    from rack_recipes.analysis.rejudge import rejudge as judge
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.store.writing.write_rows import add_judgement

    limits = read_limits(options.limits)
    check_store("change", settings.load())
    with opened(options, writing=True) as store:
        run_id = run_id_of(store, options.run, options.db)
        judged = judge(load_run_data(store, run_id).measurements, limits.limits)
        changed = [one for one in judged if one.has_changed]
        told: dict[str, Any] = {
            "limits": limits.data,
            "counts": count_verdicts(judged),
            "changes": [one.to_data() for one in changed],
        }
        number = add_judgement(store, run_id, {**_by_whom(), "source": limits.path, "digest": limits.digest, **told})
    worse = [one for one in changed if one.is_worse]
    code = 1 if options.exit_code and worse else 0
    if options.json:
        answer = {"run": run_id, "judgement": number, "source": limits.path, "digest": limits.digest}
        return {**answer, "judged": len(judged), **told, "worse": len(worse)}, code
    return "".join(_lines(run_id, number, judged, changed, told["counts"])), code


def _by_whom() -> dict[str, str]:
    from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
    from rack_recipes.run.trust.os_user import this_user

    return {"time": now(), "user": this_user().name}


def _lines(
    run_id: str, number: int, judged: Sequence[Judged], changed: Sequence[Judged], counted: Mapping[str, int]
) -> Iterator[str]:
    from rack_recipes.cli.terminal.colours import painter
    from rack_recipes.cli.terminal.text_table import to_text

    if not judged:
        yield "no measurement of this run has a new limit\n"
    else:
        numbers = ", ".join(f"{amount} {verdict}" for verdict, amount in counted.items())
        yield f"{len(judged)} measurements judged anew: {numbers}\n"
        yield to_text(TITLES, [*map(_row, changed)], painter(sys.stdout)) if changed else "no verdict changes\n"
    yield f"judgement {number} of run {run_id}; the run itself stays as it is\n"


def _row(one: Judged) -> tuple[str, ...]:
    row = one.row
    value = row["value"] if isinstance(row["value"], str) else json.dumps(row["value"], ensure_ascii=False)
    told: tuple[Any, ...] = (one.before or "-", "->", one.after, row["name"], f"{value} {row['unit'] or ''}".rstrip())
    return (*told, row["step"], row["host"] or "run", one.why)
