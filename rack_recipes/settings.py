# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a project.

An extra var `rack_recipes_<name>` wins over the environment's `RACK_RECIPES_<NAME>`, which wins over `<name>` in
ansible.cfg's section `[rack_recipes]`. Lists are separated by colons, as in PATH; an empty value counts as none.
"""

from __future__ import annotations

import configparser
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import LEVELS, SHORT_LEVELS, level_named
from rack_recipes.errors import MOST_NAMED, UsageError, nearest

SECTION = "rack_recipes"
CONFIG = "ansible.cfg"
MERGE_POLICIES = ("last_write", "fail", "deep_merge")
HOOK = "hook "  # before the dotted name of a Python file: a policy of the user's
HOOK_POLICY = re.compile(rf"{HOOK}[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
ALIKE = 0.75  # how alike two names must be: other programs may have variables with this prefix
LOOKED_ON = 5.0  # seconds of a flush interval: who wants rows more often waits for each result of a stage
TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}

Rules = tuple[tuple[str, str], ...]  # a pattern of keys and its merge policy, the first that matches counts

SECRET_KEYS = (  # of arguments, parameters, variables and keys of the context
    "*password",
    "*passwd",
    "*passphrase",
    "*secret",
    "*token",
    "*api_key",
    "*apikey",
    "*access_key",
    "*secret_key",
    "*private_key",
    "*credentials",
    "*summary_key",
)

HOST_ATTRIBUTES = (  # what hosts that fail together may have in common
    "site",
    "row",
    "rack",
    "position",
    "u",
    "role",
    "class",
    "vendor",
    "model",
    "serial_number",
    "batch",
    "firmware",
    "nic_model",
    "leaf",
    "spine",
    "uplinks",
    "power_feed",
    "pdu",
)


def project_nearby() -> str:
    """The end of a message in a folder that is no project: that one is below or above it; else an empty text."""
    if Path(CONFIG).exists():
        return ""
    found = [path.parent.name for path in sorted(Path().glob(f"*/{CONFIG}"))]
    found = (
        found or ["/".join([".."] * up) for up, at in enumerate(Path.cwd().parents, 1) if (at / CONFIG).exists()][:1]
    )
    if len(found) > 1:
        return f"; there are projects in {', '.join(found[:MOST_NAMED])}: `cd` into one of them first"
    return f"; there is a project in {found[0]}: `cd {found[0]}` first" if found else ""


def other_project_of(path: str) -> str:
    """The project below this folder, which is none itself, that a recipe's relative path leads into; else ""."""
    first, *rest = Path(path).parts or ("",)
    return first if rest and not Path(CONFIG).exists() and Path(first, CONFIG).exists() else ""


Given = dict[str, tuple[str, Any]]  # a setting's name -> where it was set, and to what


WHERE_TO_NAME = "under `vars` of its play, with -e, or as `test_id` in [rack_recipes] of ansible.cfg"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings; times are in seconds.

    The text below each is its documentation: errors have its first sentence, the recorder's options all of it.
    """

    db: str = "sqlite:///.rack-recipes/results.db"
    """URL of the store."""
    runs: str = ".rack-recipes/runs"
    """Folder of the run folders, each with the journal of a run."""
    test_id: str = ""
    """What the test of a playbook without a recipe is called, for its history and its baseline.

    A recipe has its own name. It may also stand under C(vars) of a play. Without it, stages that come from roles are
    called after these.
    """
    group: str = ""
    """The id of the group that a run is a part of. Slices of an AWX job find theirs by themselves."""
    parts: int = 0
    """How many parts that group is to have; 0 where nobody knows."""
    server: str = ""
    """Address of the context server at which the parts of the group meet, for recipes that need the hosts of all parts.

    It is the path of its socket, or C(https://HOST:PORT).
    """
    server_token: str = field(default="", repr=False)
    """Token for that server. Its role is author, for the keys C(group.*) and C(lock.*)."""
    server_ca: str = ""
    """File with the authority that has signed the server's certificate. None, and the system's ones count."""
    group_wait: float = 600.0
    """Seconds for which a part waits at the server for parts that have not begun."""
    scriptlets: tuple[str, ...] = ("scriptlets", "orchestrator/scriptlets")
    """Trusted folders of drop-in scriptlets, separated by colons, before the collection's own."""
    flush_interval: float = 10.0
    """Seconds between two flushes of a longer run into the store.

    Below 5, and with O(debug) or O(log_level), hosts tell each result within a second, not only every 5 to 10 seconds.
    """
    flush_deltas: int = 10_000
    """Changes of the context after which a run is flushed before its interval is over."""
    store_timeout: float = 60.0
    """Seconds to wait for the store at the end of a run."""
    reconnect_timeout: float = 120.0
    """Seconds for which a host and its controller wait for each other when the connection is lost."""
    answer_timeout: float = 180.0
    """Seconds within which a host has to answer that can be logged in to.

    A poll may take that much longer than the host was asked to wait, and a large request or answer a second longer for
    each 64 KiB. A host that gives no answer, or one of more than 64 MiB, is unreachable. In later stages it is waited
    for 20 seconds at most.
    """
    step_timeout: float = 0.0
    """Seconds after which a try of a step is ended whose recipe gives it no C(timeout).

    Without it such a step has no limit, and C(rack-recipes validate) says so.
    """
    one_process_from: int = 2
    """From how many hosts on one process runs a stage on all of them, in place of a process for each; 0 for never.

    It is connected to as many hosts at a time as Ansible has forks, and a stage that lasts holds no connection. So more
    hosts than that are under test at a time. These keep a process for each host in any case, and C(rack-recipes plan)
    names them with the reason, as does C(run -vv) - stages in roles, steps that are Ansible's modules, on the
    live bus or delegated, fail_fast, O(debug), a group that meets.
    """
    slots: int = 4
    """How many parallel steps a host runs at once."""
    debug: bool = False
    """Whether what the steps do is shown in detail.

    Each line has run, step and host, and parameters, changes of the context, subprocesses, output, changed local
    variables or tracebacks. Secrets are masked.
    """
    log_level: str = ""
    """How much of that is told.

    C(error) has attempts that ended in failed or error; C(warning) has also marginal ones and what steps write to
    stderr; C(info) has also arguments, processes, changes of the context and all other ends; C(debug) is everything, as
    with O(debug).
    """
    serve: bool = False
    """Whether a context server runs during the run, which steps on the live bus need. It ends with the run."""
    valkey: str = field(default="", repr=False)
    """Address of the Valkey in which several context servers share one context, as C(rack-recipes serve) takes it."""
    locked: bool = False
    """Whether only recipes, scriptlets, hooks and modules are run that are as C(rack-recipes lock) wrote them down.

    What ansible.cfg says cannot be undone by a variable or in the environment.
    """
    policy: str = ""
    """The file that says which users and groups may run, debug, change or delete what.

    None, and they may do everything. What ansible.cfg says cannot be undone by a variable or in the environment.
    """
    merge: Rules = ()
    """What becomes of a write of a context key that another write had changed in between.

    Patterns of keys with a policy each, separated by colons, such as C(power.*=deep_merge:limits.*=fail). The policies
    are C(last_write), C(fail), C(deep_merge), and C(hook) with the dotted name of a Python file in a trusted folder of
    scriptlets. The first pattern that matches counts, those of the recipe before these. Without one the last write
    counts.
    """
    persist: tuple[str, ...] = ()
    """Patterns of the context keys that go to the store, separated by colons, such as C(numbers.*:power.*).

    A pattern with C(!) in front leaves keys out, so that C(!raw.*) is all but these. The journal has every key. A
    recipe's own patterns replace these. Without any, all keys go to the store.
    """
    secret_keys: tuple[str, ...] = SECRET_KEYS
    """Patterns of names whose values are secret, separated by colons.

    These are names of arguments, parameters, variables and keys of the context. A key is meant with its version or
    without. They replace the default ones.
    """
    host_attributes: tuple[str, ...] = HOST_ATTRIBUTES
    """Names of the inventory's variables that a run keeps of each host, separated by colons.

    The names of its groups are kept as well. An analysis looks there for what hosts that failed together have in
    common. They replace the default ones. Only short texts, numbers, booleans and lists of these are kept; what is
    secret never is.
    """
    report_templates: str = ""
    """Folder of the project's own parts of the report's page.

    It has a logo, a style sheet, and columns for tables of all formats. None, and reports are as they come.
    """
    module_errors: str = ""
    """The file that says which answers of Ansible's modules are errors, in addition to those that are known.

    It may also say which of these are no errors, and which messages mean that a device could not be reached.
    """
    waivers: str = ""
    """The file with the failures that somebody has accepted.

    Without this setting it is C(waivers.yml) beside ansible.cfg, if there is one.
    """
    notify_url: str = ""
    """Address that is told of the end of each run.

    It gets a POST with JSON that is signed with HMAC-SHA256, as the source C(ansible.eda.webhook) of Event-Driven
    Ansible takes it. Where that fails there is a warning, and the run ends as it would have without.
    """
    notify_secret: str = field(default="", repr=False)
    """Secret that signs it. Use the environment or O(notify_secret_file), not a command line."""
    notify_secret_file: str = ""
    """File with that secret in one line, which only its owner and group can read. It wins."""
    notify_timeout: float = 10.0
    """Seconds to wait for that address, with its further tries."""
    summary_url: str = ""
    """Address of a language model that may write summaries of runs.

    It is a base such as C(http://localhost:8080/v1) of an interface like OpenAI's. The model is asked only where
    a report or C(rack-recipes analyse) is told to. Without it summaries are made by rules.
    """
    summary_model: str = ""
    """Name of that model."""
    summary_key: str = field(default="", repr=False)
    """Key for that address. It is sent over https, or to this machine, and nowhere else."""
    summary_timeout: float = 30.0
    """Seconds to wait for a summary, with its second try."""
    summary_budget: int = 8000
    """Tokens that a summary may cost at most, question and answer, with its second try."""

    @property
    def are_results_wanted_soon(self) -> bool:
        """Whether somebody looks on while steps run, so that hosts tell what is new within a second."""
        return self.debug or bool(self.log_level) or self.flush_interval < LOOKED_ON


NAMES_OF_ALL = tuple(field.name for field in fields(Settings))


def load(extra_vars: Mapping[str, object] | None = None) -> Settings:
    """The settings that hold in this folder; in `extra_vars` other variables are passed over.

    Raises UsageError for a value of the wrong kind, for an unknown name in our section of ansible.cfg, and for a name
    in the environment that is nearly a setting's.
    """
    configured = _configured()
    given = {**configured, **_environment(), **_extra(extra_vars or {}), **_fixed(configured)}
    return Settings(**{name: _convert(name, *found) for name, found in given.items() if found[1] not in ("", None)})


def _fixed(configured: Given) -> Given:
    """The settings of ansible.cfg that the environment and variables cannot undo: `policy`, and `locked` if true."""
    set_there = {name: given for name, given in configured.items() if given[1]}
    fixed = {name: given for name, given in set_there.items() if name == "policy"}
    return {
        **fixed,
        **{name: given for name, given in set_there.items() if name == "locked" and _convert(name, *given)},
    }


def config_file() -> Path | None:
    """The ansible.cfg that Ansible itself would read here; it ignores one in a folder that everybody may write to."""
    return next((path for path in _candidates() if path.is_file() and os.access(path, os.R_OK)), None)


def _candidates() -> Iterator[Path]:
    named = os.environ.get("ANSIBLE_CONFIG")
    if named is not None:
        path = Path(os.path.expandvars(named)).expanduser()
        yield path / CONFIG if path.is_dir() else path
    if not Path.cwd().stat().st_mode & stat.S_IWOTH:
        yield Path(CONFIG)
    yield Path(f"~/.{CONFIG}").expanduser()
    yield Path("/etc/ansible") / CONFIG


def read_config() -> configparser.ConfigParser:
    """Ansible's configuration file, empty where there is none. Raises UsageError."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
    path = config_file()
    try:
        if path is not None:
            parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as an ini file: {error}") from error
    return parser


def _configured() -> Given:
    parser = read_config()
    if not parser.has_section(SECTION):
        return {}
    path = config_file()
    given = {name: value for name, value in parser[SECTION].items() if name not in parser.defaults()}
    for name in given:
        if name not in NAMES_OF_ALL:
            near = nearest(name, NAMES_OF_ALL)
            hint = f" (did you mean {near!r}?)" if near else f"; there are {', '.join(NAMES_OF_ALL)}"
            raise UsageError(f"{path}: [{SECTION}] has no setting {name!r}{hint}")
    return {name: (f"{path}: [{SECTION}] {name}", value) for name, value in given.items()}


def _environment() -> Given:
    variables = {name: f"{SECTION}_{name}".upper() for name in NAMES_OF_ALL}
    prefix = f"{SECTION}_".upper()
    for given in os.environ.keys() - {*variables.values(), f"{prefix}PART"}:
        if given.startswith(prefix) and (near := nearest_setting(given.removeprefix(prefix).lower(), NAMES_OF_ALL)):
            raise UsageError(f"the environment: there is no setting {given} (did you mean {variables[near]!r}?)")
    return {name: (variable, os.environ[variable]) for name, variable in variables.items() if variable in os.environ}


def nearest_setting(name: str, known: Sequence[str]) -> str:
    """The name that one without prefix was probably meant to be, or "": the prefix alone makes nothing alike."""
    return nearest(name, known, ALIKE) or next((each for each in known if sorted(each) == sorted(name)), "")


def _extra(extra_vars: Mapping[str, object]) -> Given:
    variables = {name: f"{SECTION}_{name}" for name in NAMES_OF_ALL}
    return {name: (variable, extra_vars[variable]) for name, variable in variables.items() if variable in extra_vars}


def about_settings() -> dict[str, str]:
    """What each setting is for: the texts in this file, which only errors and the documentation need."""
    import ast

    classes = (node for node in ast.parse(Path(__file__).read_bytes()).body if isinstance(node, ast.ClassDef))
    body = next(node for node in classes if node.name == Settings.__name__).body
    return {
        setting.target.id: " ".join(ast.literal_eval(text.value).split())
        for setting, text in pairwise(body)
        if isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name) and isinstance(text, ast.Expr)
    }


def meaning_of(name: str) -> str:
    """What a setting is for, in short, as messages have it."""
    first = about_settings()[name].partition(". ")[0].removesuffix(".")
    return first if first[1].isupper() else f"{first[0].lower()}{first[1:]}"


def converted(options: Mapping[str, tuple[Kind, str]], extra_vars: Mapping[str, object]) -> dict[str, Any]:
    """The values of those `options` that the extra vars have; each option has its kind and meaning.

    Raises UsageError for a value of the wrong kind.
    """
    given = {name: (f"{SECTION}_{name}", *option) for name, option in options.items()}
    return {
        name: _converted(variable, kind, partial(str, meaning), extra_vars[variable])
        for name, (variable, kind, meaning) in given.items()
        if extra_vars.get(variable) not in ("", None)
    }


def _convert(name: str, origin: str, value: object) -> Any:
    kind = next(str(field.type) for field in fields(Settings) if field.name == name)
    return _converted(origin, OWN_KINDS.get(name, KINDS[kind]), partial(meaning_of, name), value)


class Kind(NamedTuple):
    """A kind of value: its name in error messages, and a function that converts a value to it."""

    expected: str
    convert: Callable[[Any], Any]


def _converted(origin: str, kind: Kind, meaning: Callable[[], str], value: object) -> Any:
    try:
        return kind.convert(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{origin} ({meaning()}): expected {kind.expected}, got {value!r}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _separated(separator: str) -> Callable[[Any], tuple[str, ...]]:
    def parts(value: Any) -> tuple[str, ...]:
        found = value.split(separator) if isinstance(value, str) else list(value)
        return tuple(_text(part).strip() for part in found if part)

    return parts


def _seconds(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number) or number <= 0:
        raise ValueError
    return number


def _number(value: Any) -> int:
    number = int(value)
    if isinstance(value, bool) or number != float(value):
        raise ValueError
    return number


def _count(value: object) -> int:
    number = _number(value)
    if number < 1:
        raise ValueError
    return number


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    found = TRUTHS.get(str(value).lower())
    if found is None:
        raise ValueError
    return found


def _merge_rules(value: object) -> Rules:
    """The rules in a text, a list or a mapping."""
    if isinstance(value, Mapping):
        return tuple(_merge_rule(_text(keys), policy) for keys, policy in value.items())
    pairs = (part.partition("=") for part in _separated(":")(value))
    return tuple(_merge_rule(keys, policy) for keys, _mark, policy in pairs)


def _merge_rule(keys: str, policy: object) -> tuple[str, str]:
    pattern, name = keys.strip(), _text(policy).strip()
    if not pattern or not (name in MERGE_POLICIES or HOOK_POLICY.fullmatch(name)):
        raise ValueError
    return pattern, name


def _level(value: object) -> str:
    found = level_named(_text(value))
    if not found:
        raise ValueError
    return found


TEXT = Kind("text", _text)
SECONDS = Kind("a number of seconds above 0", _seconds)
COUNT = Kind("a whole number above 0", _count)
NUMBER = Kind("a whole number", _number)
TRUTH = Kind("true or false", _truth)
NAMES = Kind("names, separated by commas", _separated(","))
FOLDERS = Kind("folders, separated by colons", _separated(":"))
MERGE_RULES = Kind(
    f"rules such as power.*=deep_merge, separated by colons; the policies are {', '.join(MERGE_POLICIES)} "
    "and hook with the dotted name of a Python file, such as hook site.merge_power",
    _merge_rules,
)
KINDS = {
    "str": TEXT,
    "float": SECONDS,
    "int": COUNT,
    "bool": TRUTH,
    "tuple[str, ...]": FOLDERS,
    "Rules": MERGE_RULES,
}
OWN_KINDS = {
    "one_process_from": NUMBER,
    **dict.fromkeys(("persist", "secret_keys"), Kind("patterns, separated by colons", _separated(":"))),
    "host_attributes": Kind("names of variables, separated by colons", _separated(":")),
    "log_level": Kind(f"one of {', '.join((*LEVELS, *SHORT_LEVELS))}", _level),
}
