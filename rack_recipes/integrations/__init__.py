# SPDX-License-Identifier: GPL-3.0-or-later

"""What other systems get: files for AWX, notices, metrics and dashboards."""
