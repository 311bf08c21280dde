# SPDX-License-Identifier: GPL-3.0-or-later

"""What an author of a Python scriptlet imports: the base class, its two exceptions, and how one runs as a module.

The executor imports `context_view`, never this file: `run_as_module` needs the executor itself.
"""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.context_view import Failed, Scriptlet, Skipped

__all__ = ("Failed", "Scriptlet", "Skipped", "run_as_module")


def run_as_module(scriptlet: type[Scriptlet]) -> None:
    """Run a published scriptlet as an Ansible module, by the same executor as in a stage."""
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import run_single
    from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

    module = AnsibleModule(argument_spec=scriptlet.options or {})
    result = run_single(scriptlet, module.params)
    if result["verdict"] in PASSING:
        module.exit_json(changed=False, **result)
    if result["verdict"] == "skipped":
        module.exit_json(changed=False, skipped=True, msg=result["reason"], **result)
    module.fail_json(msg=result["reason"], **result)
