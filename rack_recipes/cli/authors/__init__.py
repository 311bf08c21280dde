# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands for authors of recipes and scriptlets."""
