# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes as tests of pytest."""
