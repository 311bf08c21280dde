# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables, their columns, and migrations."""
