#!/bin/sh
# Daemons in sessions of their own, one without any environment, one that takes no TERM.
setsid sh -c 'trap "" TERM; while :; do sleep 4322; done' >/dev/null 2>&1 &
env -i setsid sleep 4322 >/dev/null 2>&1 &
(setsid sh -c 'setsid sleep 4322 & exit 0' >/dev/null 2>&1 &)
sleep 4322
