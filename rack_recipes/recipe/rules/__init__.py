# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that a JSON Schema cannot say."""
