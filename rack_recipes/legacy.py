# SPDX-License-Identifier: GPL-3.0-or-later

"""`import rack_recipes.legacy` makes the module names of the first proposal importable in a program.

`orchestrator.context`, `orchestrator.runner`, `scriptlets.core.base` and `scriptlets.core.decorator`.
"""

from rack_recipes.programs.old_import_paths import install_legacy_imports

install_legacy_imports()
