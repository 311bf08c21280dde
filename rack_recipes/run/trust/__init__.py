# SPDX-License-Identifier: GPL-3.0-or-later

"""Lock file and policy: what may run, and who may read and write which context keys."""
