# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of cabling plans: cabling import, check and learn.

The last two ask the hosts of an inventory for their neighbours, by one step of an ordinary run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes import settings
from rack_recipes.cabling.compare_and_learn import Seen
from rack_recipes.cabling.plan_model import CablingPlan, End
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.command_table import parser_of
from rack_recipes.cli.running.run import start_run
from rack_recipes.cli.terminal import printable
from rack_recipes.context.run_context import Context, fold_into
from rack_recipes.errors import UsageError, counted
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results_and_end_status import Results
from rack_recipes.private_files import make_private
from rack_recipes.yaml_suffixes import either

STEP, MODULE, KEY = "cabling", "scriptlets.cabling.neighbours", "lldp.neighbours_v1"
EXPECTED = "cabling_of_hosts"  # the variable with the plan: host -> port -> NODE:PORT
OF_HOST = (
    "{{ cabling_of_hosts[inventory_hostname] | default(cabling_of_hosts[inventory_hostname.split('.')[0]])"
    " | default({}) }}"
)
WAIT = 15.0  # seconds for which a port without its neighbour is looked at again
PATIENCE = 45  # seconds beyond that, for a busy host


@dataclass(frozen=True, slots=True)
class NeighbourAnswers:
    """What the hosts have answered. `silent` has those that have not, with the verdict of the step and its reason."""

    seen: Seen
    silent: Mapping[str, tuple[str, str]]
    run_id: str
    exit_code: int


def ask_neighbours(options: argparse.Namespace, plan: CablingPlan | None) -> NeighbourAnswers:
    """Run the step on the hosts; with a plan it is judged by it. Raises RackError where nothing was run."""
    runs = Path(settings.load().runs)
    folder = runs.parent / "cabling"
    make_private(folder)
    words = [*_recipe(folder, options, plan), *_options(options)]
    asked = parser_of("run").parse(words)
    asked.ansible = options.ansible
    answer, code = start_run(asked, show_summary=False)
    return _read(runs / answer["run_id"] / JOURNAL, options, plan or CablingPlan(), (answer["run_id"], code))


def _recipe(folder: Path, options: argparse.Namespace, plan: CablingPlan | None) -> list[str]:
    """Write the recipe and the plan for the hosts; returns the words of the command line that name them."""
    recipe, expected = folder / "neighbours.yml", folder / "expected.json"
    step: dict[str, Any] = {
        "name": STEP,
        "type": "python",
        "module": MODULE,
        "args": {"expected": OF_HOST, "wait": options.wait},
        "timeout": int(options.wait) + PATIENCE,
        **({} if plan else {"success": "none"}),
    }
    meta = {"test_id": "CABLING", "description": "What is connected to what, by LLDP"}
    recipe.write_text(json.dumps({"test_meta": meta, "steps": [step]}), encoding="utf-8")
    expected.write_text(json.dumps({EXPECTED: plan.ports if plan else {}}), encoding="utf-8")
    return [str(recipe), "-e", f"@{expected}"]


def _options(options: argparse.Namespace) -> list[str]:
    words = [word for path in options.inventory for word in ("--inventory", path)]
    words += ["--limit", options.limit] if options.limit else []
    words += ["--forks", str(options.forks)] if options.forks else []
    words += ["--db", options.db] if options.db else []
    return [*words, *(["--json"] if options.json else [])]


def _read(journal: Path, options: argparse.Namespace, plan: CablingPlan, run: tuple[str, int]) -> NeighbourAnswers:
    context, results = Context(), Results()
    JournalReader(journal).dispatch(fold_into(context, results))
    told = context.values(KEY)
    silent = {host: (end.verdict, end.reason) for (_step, host), end in results.counted() if host and host not in told}
    return NeighbourAnswers(seen_by(told, plan, options.ignore), silent, *run)


def seen_by(told: Mapping[str, Any], plan: CablingPlan, ignored: list[str]) -> Seen:
    """What the hosts say, in the names of the plan: LLDP may have a domain in a name that is short there."""
    names = {*plan.ports} or {*told}
    asked = {host: _known(host, names) for host in told}
    found: dict[End, tuple[End, ...]] = {}
    for host, ports in told.items():
        for port, entry in ports.items():
            end = End(asked[host], port)
            if end in plan.at or not any(fnmatchcase(port, pattern) for pattern in ignored):
                found[end] = tuple(_neighbours(entry, names))
    return Seen(frozenset(asked.values()), found)


def _neighbours(entry: Mapping[str, Any], names: set[str]) -> list[End]:
    """The neighbours of a port; the step splits the first at its last colon, and a port may have some."""
    texts = [f"{entry['peer']}:{entry['peer_port']}"] if "peer" in entry else []
    return [_end(str(text), names) for text in (*texts, *entry.get("others", ()))]


def _end(text: str, names: set[str]) -> End:
    for at, letter in enumerate(text):
        if letter == ":" and _known(text[:at], names) in names:
            return End(_known(text[:at], names), text[at + 1 :])
    device, _colon, port = text.rpartition(":")
    return End(device, port)


def _known(name: str, names: set[str]) -> str:
    short = name.partition(".")[0]
    return short if name not in names and short in names else name


if TYPE_CHECKING:
    from rack_recipes.cabling.compare_and_learn import Comparison
    from rack_recipes.cabling.write_plan_and_inventory import Change

PLAN = "cabling.yml"
TOKEN = "NETBOX_TOKEN"  # noqa: S105 the name of a variable
NOT_AS_PLANNED, UNREACHABLE = 1, 3
LEARNED = (
    "Learned from LLDP, as the cables are and not as they should be: look it through.",
    "Remove `review` from a cable once somebody has looked at it.",
)


WHOM_TO_ASK = f"""\
    -i, --inventory PATH...  inventory, as for `run`
    -l, --limit PATTERN
    -f, --forks N  to how many hosts it is connected at once, as for `run`
    --ignore PORT...  pass over ports that the plan does not have and whose names match, such as 'eth0' or 'mgmt*'
    --wait SECONDS={WAIT}  look again at a port without its neighbour for so long (default: {WAIT:g})
    --db URL"""


def _format_names() -> Sequence[str]:
    from rack_recipes.cabling.import_plan import FORMATS

    return tuple(FORMATS)


@takes(
    """
    SOURCE... as sources  a file, or the URL of NetBox; several together are one plan, such as links and devices
    --format FORMAT  read the sources as this format (default: seen from their content)
    --token-env NAME=NETBOX_TOKEN  the environment variable with the token of NetBox (default: NETBOX_TOKEN)
    -o, --output FILE=cabling.yml  where the plan is written (default: cabling.yml)
    --overwrite  write a file that is there already and would change, too
    --inventory-file FILE  also write the plan as an inventory: `cables`, `rack` and `position` of each device
    examples:
    rack-recipes cabling import https://netbox.example.com
    rack-recipes cabling import 'https://netbox.example.com/api/dcim/cables/?site=hall-b' -o hall-b.yml
    rack-recipes cabling import lab.clab.yml --inventory-file cables.yml
    rack-recipes cabling import sonic_lab_links.csv sonic_lab_devices.csv
    """,
    format={"choices": _format_names, "metavar": None, "default": ""},
)
def import_(options: argparse.Namespace) -> Answer:
    """Read a cabling plan in the format that a team has, and write it as cabling.yml.

    Formats: NetBox (its REST API by URL or saved as JSON, its form for importing cables and an export of its table as
    CSV, the variables of its inventory plugin), containerlab, sonic-mgmt, PTM's topology.dot, our own.

    A file that is there and would change is only written with --overwrite; the difference is shown on stderr in any
    case. Without it the exit code is 1.
    """
    from rack_recipes.cabling.import_plan import import_plan, read_sources
    from rack_recipes.cabling.write_plan_and_inventory import change, inventory_text, plan_text

    plan = import_plan(read_sources(options.sources, os.environ.get(options.token_env, "")), options.format)
    changes = [change(either(Path(options.output)), plan_text(plan))]
    if options.inventory_file:
        changes.append(change(Path(options.inventory_file), inventory_text(plan)))
    for reason, number in plan.left_out.items():
        sys.stderr.write(f"left out: {number} with {printable(reason)}\n")
    return _written(options, plan, changes, {"left_out": dict(plan.left_out)})


def _written(options: argparse.Namespace, plan: CablingPlan, changes: Sequence[Change], more: dict[str, Any]) -> Answer:
    """Show what changes, write it where that is allowed, and return the answer."""
    from rack_recipes.cabling.write_plan_and_inventory import write

    differing = [one for one in changes if not one.is_none and not one.is_new]
    if not options.json:
        sys.stderr.writelines(f"{printable(line)}\n" for one in differing for line in one.diff.splitlines())
    is_refused = bool(differing) and not options.overwrite
    if not is_refused:
        for one in changes:
            write(one)
    status = "differs" if is_refused else "ok"
    code = NOT_AS_PLANNED if is_refused else 0
    if options.json:
        files = {str(one.path): _state(one, is_refused=is_refused) for one in changes}
        diffs = {str(one.path): one.diff for one in differing}
        return {"status": status, "cables": len(plan.cables), "files": files, "diffs": diffs, **more}, code
    lines = [f"{one.path}  {_state(one, is_refused=is_refused)}" for one in changes]
    refusal = ["nothing is written: --overwrite writes what is shown above"] if is_refused else []
    return "\n".join([counted(len(plan.cables), "cable"), *lines, *refusal]), code


def _state(one: Change, *, is_refused: bool) -> str:
    if one.is_none:
        return "unchanged"
    return "would change" if is_refused and not one.is_new else "not written" if is_refused else "written"


@takes(
    f"""
    [PLAN={PLAN}]  the cabling plan (default: cabling.yml)
{WHOM_TO_ASK}
    examples:
    rack-recipes cabling check -i inventory.yml
    rack-recipes cabling check hall-b.yml -i inventory.yml --limit rack12 --ignore eth0
    """
)
def check(options: argparse.Namespace) -> Answer:
    """Compare a cabling plan with the neighbours that the hosts see by LLDP now, and say what to move where.

    The hosts are asked by the step scriptlets.cabling.neighbours in an ordinary run, which the store keeps. The plan
    may be in any format that `cabling import` reads. A cable of which no end was asked counts as unchecked.

    The exit code is 1 if a cable is not as planned or a host could not be asked, 3 if hosts were unreachable.
    """
    from rack_recipes.cabling.compare_and_learn import compare
    from rack_recipes.cabling.import_plan import import_plan, read_sources

    plan = import_plan(read_sources([options.plan], os.environ.get(TOKEN, "")))
    if not plan.cables:
        raise UsageError(f"{options.plan}: expected cables, got none")
    asked = ask_neighbours(options, plan)
    found = compare(plan, asked.seen)
    review = [str(cable) for cable in plan.cables if cable.review]
    code = _code_of(asked, found)
    if options.json:
        return {
            "status": "ok" if code == 0 else "failed",
            "run_id": asked.run_id,
            "cables": len(plan.cables),
            "good": found.good,
            "findings": [finding.to_data() for finding in found.findings],
            "unchecked": [str(cable) for cable in found.unchecked],
            "silent": {host: {"verdict": verdict, "reason": why} for host, (verdict, why) in asked.silent.items()},
            "to_review": review,
        }, code
    _tell_silent(asked)
    if review:
        many = "is" if len(review) == 1 else "are"
        told = f"{counted(len(review), 'cable')} of {options.plan} {many} still to be reviewed (`review`)"
        sys.stderr.write(f"{told}\n")
    return "\n".join(map(printable, _lines(plan, asked, found))), code


def _code_of(asked: NeighbourAnswers, found: Comparison) -> int:
    """1 where something is wrong or could not be asked, 3 where hosts were only unreachable, else that of the run."""
    verdicts = {verdict for verdict, _reason in asked.silent.values()}
    if found.findings or verdicts - {"unreachable"} or not found.good:
        return NOT_AS_PLANNED if found.findings or verdicts != {"unreachable"} else UNREACHABLE
    if verdicts:
        return UNREACHABLE
    return 0 if asked.exit_code == NOT_AS_PLANNED else asked.exit_code


def _lines(plan: CablingPlan, asked: NeighbourAnswers, found: Comparison) -> Iterable[str]:
    for finding in found.findings:
        labels = f" [{', '.join(finding.labels)}]" if finding.labels else ""
        yield f"{finding.kind}: {finding.title}{labels}"
        yield f"    {finding.advice}"
    unchecked = f", {len(found.unchecked)} unchecked (no end of them was asked)" if found.unchecked else ""
    yield f"{found.good} of {len(plan.cables)} cables are as planned{unchecked}"
    yield f"run {asked.run_id}"


def _tell_silent(asked: NeighbourAnswers) -> None:
    for host, (verdict, reason) in asked.silent.items():
        sys.stderr.write(f"{printable(f'{host}: {verdict}: {reason}')}\n")


@takes(
    f"""
    -o, --output FILE={PLAN}  where the plan is written (default: cabling.yml)
    --overwrite  write a file that is there already and would change, too
{WHOM_TO_ASK}
    examples:
    rack-recipes cabling learn -i inventory.yml
    rack-recipes cabling learn -i inventory.yml --ignore eth0 -o as-is.yml
    """
)
def learn(options: argparse.Namespace) -> Answer:
    """Write a cabling plan from the neighbours that the hosts see by LLDP now, for people to look through.

    A cable that only one of its ends sees has a remark in the field `review`. A port that sees several cables is left
    out and named on stderr. The exit code is 1 if a file would change (see --overwrite) or a host could not be asked,
    and 3 if hosts were unreachable.
    """
    from rack_recipes.cabling.compare_and_learn import learn_plan as learned
    from rack_recipes.cabling.write_plan_and_inventory import change, plan_text

    asked = ask_neighbours(options, None)
    plan, doubts = learned(asked.seen)
    _tell_silent(asked)
    sys.stderr.writelines(f"left out: {printable(doubt)}\n" for doubt in doubts)
    if not plan.cables:
        raise UsageError("no host tells of a neighbour: does LLDP run there (lldpcli show neighbors)?")
    remarks = (*LEARNED, *(f"Left out: {doubt}" for doubt in doubts))
    review = [str(cable) for cable in plan.cables if cable.review]
    more = {"run_id": asked.run_id, "to_review": review, "doubts": [*doubts], "silent": sorted(asked.silent)}
    answer, code = _written(options, plan, [change(either(Path(options.output)), plan_text(plan, remarks))], more)
    if isinstance(answer, str) and review:
        answer += f"\n{len(review)} of them only one end tells of: see `review` in {options.output}"
    verdicts = {verdict for verdict, _reason in asked.silent.values()}
    return answer, code or (UNREACHABLE if verdicts == {"unreachable"} else NOT_AS_PLANNED if verdicts else 0)
