# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file a scriptlet's name means, what it declares, and whether it may be trusted."""
