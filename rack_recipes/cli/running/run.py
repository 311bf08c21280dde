# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `run`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, log_levels, takes, variables_of
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.run.launcher.forward_signals import SignalForwarder


@takes(
    """
    [RECIPE]  path of the recipe, or its name: `rack.recipes.fabric` is shipped, `fabric` is the project's if it has it;
        with --resume the recipe of that run by default
    --recipe RECIPE as spelled  the same, spelled as an option
    parameters of the recipe:
    --param NAME=VALUE...  the value of a parameter, a list or a mapping as JSON or YAML (other users can see it in the
        process list: put secrets into a file)
    --param-file FILE...  a file with parameters, a mapping in YAML or JSON; later files and --param win
    --context FILE= -> context  start with the context keys in this file, JSON as `rack-recipes ctx export` prints it
    steps:
    --only STEP
    --skip STEP
    -t, --tags TAGS  only steps with one of these tags or names, with commas between them, as in Ansible
    --skip-tags TAGS  no steps with one of these tags or names
    --stepwise
    --parallel N -> slots
    --seed N
    going on where a run stopped:
    --resume RUN  reuse the steps that passed in this run (its id, its beginning, `last` or `last~1`) if their inputs
        are unchanged; parameters, choice of steps and --limit are those of that run unless they are given again
    --resume-from STEP  STEP and all that stands after it in the file runs anew, all before it is reused: of
        --resume RUN, or of the recipe's last run
    hosts:
    -i, --inventory PATH...  inventory, as for Ansible, but one that is not there or cannot be read is an error
        (default: Ansible's setting, else this machine)
    -l, --limit PATTERN
    -e, --extra-vars VARS...  variables for Ansible: name=value, JSON, or @FILE
    -u, --user USER  who logs in to the hosts
    -b, --become  run all steps as root, or as -e ansible_become_user
    -k, --ask-pass  ask for the password of the login
    -K, --ask-become-pass  ask for the password with which a user becomes another, as for sudo
    -f, --forks N  to how many hosts it is connected at once (default: Ansible's setting, else what the machine's cores,
        memory and open files allow)
    in several parts:
    --group ID= -> group  this run is a part of the run ID: several controllers share its hosts and one store; every
        command takes ID as the id of the whole run
    --parts N -> parts  how many parts the group is to have: the whole cannot pass while one is missing
    --server ADDRESS= -> server  context server at which the parts meet, for recipes that need the hosts of all parts:
        the path of its socket, or https://HOST:PORT with the token in RACK_RECIPES_SERVER_TOKEN
    --across FILE  split the hosts between the controllers of this file, and run all parts as one run by ansible-runner;
        with --resume it goes on with that part
    --on NAME  only on these controllers of that file, names with commas between them
    how:
    --dry-run  run nothing: show the plan with hosts, what would be skipped or reused and why, and how long it may take
    --locked -> locked  refuse to run recipes, scriptlets, hooks and modules that differ from what `rack-recipes lock`
        recorded
    --check  Ansible's check mode: check arguments and run no scriptlet
    --debug -> debug  show on stderr what steps do: arguments, changes of the context, subprocesses with exit codes and
        times, output line by line, variables, tracebacks
    --serve -> serve  start a context server for this run, which ends with it: steps on the live bus need one
    --log-level LOG_LEVEL -> log_level  show less of it: error has attempts that ended in failed or error; warning (or
        warn) also what steps write to stderr; info also their arguments, processes and changes of the context; debug is
        everything, as --debug
    -v, --verbose  show Ansible's own output; repeat it for more details
    results:
    --db URL -> db
    --flush-now  store each result at once instead of at intervals
    --report -> report  write the report when the run has ended
    --notify URL= -> notify_url  when the run has ended, send a signed notice to this address (default: the setting
        rack_recipes_notify_url); the secret is in RACK_RECIPES_NOTIFY_SECRET or notify_secret_file
    examples:
    rack-recipes run recipes/numbers.yml
    rack-recipes run rack.recipes.host_health -i inventory.yml --limit leafs --report
    rack-recipes run recipes/burn_in.yml -i inventory.yml --param minutes=5 --param-file lab.yml --dry-run
    rack-recipes run --resume last -i inventory.yml
    rack-recipes resume last -i inventory.yml
    rack-recipes run rack.recipes.host_health -i inventory.yml --limit row_a --group night-42 --parts 2
    rack-recipes run rack.recipes.host_health -i inventory.yml --across controllers.yml
    rack-recipes run recipes/compare.yml -i inventory.yml --context before.json
    rack-recipes run recipes/numbers.yml -i inventory.yml -bK
    rack-recipes run recipes/numbers.yml -i inventory.yml -- --private-key lab.key

    Arguments after -- go to ansible-playbook.
    """,
    log_level=log_levels(),
    verbose={"action": "count", "default": 0},
)
def run(options: argparse.Namespace) -> Answer:
    """Compile a recipe and run it on the hosts of an inventory, or on this machine if there is none.

    While it runs, stderr shows the progress. At the end stdout has one JSON object: status, run id, keys of the
    context, counts of verdicts. The exit code says the same.
    """
    if options.recipe and options.spelled:
        raise UsageError("rack-recipes run: expected one recipe, got RECIPE and --recipe")
    options.recipe = options.recipe or options.spelled or ""
    options.ansible = [*_for_ansible(options), *options.ansible]
    if options.on and not options.across:
        raise UsageError("--on: expected --across FILE beside it, the file of the controllers")
    if options.across:
        return _across(options)
    if options.dry_run:
        from rack_recipes.cli.running.dry_run import dry_run

        return dry_run(options)
    return start_run(options)


def _across(options: argparse.Namespace) -> Answer:
    if options.dry_run:
        from rack_recipes.cli.running.split_run import dry_run_across

        return dry_run_across(options)
    from rack_recipes.cli.running.run_across import run_across

    return run_across(options, variables_of(run))


def _for_ansible(options: argparse.Namespace) -> Iterator[str]:
    """The options that are Ansible's own, as it spells them."""
    for name in ("user", "tags", "skip_tags"):
        if value := getattr(options, name):
            yield from (f"--{name.replace('_', '-')}", value)
    flags = (name for name in ("become", "ask_pass", "ask_become_pass") if getattr(options, name))
    yield from (f"--{name.replace('_', '-')}" for name in flags)


def start_run(options: argparse.Namespace, *, show_summary: bool = True) -> tuple[dict[str, Any], int]:
    """Run a recipe and return the command's answer and exit code.

    A process of Ansible is started first, so that it loads while this one reads the recipe. With --verbose there is
    none: Ansible's output is shown then. Without `show_summary` nothing is printed for people at the end.
    """
    from rack_recipes.run.launcher.forward_signals import NothingRun, SignalForwarder

    try:
        with SignalForwarder() as forwarder:
            return _start(options, forwarder, show_summary=show_summary)
    except NothingRun:
        from rack_recipes.cli.running.run_end_summary import EndedError

        raise EndedError(forwarder.number) from None


def _start(
    options: argparse.Namespace, forwarder: SignalForwarder, *, show_summary: bool
) -> tuple[dict[str, Any], int]:
    from rack_recipes.run.launcher.ansible_playbook import ansible_environment, warm_start
    from rack_recipes.run.processes import chosen_run_id

    run_id = chosen_run_id()
    with nullcontext() if options.verbose else warm_start(ansible_environment(run_id, options.inventory)) as warm:
        from rack_recipes.cli.running.run_ansible import run_ansible

        return run_ansible(options, variables_of(run), run_id, warm, forwarder, show_summary=show_summary)
