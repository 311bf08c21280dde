# SPDX-License-Identifier: GPL-3.0-or-later

"""Print one resource of a BMC of a virtual rack; it runs inside of the rack: ask_bmc.py JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from scriptlets.tools.redfish import ROOT, client_of

asked = json.loads(sys.argv[1])
given = {"user": asked["bmc_user"], "password": asked["bmc_password"], "ca": asked["bmc_ca"]}
with client_of({**asked, **given}) as device:
    collection, star, rest = asked["path"].partition("/*/")
    path = f"{ROOT}/{asked['path']}"
    if star:
        path = f"{next(device.all_of(collection))['@odata.id']}/{rest}"
    print(json.dumps(device.get(path)))
