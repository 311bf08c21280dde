# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible's forked workers do: one stage on one host."""
