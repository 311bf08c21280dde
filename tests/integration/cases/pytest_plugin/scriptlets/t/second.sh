#!/bin/sh
# Passes at the second try.
[ -e tried ] && printf '{"status": "ok", "outputs": {"t.second_v1": 2}}\n' && exit
touch tried
exit 1
