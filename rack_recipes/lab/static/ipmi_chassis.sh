#!/bin/sh
# What ipmi_sim calls for the power of a server: ipmi_chassis.sh PYTHON MODULE FOLDER NODE get|set NAME [VALUE] ...
#
# MODULE switches the power of a node. It waits until a node is up, which ipmi_sim must not: so it goes on behind.
set -eu
python=$1 module=$2 folder=$3 node=$4 verb=$5
shift 5

is_on() {
  pid=$(cat "$folder/pids/$node")
  [ -n "$pid" ] && [ -e "/proc/$pid" ]
}

switch() {
  "$python" -I -m "$module" "$folder/spec.json" "$node" "$1" </dev/null >/dev/null 2>&1 &
}

case $verb in
  get)
    for name in "$@"; do
      case $name in
        power) if is_on; then echo power:1; else echo power:0; fi ;;
        boot) echo boot:default ;;
        *) exit 1 ;;
      esac
    done
    ;;
  set)
    while [ $# -ge 2 ]; do
      case $1:$2 in
        power:0 | shutdown:1) switch off ;;
        power:1) switch on ;;
        reset:1) switch cycle ;;
        boot:* | identify:*) ;;
        *) exit 1 ;;
      esac
      shift 2
    done
    ;;
  *) exit 1 ;;
esac
