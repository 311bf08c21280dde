# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a step between hosts test each other, in which round."""
