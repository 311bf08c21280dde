# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks, and what they may do."""
