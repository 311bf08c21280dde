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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import LEVELS
from rack_recipes.errors import UsageError, nearest

SECTION = "rack_recipes"
CONFIG = "ansible.cfg"
MEANING: dict[str, str] = {
    "db": "URL of the store",
    "runs": "folder of the run folders",
    "group": "id of the group that a run is a part of",
    "parts": "how many parts that group is to have",
    "server": "address of the context server at which the parts meet",
    "server_token": "token for that server",
    "server_ca": "file with the authority that has signed its certificate",
    "group_wait": "seconds for which a part waits for others that have not begun",
    "scriptlets": "trusted folders of drop-in scriptlets, before the collection's own",
    "flush_interval": "seconds between two flushes of a longer run into the store",
    "flush_deltas": "changes of the context after which a run is flushed before its interval is over",
    "store_timeout": "seconds to wait for the store at the end of a run",
    "reconnect_timeout": "seconds for which a host and its controller wait for each other",
    "answer_timeout": "seconds within which a host that can be logged in to has to answer",
    "slots": "how many parallel steps a host runs at once",
    "debug": "whether what steps do is told in detail",
    "log_level": "how much of what steps do is told",
    "serve": "whether a context server runs during the run",
    "valkey": "address of the Valkey in which several context servers share one context",
    "locked": "whether only what the lock file has is run",
    "policy": "the file that says who may do what",
    "merge": "what becomes of writes of a key that meet",
    "secret_keys": "patterns of names whose values are secret",
    "host_attributes": "variables of the inventory that are recorded with each host of a run",
    "report_templates": "folder of the project's own parts of the report's page",
    "module_errors": "the file that says which answers of Ansible's modules are errors",
    "waivers": "the file with the failures that somebody has accepted",
    "notify_url": "address that is told of the end of each run",
    "notify_secret": "secret that signs what is told there",
    "notify_secret_file": "file with that secret",
    "notify_timeout": "seconds to wait for that address",
    "summary_url": "address of a language model that writes summaries",
    "summary_model": "name of that model",
    "summary_key": "key for that address",
    "summary_timeout": "seconds to wait for a summary",
    "summary_budget": "tokens that a summary may cost at most",
}
MERGE_POLICIES = ("last_write", "fail", "deep_merge")
HOOK = "hook "  # before the dotted name of a Python file: a policy of the user's
HOOK_POLICY = re.compile(rf"{HOOK}[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
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

Given = dict[str, tuple[str, Any]]  # a setting's name -> where it was set, and to what


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings; times are in seconds."""

    db: str = "sqlite:///.rack-recipes/results.db"
    runs: str = ".rack-recipes/runs"
    group: str = ""
    parts: int = 0
    server: str = ""
    server_token: str = field(default="", repr=False)
    server_ca: str = ""
    group_wait: float = 600.0
    scriptlets: tuple[str, ...] = ("scriptlets", "orchestrator/scriptlets")
    flush_interval: float = 10.0
    flush_deltas: int = 10_000
    store_timeout: float = 60.0
    reconnect_timeout: float = 120.0
    answer_timeout: float = 180.0
    slots: int = 4
    debug: bool = False
    log_level: str = ""
    serve: bool = False
    valkey: str = field(default="", repr=False)
    locked: bool = False
    policy: str = ""
    merge: Rules = ()
    secret_keys: tuple[str, ...] = SECRET_KEYS
    host_attributes: tuple[str, ...] = HOST_ATTRIBUTES
    report_templates: str = ""
    module_errors: str = ""
    waivers: str = ""
    notify_url: str = ""
    notify_secret: str = field(default="", repr=False)
    notify_secret_file: str = ""
    notify_timeout: float = 10.0
    summary_url: str = ""
    summary_model: str = ""
    summary_key: str = field(default="", repr=False)
    summary_timeout: float = 30.0
    summary_budget: int = 8000


def load(extra_vars: Mapping[str, Any] | None = None) -> Settings:
    """The settings that hold in this folder; in `extra_vars` other variables are passed over.

    Raises UsageError for a value of the wrong kind, and for an unknown name in our section of ansible.cfg.
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
        if name not in MEANING:
            near = nearest(name, [*MEANING])
            hint = f" (did you mean {near!r}?)" if near else f"; there are {', '.join(MEANING)}"
            raise UsageError(f"{path}: [{SECTION}] has no setting {name!r}{hint}")
    return {name: (f"{path}: [{SECTION}] {name}", value) for name, value in given.items()}


def _environment() -> Given:
    variables = {name: f"{SECTION}_{name}".upper() for name in MEANING}
    return {name: (variable, os.environ[variable]) for name, variable in variables.items() if variable in os.environ}


def _extra(extra_vars: Mapping[str, Any]) -> Given:
    variables = {name: f"{SECTION}_{name}" for name in MEANING}
    return {name: (variable, extra_vars[variable]) for name, variable in variables.items() if variable in extra_vars}


def converted(options: Mapping[str, tuple[Kind, str]], extra_vars: Mapping[str, Any]) -> dict[str, Any]:
    """The values of those `options` that the extra vars have; each option has its kind and meaning.

    Raises UsageError for a value of the wrong kind.
    """
    given = {name: (f"{SECTION}_{name}", *option) for name, option in options.items()}
    return {
        name: _converted(variable, kind, meaning, extra_vars[variable])
        for name, (variable, kind, meaning) in given.items()
        if extra_vars.get(variable) not in ("", None)
    }


def _convert(name: str, origin: str, value: Any) -> Any:
    kind = next(str(field.type) for field in fields(Settings) if field.name == name)
    return _converted(origin, OWN_KINDS.get(name, KINDS[kind]), MEANING[name], value)


class Kind(NamedTuple):
    """A kind of value: its name in error messages, and a function that converts a value to it."""

    expected: str
    convert: Callable[[Any], Any]


def _converted(origin: str, kind: Kind, meaning: str, value: Any) -> Any:
    try:
        return kind.convert(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{origin} ({meaning}): expected {kind.expected}, got {value!r}") from error


def _text(value: Any) -> str:
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


def _count(value: Any) -> int:
    number = _number(value)
    if number < 1:
        raise ValueError
    return number


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = TRUTHS.get(str(value).lower())
    if found is None:
        raise ValueError
    return found


def _merge_rules(value: Any) -> Rules:
    """The rules in a text, a list or a mapping."""
    if isinstance(value, Mapping):
        return tuple(_merge_rule(_text(keys), policy) for keys, policy in value.items())
    pairs = (part.partition("=") for part in _separated(":")(value))
    return tuple(_merge_rule(keys, policy) for keys, _mark, policy in pairs)


def _merge_rule(keys: str, policy: Any) -> tuple[str, str]:
    pattern, name = keys.strip(), _text(policy).strip()
    if not pattern or not (name in MERGE_POLICIES or HOOK_POLICY.fullmatch(name)):
        raise ValueError
    return pattern, name


def _level(value: Any) -> str:
    found = _text(value).strip().lower()
    if found not in LEVELS:
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
    "secret_keys": Kind("patterns, separated by colons", _separated(":")),
    "host_attributes": Kind("names of variables, separated by colons", _separated(":")),
    "log_level": Kind(f"one of {', '.join(LEVELS)}", _level),
}
