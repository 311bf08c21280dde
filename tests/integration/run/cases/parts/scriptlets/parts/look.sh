#!/bin/sh
# Looks at a host; on one with a file `hang` it goes on until that is removed.
while [ -e "$HOME/hang" ]; do sleep 1; done
echo '{"status": "ok", "outputs": {"look.name_v1": "seen"}}'
