#!/bin/sh
# Prints so much that its record needs more room than the files of the stage, which go before it is written.
head -c 19000 /dev/zero | tr '\0' x
head -c 19000 /dev/zero | tr '\0' x >&2
echo
echo '{"status": "ok"}'
