# SPDX-License-Identifier: GPL-3.0-or-later

"""A module like ansible.netcommon.cli_command: whatever the device answers, it does not fail.

It begins `late_sec` late, as on a machine that is busy.
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.connection import Connection, ConnectionError


def main():
    options = {"command": {"required": True}, "late_sec": {"type": "float", "default": 0}}
    module = AnsibleModule(options, supports_check_mode=True)
    time.sleep(module.params["late_sec"])
    try:
        answer = Connection(module._socket_path).get(module.params["command"])
    except ConnectionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, stdout=answer, stdout_lines=answer.splitlines())


if __name__ == "__main__":
    main()
