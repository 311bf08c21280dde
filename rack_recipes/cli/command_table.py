# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of commands: what each is for, and which module it is in.

A new command is a row of GROUPS and a function `WORD(options)` in a module; WORD is the command's last word. Above it
`takes` says which options it has. The module is imported only when its command is called, because pandas and SQLAlchemy
are slow to import.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from keyword import iskeyword
from typing import TYPE_CHECKING

from rack_recipes.cli.argument_parser import Parser, hint
from rack_recipes.errors import UsageError
from rack_recipes.version import VERSION

if TYPE_CHECKING:
    from rack_recipes.cli.command_options import CommandFunction

PROGRAM = "rack-recipes"
PACKAGE = __name__.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Command:
    """One row: what the command is for, and its module below cli/.

    `module` is empty for a command that only has subcommands. A command that `handles_signals` sets its own handlers
    before it begins anything that must be cleaned up.
    """

    summary: str
    module: str = ""
    handles_signals: bool = False


GROUPS: dict[str, dict[str, Command]] = {
    "recipes": {
        "run": Command("compile a recipe and run it", "running.run", handles_signals=True),
        "watch": Command("show the progress of a run, from anywhere", "running.watch_and_stop"),
        "stop": Command("stop a run that goes on on this machine", "running.watch_and_stop"),
        "plan": Command("show what would run: stages, steps, hosts, reads and writes", "recipes.validate_plan_compile"),
        "validate": Command("check recipes; every problem with file, line and column", "recipes.validate_plan_compile"),
        "compile": Command("print the playbook of a recipe", "recipes.validate_plan_compile"),
        "lock": Command("write down what recipes are made of, for run --locked", "recipes.lock_and_policy"),
        "policy": Command("show what a user may do here", "recipes.lock_and_policy"),
    },
    "scriptlets": {
        "scriptlets": Command("list the scriptlets that recipes here can use", "authors.scriptlets"),
        "debug": Command("run one scriptlet with a full trace, or in the debugger", "debugging.debug"),
        "new": Command("begin a scriptlet, a recipe or a project"),
        "new scriptlet": Command("begin a scriptlet, with its test", "authors.new"),
        "new recipe": Command("begin a recipe, with its test", "authors.new"),
        "new project": Command("begin a project: settings, inventory, a first recipe", "authors.new"),
    },
    "results": {
        "runs": Command("list the runs in the store, the newest first", "results.show_runs"),
        "show": Command("show a run: what did not pass first", "results.show_runs"),
        "finish": Command("say that no more parts of a run come; the result of the whole", "results.finish_flush_db"),
        "diff": Command("show what changed between two runs", "results.diff_and_baseline"),
        "rejudge": Command("judge the measurements of a run by other limits", "results.analyse_trend_rejudge"),
        "learn": Command("learn limits from good runs, for a file that a recipe names", "results.learn"),
        "analyse": Command("find what a run has to tell, and store the findings", "results.analyse_trend_rejudge"),
        "act": Command("say what is to be done about hosts; tell Slurm, Kubernetes, NetBox", "act"),
        "trend": Command("show a measurement or a key over the last runs", "results.analyse_trend_rejudge"),
        "baseline": Command("compare runs with one that was accepted as good"),
        "baseline accept": Command("make a run the baseline of its test", "results.diff_and_baseline"),
        "baseline compare": Command("show what changed since the baseline", "results.diff_and_baseline"),
        "baseline show": Command("list the baselines", "results.diff_and_baseline"),
        "baseline withdraw": Command("withdraw the baseline of a test", "results.diff_and_baseline"),
        "coverage": Command(
            "show what the last runs never ran, never failed, never judged", "results.coverage_and_mutate"
        ),
        "mutate": Command("show which wrong outputs no criterion would notice", "results.coverage_and_mutate"),
        "ctx": Command("show the context of a run, its history, how two runs differ in it; export it"),
        "ctx show": Command("show the keys of a run and their values", "results.ctx"),
        "ctx history": Command("show who set a key, when, from what", "results.ctx"),
        "ctx diff": Command("show the keys in which two runs differ", "results.ctx"),
        "ctx export": Command("print the context of a run for another one to start with", "results.ctx"),
        "chart": Command("draw a chart of a run as SVG or PNG", "results.report_and_chart"),
        "report": Command("write the report of a run; prints the paths", "results.report_and_chart"),
        "waivers": Command("failures that somebody has accepted: add one, list them, check them"),
        "waivers add": Command("add a waiver to the project's file", "waivers"),
        "waivers list": Command("list the waivers: state, uses, passes in a row", "waivers"),
        "waivers check": Command("check the file of waivers; tell what is over, lifted or unused", "waivers"),
        "waivers suggest": Command("print waivers for steps that fail now and then", "waivers"),
        "flush": Command("bring what a run left in its journal into the store", "results.finish_flush_db"),
        "db": Command("look after the store's schema"),
        "db current": Command("print the schema that the store has", "results.finish_flush_db"),
        "db check": Command("tell whether the store has the newest schema", "results.finish_flush_db"),
        "db upgrade": Command("make the store, or bring it to the newest schema", "results.finish_flush_db"),
    },
    "the context server": {
        "serve": Command("serve a context over HTTP, to read and write it live", "serve", handles_signals=True),
        "token": Command("who may use the server over the network: make tokens, list them, end them"),
        "token create": Command("make a token, or give a certificate a role", "token"),
        "token list": Command("list the tokens and certificates", "token"),
        "token revoke": Command("end a token or certificate, at once", "token"),
    },
    "agents": {"mcp": Command("let an agent read runs, findings and recipes (MCP)", "mcp_server")},
    "monitoring": {
        "metrics": Command("print numbers for Prometheus, or write them for node_exporter", "monitoring"),
        "grafana": Command("write dashboards for Grafana on the store", "monitoring"),
    },
    "archive": {
        "prune": Command("remove old runs, compress their journals", "prune_and_pin"),
        "pin": Command("keep a run from being pruned", "prune_and_pin"),
        "export": Command("pack a run into a folder or archive, with checksums", "packs"),
        "verify": Command("find what was changed in a pack", "packs"),
        "import": Command("bring the run of a pack here: folder and results", "packs"),
        "upload": Command("send a run with all that belongs to it to a server of pages", "packs"),
    },
    "AWX": {"awx": Command("write what AWX needs to run recipes: job templates, surveys, an image", "awx")},
    "cables": {
        "cabling": Command("cabling plans: import them, check them, learn them"),
        "cabling import": Command("write cabling.yml from NetBox, containerlab, ...", "cabling"),
        "cabling check": Command("compare a plan with what LLDP says now", "cabling"),
        "cabling learn": Command("write a plan from LLDP, for review", "cabling"),
    },
    "hardware": {
        "hardware": Command("planned hardware: import it as golden lists"),
        "hardware import": Command("write what NetBox or Nautobot has planned, as golden lists", "hardware"),
    },
    "a rack to try": {
        "demo": Command("run two recipes on hosts of its own, and write their reports", "demo"),
        "rack": Command("start a virtual rack of routers and servers, break it, heal it"),
        "rack up": Command("start a virtual rack; needs root", "rack"),
        "rack status": Command("show its cables and what is broken", "rack"),
        "rack break": Command("put a fault into it", "rack"),
        "rack heal": Command("undo the faults", "rack"),
        "rack down": Command("end it, and leave nothing behind", "rack"),
    },
    "the shell": {"completion": Command("print a script that completes this command in a shell", "shell.completion")},
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
RESUME = {"resume": Command("go on where a run stopped: `run --resume RUN`")}  # another spelling, no row of its own
EXIT_CODES = """\
exit codes:
  0  passed          1  a step did not pass     2  the recipe or the command is wrong, or nothing matched
  3  unreachable     5  results not stored (the message says where they are safe), no report, or no answer on stdout
  4  nothing was compared, or judged anew       128+N  ended by signal N
"""


def parse_command_line(words: Sequence[str]) -> tuple[CommandFunction, argparse.Namespace]:
    """Return the function that a command line calls, and its options. Raises UsageError."""
    name, rest = split_command(words)
    parser = parser_of(name)
    options = parser.parse(rest)
    if is_group(name):
        parser.error(f"expected a command: {', '.join(subcommands(name))}")
    return function_of(name), options


def split_command(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split a command line into the name of its command, empty if there is none, and the words after it.

    Raises UsageError for a word that is no command.
    """
    name, rest = "", _other_spelling(words)
    while rest and not rest[0].startswith("-") and (valid := subcommands(name)):
        if rest[0] not in valid:
            prog = f"{PROGRAM} {name}".strip()
            near = hint(rest[0], valid if name else [*valid, *RESUME])
            raise UsageError(f"{prog}: there is no command {rest[0]!r}{near}; see {prog} --help")
        name, rest = f"{name} {rest[0]}".strip(), rest[1:]
    return name, rest


def _other_spelling(words: Sequence[str]) -> Sequence[str]:
    """The words with `resume RUN` as what it stands for, `run --resume RUN`."""
    if words[:1] != ["resume"]:
        return words
    is_named = len(words) > 1 and not words[1].startswith("-")
    return ["run", "--resume", *(words[1:] if is_named else ["last", *words[1:]])]


def command_of(words: Sequence[str]) -> Command:
    """Return the row of the command that a command line calls."""
    return COMMANDS[split_command(words)[0]]


def subcommands(name: str) -> list[str]:
    """Return the words that may follow a command's name, such as `show` after `ctx`."""
    return [_last_word(other) for other in COMMANDS if _is_subcommand(name, other)]


def is_group(name: str) -> bool:
    """Whether a command only has subcommands: the program itself, `ctx`, `new`."""
    return not name or not COMMANDS[name].module


def function_of(name: str) -> CommandFunction:
    """Return the function that runs a command."""
    module, word = _place(name)
    found: CommandFunction = getattr(import_module(module), word)
    return found


def parser_of(name: str) -> Parser:
    """Return the parser of a command; that of a group lists its subcommands in the help."""
    if is_group(name):
        return _group_parser(name)
    from rack_recipes.cli.command_options import add_options

    about = cleandoc(function_of(name).__doc__ or "")
    parser = Parser(f"{PROGRAM} {name}", description=about)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, of errors too")
    add_options(parser, *_place(name))
    return parser


def _place(name: str) -> tuple[str, str]:
    """The module of a command, and its function there."""
    word = _last_word(name)
    return f"{PACKAGE}.{COMMANDS[name].module}", f"{word}_" if iskeyword(word) else word


def _last_word(name: str) -> str:
    return name.rpartition(" ")[2]


def _group_parser(name: str) -> Parser:
    prog = f"{PROGRAM} {name}".strip()
    about = COMMANDS[name].summary if name else "Run test recipes on racks: compiled, run, recorded, reported."
    lists = [
        _list_commands(title, {**group, **(RESUME if "run" in group else {})}, name)
        for title, group in ({"commands": COMMANDS} if name else GROUPS).items()
    ]
    epilog = "\n".join([*lists, f"{prog} COMMAND --help tells more.\n", *([] if name else [EXIT_CODES])])
    parser = Parser(prog, usage=f"{prog} COMMAND ...", description=about, epilog=epilog)
    if not name:
        parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    return parser


def _is_subcommand(name: str, other: str) -> bool:
    return other.rpartition(" ")[0] == name


def _list_commands(title: str, commands: dict[str, Command], above: str) -> str:
    lines = (
        f"  {_last_word(name):<12}{one.summary}\n" for name, one in commands.items() if _is_subcommand(above, name)
    )
    return "".join([f"{title}:\n", *lines])
