# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage action, in the forked workers of Ansible: a stage on its hosts."""
