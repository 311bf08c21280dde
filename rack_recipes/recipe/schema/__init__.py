# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema of a recipe, and its errors in plain words."""
