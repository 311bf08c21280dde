# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible's main process does: it begins and ends the run and writes its journal."""
