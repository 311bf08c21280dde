# Both commands do their own set-up. PYTHON=/path/to/python3.13 chooses the Python.

SETUP = tests/tools/setup.sh
NOX = .venv/bin/python -m nox
export PYTHON
# What a shell has set for Python in general is not meant for the tests.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSAFEPATH PYTHONUTF8 PYTHONUNBUFFERED

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

demo: ## Run two recipes over SSH hosts of the demo's own, and write the report.
	@$(SETUP) run
	@.venv/bin/rack-recipes demo

rack-demo: ## Start a virtual rack, test it, swap two cables, test it again. Needs root.
	@$(SETUP) rack
	@.venv/bin/python tests/demo/rack_demo.py

test: ## Every test and every linter, cheap ones first: what CI runs.
	@$(SETUP) test
	@$(NOX)

lint: ## The linters alone.
	@$(SETUP) test
	@$(NOX) --tags lint

docs: ## The site, in build/site, which opens from there: pages, search, and llms.txt.
	@$(SETUP) test
	@$(NOX) --session docs

bench: ## The benchmark that has a threshold: this project against plain Ansible.
	@$(SETUP) test
	@$(NOX) --session bench

soak: ## Long sweeps and every benchmark in full, written to pages of docs/.
	@$(SETUP) test
	@$(NOX) --session soak

clean: ## Remove environments, caches and runs.
	@rm -rf .venv .nox .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .rack-recipes build dist tests/output

.PHONY: help demo rack-demo test lint docs bench soak clean
