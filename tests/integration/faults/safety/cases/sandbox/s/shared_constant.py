# SPDX-License-Identifier: GPL-3.0-or-later

"""What another scriptlet imports: it travels with it into the sandbox."""

WORD = "shared"
