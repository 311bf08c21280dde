# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of `awx.awx` that make a project, its templates and its workflows in AWX, and the names of these.

The names of their options are those of the argument specs of awx.awx 24.6.1. What differs from site to site is a
variable of the play.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.errors import UsageError
from rack_recipes.integrations.awx.survey import survey_of
from rack_recipes.plan.compile.yaml_text import verbatim
from rack_recipes.recipe.recipe_model import Recipe
from rack_recipes.recipe.recipe_names import stem_of

NOT_A_WORD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe, and the folder of its playbooks in the project. Its name is that of its file, as part of a variable."""

    recipe: Recipe
    folder: Path

    @property
    def name(self) -> str:
        """The name of the recipe's file in letters, digits and `_`, such as `burn_in`."""
        return NOT_A_WORD.sub("_", stem_of(self.recipe.path)).strip("_").lower()

    @property
    def description(self) -> str:
        """What the recipe tests."""
        meta = self.recipe.test_meta
        return ": ".join(filter(None, (meta.test_id, meta.description)))

    @property
    def title(self) -> str:
        """The name of the job template that runs the recipe."""
        return f"rack {self.name}"

    @property
    def ending(self) -> str:
        """The name of the job template that adds up what the jobs of a workflow have told."""
        return f"rack {self.name} total"

    @property
    def workflow(self) -> str:
        """The name of the workflow."""
        return f"rack {self.name} workflow"

    @property
    def playbook(self) -> str:
        """The path of the playbook that runs the recipe."""
        return (self.folder / f"run_{self.name}.yml").as_posix()

    @property
    def ending_playbook(self) -> str:
        """The path of the playbook that adds up."""
        return (self.folder / f"total_{self.name}.yml").as_posix()


def check_names(jobs: Sequence[Job]) -> None:
    """Raise UsageError where two recipes would get the same name in AWX, or one would get none."""
    paths: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        paths[job.name].append(job.recipe.path)
    for name, same in paths.items():
        if not name:
            raise UsageError(
                f"{same[0]}: expected a file name with a letter or a digit: AWX's templates are named after it"
            )
        if len(same) > 1:
            raise UsageError(f"{' and '.join(same)}: both would be {name!r} in AWX: rename one of them")


Data = dict[str, object]
PROJECT, INVENTORY, IMAGE, STORE, NOTIFICATION = (
    "rack recipes",
    "rack inventory",
    "rack image",
    "rack store",
    "rack notification",
)
ORGANIZATION = {"organization": "{{ organization }}"}
ANSWERS = ("success", "error")  # the ends of a workflow that somebody is told of
UPLOAD, AUTHORIZATION = "RACK_RECIPES_UPLOAD", "RACK_RECIPES_UPLOAD_AUTHORIZATION"
VARIABLES: Data = {
    "organization": "Default",
    "scm_url": "",
    "scm_branch": "",
    "scm_credential": "",
    "image": "",
    "inventory_path": "inventory.yml",
    "machine_credential": "",
    "slices": 1,
    "notification_url": "",
    "store": "{{ lookup('ansible.builtin.env', 'RACK_RECIPES_DB') }}",
    "upload": f"{{{{ lookup('ansible.builtin.env', '{UPLOAD}') }}}}",
    "upload_authorization": f"{{{{ lookup('ansible.builtin.env', '{AUTHORIZATION}') }}}}",
    "job_credentials": f"{{{{ ['{STORE}'] + ([machine_credential] if machine_credential else []) }}}}",
    "notifications": f"{{{{ ['{NOTIFICATION}'] if notification_url else [] }}}}",
}
CREDENTIAL_FIELDS = (
    {"id": "db", "label": "URL of the database", "type": "string", "secret": True},
    {"id": "upload", "label": "Address below which reports are uploaded by HTTP PUT", "type": "string"},
    {"id": "authorization", "label": "Header Authorization of uploads", "type": "string", "secret": True},
)
ENVIRONMENT = {"RACK_RECIPES_DB": "{{ db }}", UPLOAD: "{{ upload }}", AUTHORIZATION: "{{ authorization }}"}
REPORT = {"rack_recipes_report": True, "report_formats": ["html", "md", "json"]}


def configuring_play(jobs: Sequence[Job], names: SecretNames) -> Data:
    """The play; `names` are those of secrets. Raises RecipeErrors for parameters that no survey of AWX can ask for."""
    surveys = {f"survey_{job.name}": verbatim(survey) for job in jobs if (survey := survey_of(job.recipe, names))}
    return {
        "name": "Configure AWX for the tests of the rack",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {**VARIABLES, **surveys},
        "tasks": [*_shared_tasks(), *(task for job in jobs for task in _tasks_of(job))],
    }


def _task(title: str, module: str, /, **options: Any) -> Data:
    return {"name": title, f"awx.awx.{module}": options}


def _shared_tasks() -> Iterator[Data]:
    """What all recipes need: the image, the project, the inventory, the credential, the notification."""
    yield _check()
    yield _task("Make the execution environment known", "execution_environment", name=IMAGE, image="{{ image }}")
    yield _task(
        "Make the project, and fetch its files", "project", name=PROJECT, **ORGANIZATION, scm_type="git",
        scm_url="{{ scm_url }}", scm_branch="{{ scm_branch }}", credential="{{ scm_credential | default(omit, true) }}",
        default_environment=IMAGE, scm_update_on_launch=True, update_project=True, wait=True,
    )  # fmt: skip
    yield _task("Make the inventory", "inventory", name=INVENTORY, **ORGANIZATION)
    source = {"name": "inventory of the project", "inventory": INVENTORY}
    yield _task(
        "Take the hosts from the project's file", "inventory_source", **source, **ORGANIZATION, source="scm",
        source_project=PROJECT, source_path="{{ inventory_path }}", overwrite=True, overwrite_vars=True,
        update_on_launch=True,
    )  # fmt: skip
    yield _task("Read the hosts", "inventory_source_update", **source, **ORGANIZATION, wait=True)
    yield from _credential_tasks()
    configuration = {"url": "{{ notification_url }}", "http_method": "POST", "headers": {}}
    notification = _task(
        "Make the notification", "notification_template", name=NOTIFICATION, **ORGANIZATION,
        notification_type="webhook",
        notification_configuration={**configuration, "username": "", "password": "", "disable_ssl_verification": False},
    )  # fmt: skip
    yield {**notification, "when": "notification_url | length > 0"}


def _check() -> Data:
    """Ask for what has no default. AWX keeps no files of a job, so a file of SQLite would be lost."""
    given = ["scm_url | length > 0", "image | length > 0", "store is match('(postgresql|mysql|mariadb)')"]
    message = (
        "Give scm_url (the git repository of this project) and image (the execution environment) with -e, and the URL "
        "of a PostgreSQL, MySQL or MariaDB database in RACK_RECIPES_DB: AWX keeps no files of a job."
    )
    return {"name": "Check what has no default", "ansible.builtin.assert": {"that": given, "fail_msg": message}}


def _credential_tasks() -> Iterator[Data]:
    """The type of credential for the store and for uploads, and the credential itself."""
    yield _task(
        "Make the type of credential", "credential_type", name=STORE, kind="cloud",
        inputs={"fields": [*CREDENTIAL_FIELDS], "required": ["db"]}, injectors=verbatim({"env": ENVIRONMENT}),
    )  # fmt: skip
    inputs = {"db": "{{ store }}", "upload": "{{ upload }}", "authorization": "{{ upload_authorization }}"}
    yield _task(
        "Make the credential", "credential", name=STORE, **ORGANIZATION, credential_type=STORE, inputs=inputs,
    )  # fmt: skip


def _tasks_of(job: Job) -> Iterator[Data]:
    """The two job templates of a recipe and the workflow that runs one after the other."""
    asked = {"survey_enabled": True, "survey_spec": f"{{{{ survey_{job.name} }}}}"}
    common = {**ORGANIZATION, "ask_limit_on_launch": True}
    survey = asked if job.recipe.params else {"survey_enabled": False}
    template = {
        **common,
        "inventory": INVENTORY,
        "project": PROJECT,
        "execution_environment": IMAGE,
        "credentials": "{{ job_credentials }}",
    }
    yield _task(
        f"Make the job template of {job.name}", "job_template", name=job.title, description=job.description,
        **template, playbook=job.playbook, job_type="run", job_slice_count="{{ slices }}", extra_vars=REPORT,
        **survey,
    )  # fmt: skip
    yield _task(
        f"Make the job template that ends {job.name}", "job_template", name=job.ending, **template,
        playbook=job.ending_playbook, job_type="run",
    )  # fmt: skip
    told = {f"notification_templates_{end}": "{{ notifications }}" for end in ANSWERS}
    yield _task(
        f"Make the workflow of {job.name}", "workflow_job_template", name=job.workflow, description=job.description,
        **common, **survey, **told, workflow_nodes=_nodes(job),
    )  # fmt: skip


def _nodes(job: Job) -> list[Data]:
    """The run, in as many jobs as there are slices, and after it, however it ended, the job that adds them up."""
    after = {"always_nodes": [{"identifier": "total"}]}
    return [{**_node("run", job.title), "related": after}, _node("total", job.ending)]


def _node(identifier: str, template: str) -> Data:
    of = {"organization": {"name": "{{ organization }}"}, "name": template, "type": "job_template"}
    return {"identifier": identifier, "unified_job_template": of}
