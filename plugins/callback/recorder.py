# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records the runs of compiled recipes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: recorder
type: notification
short_description: Records a recipe's run and brings it into the store
description:
  - Keeps the shared context of a run in memory for the stages and lookups that follow, writes what concerns the run
    to its journal, and has a process of its own bring the journal into the store.
  - Does nothing for a playbook without C(rack.recipes.stage) tasks.
  - A run whose results could not be stored ends with exit code 5. One of which tags or conditions left out every step
    ends with 1, unless C(--tags) chose other tasks of the playbook.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
requirements:
  - enable it in ansible.cfg with C(callbacks_enabled = rack.recipes.recorder)
options:
  db:
    description: URL of the store.
    default: sqlite:///.rack-recipes/results.db
    type: str
    ini: [{section: rack_recipes, key: db}]
    env: [{name: RACK_RECIPES_DB}]
  runs:
    description: Folder of the run folders, each with the journal of a run.
    default: .rack-recipes/runs
    type: str
    ini: [{section: rack_recipes, key: runs}]
    env: [{name: RACK_RECIPES_RUNS}]
  test_id:
    description:
      - What the test of a playbook without a recipe is called, for its history and its baseline. A recipe has its own
        name. It may also stand under C(vars) of a play. Without it, stages that come from roles are called after these.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: test_id}]
    env: [{name: RACK_RECIPES_TEST_ID}]
  group:
    description: The id of the group that a run is a part of. Slices of an AWX job find theirs by themselves.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: group}]
    env: [{name: RACK_RECIPES_GROUP}]
  parts:
    description: How many parts that group is to have; 0 where nobody knows.
    default: 0
    type: int
    ini: [{section: rack_recipes, key: parts}]
    env: [{name: RACK_RECIPES_PARTS}]
  server:
    description:
      - Address of the context server at which the parts of the group meet, for recipes that need the hosts of all
        parts. It is the path of its socket, or C(https://HOST:PORT).
    default: ""
    type: str
    ini: [{section: rack_recipes, key: server}]
    env: [{name: RACK_RECIPES_SERVER}]
  server_token:
    description: Token for that server. Its role is author, for the keys C(group.*) and C(lock.*).
    default: ""
    type: str
    ini: [{section: rack_recipes, key: server_token}]
    env: [{name: RACK_RECIPES_SERVER_TOKEN}]
  server_ca:
    description:
      - File with the authority that has signed the server's certificate. None, and the system's ones count.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: server_ca}]
    env: [{name: RACK_RECIPES_SERVER_CA}]
  group_wait:
    description: Seconds for which a part waits at the server for parts that have not begun.
    default: 600
    type: float
    ini: [{section: rack_recipes, key: group_wait}]
    env: [{name: RACK_RECIPES_GROUP_WAIT}]
  scriptlets:
    description: Trusted folders of drop-in scriptlets, separated by colons, before the collection's own.
    default: scriptlets:orchestrator/scriptlets
    type: str
    ini: [{section: rack_recipes, key: scriptlets}]
    env: [{name: RACK_RECIPES_SCRIPTLETS}]
  flush_interval:
    description:
      - Seconds between two flushes of a longer run into the store. Below 5, and with O(debug) or O(log_level), hosts
        tell each result within a second, not only every 5 to 10 seconds.
    default: 10
    type: float
    ini: [{section: rack_recipes, key: flush_interval}]
    env: [{name: RACK_RECIPES_FLUSH_INTERVAL}]
  flush_deltas:
    description: Changes of the context after which a run is flushed before its interval is over.
    default: 10000
    type: int
    ini: [{section: rack_recipes, key: flush_deltas}]
    env: [{name: RACK_RECIPES_FLUSH_DELTAS}]
  store_timeout:
    description: Seconds to wait for the store at the end of a run.
    default: 60
    type: float
    ini: [{section: rack_recipes, key: store_timeout}]
    env: [{name: RACK_RECIPES_STORE_TIMEOUT}]
  reconnect_timeout:
    description: Seconds for which a host and its controller wait for each other when the connection is lost.
    default: 120
    type: float
    ini: [{section: rack_recipes, key: reconnect_timeout}]
    env: [{name: RACK_RECIPES_RECONNECT_TIMEOUT}]
  answer_timeout:
    description:
      - Seconds within which a host has to answer that can be logged in to. A poll may take that much longer than the
        host was asked to wait, and a large request or answer a second longer for each 64 KiB. A host that gives no
        answer, or one of more than 64 MiB, is unreachable. In later stages it is waited for 20 seconds at most.
    default: 180
    type: float
    ini: [{section: rack_recipes, key: answer_timeout}]
    env: [{name: RACK_RECIPES_ANSWER_TIMEOUT}]
  step_timeout:
    description:
      - Seconds after which a try of a step is ended whose recipe gives it no C(timeout). Without it such a step has no
        limit, and C(rack-recipes validate) says so.
    default: 0
    type: float
    ini: [{section: rack_recipes, key: step_timeout}]
    env: [{name: RACK_RECIPES_STEP_TIMEOUT}]
  one_process_from:
    description:
      - From how many hosts on one process runs a stage on all of them, in place of a process for each; 0 for never. It
        is connected to as many hosts at a time as Ansible has forks, and a stage that lasts holds no connection. So
        more hosts than that are under test at a time. These keep a process for each host in any case, and
        C(rack-recipes plan) names them with the reason, as does C(run -vv) - stages in roles, steps that are Ansible's
        modules, on the live bus or delegated, fail_fast, O(debug), a group that meets.
    default: 2
    type: int
    ini: [{section: rack_recipes, key: one_process_from}]
    env: [{name: RACK_RECIPES_ONE_PROCESS_FROM}]
  slots:
    description: How many parallel steps a host runs at once.
    default: 4
    type: int
    ini: [{section: rack_recipes, key: slots}]
    env: [{name: RACK_RECIPES_SLOTS}]
  debug:
    description:
      - Whether what the steps do is shown in detail. Each line has run, step and host, and parameters, changes of the
        context, subprocesses, output, changed local variables or tracebacks. Secrets are masked.
    default: false
    type: bool
    ini: [{section: rack_recipes, key: debug}]
    env: [{name: RACK_RECIPES_DEBUG}]
  log_level:
    description:
      - How much of that is told. C(error) has attempts that ended in failed or error; C(warning) has also marginal ones
        and what steps write to stderr; C(info) has also arguments, processes, changes of the context and all other
        ends; C(debug) is everything, as with O(debug).
    default: ""
    type: str
    ini: [{section: rack_recipes, key: log_level}]
    env: [{name: RACK_RECIPES_LOG_LEVEL}]
  serve:
    description:
      - Whether a context server runs during the run, which steps on the live bus need. It ends with the run.
    default: false
    type: bool
    ini: [{section: rack_recipes, key: serve}]
    env: [{name: RACK_RECIPES_SERVE}]
  valkey:
    description:
      - Address of the Valkey in which several context servers share one context, as C(rack-recipes serve) takes it.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: valkey}]
    env: [{name: RACK_RECIPES_VALKEY}]
  locked:
    description:
      - Whether only recipes, scriptlets, hooks and modules are run that are as C(rack-recipes lock) wrote them down.
        What ansible.cfg says cannot be undone by a variable or in the environment.
    default: false
    type: bool
    ini: [{section: rack_recipes, key: locked}]
    env: [{name: RACK_RECIPES_LOCKED}]
  policy:
    description:
      - The file that says which users and groups may run, debug, change or delete what. None, and they may do
        everything. What ansible.cfg says cannot be undone by a variable or in the environment.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: policy}]
    env: [{name: RACK_RECIPES_POLICY}]
  merge:
    description:
      - What becomes of a write of a context key that another write had changed in between. Patterns of keys with a
        policy each, separated by colons, such as C(power.*=deep_merge:limits.*=fail). The policies are C(last_write),
        C(fail), C(deep_merge), and C(hook) with the dotted name of a Python file in a trusted folder of scriptlets. The
        first pattern that matches counts, those of the recipe before these. Without one the last write counts.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: merge}]
    env: [{name: RACK_RECIPES_MERGE}]
  persist:
    description:
      - Patterns of the context keys that go to the store, separated by colons, such as C(numbers.*:power.*). A pattern
        with C(!) in front leaves keys out, so that C(!raw.*) is all but these. The journal has every key. A recipe's
        own patterns replace these. Without any, all keys go to the store.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: persist}]
    env: [{name: RACK_RECIPES_PERSIST}]
  secret_keys:
    description:
      - Patterns of names whose values are secret, separated by colons. These are names of arguments, parameters,
        variables and keys of the context. A key is meant with its version or without. They replace the default ones.
    default: "*password:*passwd:*passphrase:*secret:*token:*api_key:*apikey:\
      *access_key:*secret_key:*private_key:*credentials:*summary_key"
    type: str
    ini: [{section: rack_recipes, key: secret_keys}]
    env: [{name: RACK_RECIPES_SECRET_KEYS}]
  host_attributes:
    description:
      - Names of the inventory's variables that a run keeps of each host, separated by colons. The names of its groups
        are kept as well. An analysis looks there for what hosts that failed together have in common. They replace the
        default ones. Only short texts, numbers, booleans and lists of these are kept; what is secret never is.
    default: "site:row:rack:position:u:role:class:vendor:model:\
      serial_number:batch:firmware:nic_model:leaf:spine:uplinks:power_feed:pdu"
    type: str
    ini: [{section: rack_recipes, key: host_attributes}]
    env: [{name: RACK_RECIPES_HOST_ATTRIBUTES}]
  report_templates:
    description:
      - Folder of the project's own parts of the report's page. It has a logo, a style sheet, and columns for tables of
        all formats. None, and reports are as they come.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: report_templates}]
    env: [{name: RACK_RECIPES_REPORT_TEMPLATES}]
  module_errors:
    description:
      - The file that says which answers of Ansible's modules are errors, in addition to those that are known. It may
        also say which of these are no errors, and which messages mean that a device could not be reached.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: module_errors}]
    env: [{name: RACK_RECIPES_MODULE_ERRORS}]
  waivers:
    description:
      - The file with the failures that somebody has accepted. Without this setting it is C(waivers.yml) beside
        ansible.cfg, if there is one.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: waivers}]
    env: [{name: RACK_RECIPES_WAIVERS}]
  notify_url:
    description:
      - Address that is told of the end of each run. It gets a POST with JSON that is signed with HMAC-SHA256, as the
        source C(ansible.eda.webhook) of Event-Driven Ansible takes it. Where that fails there is a warning, and the run
        ends as it would have without.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: notify_url}]
    env: [{name: RACK_RECIPES_NOTIFY_URL}]
  notify_secret:
    description: Secret that signs it. Use the environment or O(notify_secret_file), not a command line.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: notify_secret}]
    env: [{name: RACK_RECIPES_NOTIFY_SECRET}]
  notify_secret_file:
    description: File with that secret in one line, which only its owner and group can read. It wins.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: notify_secret_file}]
    env: [{name: RACK_RECIPES_NOTIFY_SECRET_FILE}]
  notify_timeout:
    description: Seconds to wait for that address, with its further tries.
    default: 10
    type: float
    ini: [{section: rack_recipes, key: notify_timeout}]
    env: [{name: RACK_RECIPES_NOTIFY_TIMEOUT}]
  summary_url:
    description:
      - Address of a language model that may write summaries of runs. It is a base such as C(http://localhost:8080/v1)
        of an interface like OpenAI's. The model is asked only where a report or C(rack-recipes analyse) is told to.
        Without it summaries are made by rules.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: summary_url}]
    env: [{name: RACK_RECIPES_SUMMARY_URL}]
  summary_model:
    description: Name of that model.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: summary_model}]
    env: [{name: RACK_RECIPES_SUMMARY_MODEL}]
  summary_key:
    description: Key for that address. It is sent over https, or to this machine, and nowhere else.
    default: ""
    type: str
    ini: [{section: rack_recipes, key: summary_key}]
    env: [{name: RACK_RECIPES_SUMMARY_KEY}]
  summary_timeout:
    description: Seconds to wait for a summary, with its second try.
    default: 30
    type: float
    ini: [{section: rack_recipes, key: summary_timeout}]
    env: [{name: RACK_RECIPES_SUMMARY_TIMEOUT}]
  summary_budget:
    description: Tokens that a summary may cost at most, question and answer, with its second try.
    default: 8000
    type: int
    ini: [{section: rack_recipes, key: summary_budget}]
    env: [{name: RACK_RECIPES_SUMMARY_BUDGET}]
"""


from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.run.recorder.import_cached_bytecode import import_cached_bytecode

    import_cached_bytecode()  # what is imported from here on

    from rack_recipes.integrations.monitoring.end_notice import tell_end
    from rack_recipes.run.recorder.end_run_on_signal import SignalGuard
    from rack_recipes.run.recorder.recorder import Recorder


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Passes Ansible's events on to the recorder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "rack.recipes.recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        library.check(AnsibleError)
        self.recorder = Recorder(self._display.warning, self._display.display, SignalGuard(), tell_end, self._display.v)

    def v2_playbook_on_start(self, playbook: object) -> None:
        """A playbook starts."""
        self.recorder.guarded(self.recorder.playbook_starts, playbook)

    def v2_playbook_on_play_start(self, play: object) -> None:
        """A play starts."""
        self.recorder.guarded(self.recorder.play_starts, play)

    def v2_playbook_on_task_start(self, task: object, is_conditional: bool) -> None:
        """A task starts, no worker is forked yet."""
        self.recorder.guarded(self.recorder.task_starts, task)

    def v2_runner_on_ok(self, result: object) -> None:
        """A task ended well on a host."""
        self.recorder.guarded(self.recorder.task_ended, result)

    def v2_runner_on_failed(self, result: object, ignore_errors: bool = False) -> None:  # noqa: FBT002 - as Ansible has it
        """A task failed on a host."""
        self.recorder.guarded(self.recorder.task_failed, result)

    def v2_runner_on_skipped(self, result: object) -> None:
        """A task was left out on a host."""
        self.recorder.guarded(self.recorder.task_skipped, result)

    def v2_runner_on_unreachable(self, result: object) -> None:
        """A host could not be reached."""
        self.recorder.guarded(self.recorder.task_ended, result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """All plays have ended. Only here can a callback set the exit code."""
        code = self.recorder.exit_code(has_failed=bool(stats.failures or stats.dark))
        if code:
            raise SystemExit(code)
