#!/bin/sh
# shellcheck disable=SC1090
. "$RACK_SH"
set -eu
secret="$(rack_param pin)-made-here"
rack_secret "$secret"
echo "$(id -un) has $secret" >&2
rack_set_fields lib.shell_v1 text="$(rack_param text)" seed="$(rack_get lib.seed_v1.text)" \
  next:=$(($(rack_get lib.seed_v1.n) + 1))
rack_check heat "$(rack_param celsius)" C max=95 warn.max=80
printf '%s' "$(rack_param text)" >shell.txt
rack_attach shell.txt note.txt
rack_attach /proc/sys/kernel/ostype
