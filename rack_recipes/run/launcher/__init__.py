# SPDX-License-Identifier: GPL-3.0-or-later

"""What the command does: it starts `ansible-playbook`, shows progress, passes signals on."""
