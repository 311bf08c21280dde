# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports

# A host has no such package: a new Python in which nothing but the collection can be imported.
HOST = """
import sys
sys.meta_path.insert(0, type("NotInstalled", (), {"find_spec": staticmethod(lambda name, *_more: None)}))
before = {*sys.modules}
from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports
scriptlet_imports.install()
scriptlet_imports.install()
"""


def python(code):
    """What a new interpreter prints."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run([sys.executable, "-c", HOST + code], env=env, text=True, check=False, **streams).stdout


def test_each_name_is_that_of_its_module():
    code = "import rack_recipes as r; print(*(f'{n}={getattr(r, n).__name__}' for n in r.__all__))"
    assert python(code) == " ".join(f"{name}={name}" for name in scriptlet_imports.MODULES) + "\n"


def test_a_name_is_imported_when_it_is_used():
    loaded = "print(*({name.rpartition('.')[2] for name in sys.modules} & {'decorators', 'context_view', 'shell'}))"
    assert python(f"import rack_recipes; {loaded}") == "\n"
    assert python(f"from rack_recipes import Failed, Scriptlet; {loaded}") == "context_view\n"


def test_all_names_at_once():
    assert python("from rack_recipes import *; print(Failed.__name__, track_resources.__name__)") == (
        "Failed track_resources\n"
    )


def test_a_name_for_programs_says_so():
    code = "for name in scriptlet_imports.FOR_PROGRAMS:\n try: exec(f'from rack_recipes import {name}')\n except "
    said = "is for programs on the controller: a scriptlet has its ctx for what concerns the run\n"
    assert python(f"{code}ImportError as error: print(error)") == "".join(
        f"rack_recipes.{name} {said}" for name in scriptlet_imports.FOR_PROGRAMS
    )


def test_any_other_name_is_not_there():
    assert "cannot import name 'Faild' from 'rack_recipes'" in python("from rack_recipes import Faild")
    assert python("import rack_recipes; print(hasattr(rack_recipes, 'Faild'))") == "False\n"


def test_what_is_imported_already_stays():
    code = "import types; sys.modules['rack_recipes'] = m = types.ModuleType('m'); scriptlet_imports.install(); "
    assert python(code + "import rack_recipes; print(rack_recipes is m)") == "True\n"
