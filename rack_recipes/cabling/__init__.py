# SPDX-License-Identifier: GPL-3.0-or-later

"""Cabling plans: read from several formats, compared with what ports see, learned, written."""
