#!/bin/sh
# hall_inventory.py as a program that Ansible can start.
exec python3 "${0%.sh}.py" "$@"
