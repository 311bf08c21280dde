# SPDX-License-Identifier: GPL-3.0-or-later

"""What scriptlets, recipes and roles say of themselves: pages and search."""
