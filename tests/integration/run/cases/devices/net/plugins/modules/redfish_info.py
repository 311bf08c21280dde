# SPDX-License-Identifier: GPL-3.0-or-later

"""A module like community.general.redfish_info: a resource that is missing is told inside of the result."""

import json
from urllib.error import HTTPError, URLError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url


def main():
    module = AnsibleModule({"url": {"required": True}, "resource": {"required": True}}, supports_check_mode=True)
    url = f"{module.params['url']}/redfish/v1/{module.params['resource']}"
    try:
        found = {"ret": True, "entries": json.loads(open_url(url, timeout=5).read())}
    except HTTPError as error:
        found = {"ret": False, "msg": f"HTTP Error {error.code} on GET request to '{url}', extended message: 'none'"}
    except URLError as error:
        module.fail_json(msg=f"URL Error on GET request to '{url}': '{error.reason}'")
    module.exit_json(changed=False, redfish_facts={module.params["resource"].lower(): found})


if __name__ == "__main__":
    main()
