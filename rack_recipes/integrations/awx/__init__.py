# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a project for AWX: configuration, survey, execution environment."""
