# SPDX-License-Identifier: GPL-3.0-or-later

"""The run that the unit tests of reports have."""

from ansible_collections.rack.recipes.tests.unit.rack_recipes.report.conftest import (  # noqa: F401 fixtures
    findings,
    past,
    report,
    rows,
)
