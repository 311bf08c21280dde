# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that read or complete what runs have left in the store."""
