#!/bin/sh
# One byte a write, with a pause in the middle.
dd bs=1 status=none <<END
{"status": "ok",
END
printf '%s\n' 'was no envelope'
printf '{"status": "ok", "outputs"'
sleep 0.3
printf ': {"o.pieces_v1": 1}}' | dd bs=1 status=none
