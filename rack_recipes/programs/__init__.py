# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes, scriptlets and contexts in Python programs, notebooks and pytest."""
