# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# Results of a shell scriptlet without hand-made JSON: `. "$RACK_SH"`. See docs/authoring.md.
#
# Each call appends a record to the file RACK_OUT, so calls in subshells, pipes and background jobs count, too. A record
# is the number of its fields, then the fields: each is a line that begins with "=", its further lines begin with "+".
# envelope.sh prints what was recorded when the script has ended.

: "${RACK_OUT:=/dev/stderr}" "${RACK_IN:=/dev/null}" "${RACK_WORK:=$PWD}" # by hand, without envelope.sh
export RACK_IN RACK_OUT
_rack_newline='
'
_rack_letters=aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ

# rack_param NAME [DEFAULT]: prints the parameter; DEFAULT, or nothing, where it has no value.
rack_param() {
  _rack_capitals "$1"
  if [ -n "$_rack_variable" ] && eval "[ -n \"\${RACK_PARAM_$_rack_variable+set}\" ]"; then
    eval "printf '%s\n' \"\$RACK_PARAM_$_rack_variable\""
    return
  fi
  _rack_code=0
  _rack_found=$(_rack_given params "$1") || _rack_code=$?
  case $_rack_code in
    0) printf '%s\n' "$_rack_found" ;;
    3) printf '%s\n' "${2-}" ;;
    *) rack_error "rack_param: there is no parameter $1${_rack_found:+, there are: $_rack_found}" ;;
  esac
}

# rack_get KEY[.FIELD...] [DEFAULT]: prints a key of the context, or a field of its value; what is no text, as JSON.
rack_get() {
  _rack_code=0
  _rack_found=$(_rack_given context "$1") || _rack_code=$?
  if [ "$_rack_code" = 0 ]; then
    printf '%s\n' "$_rack_found"
  elif [ $# -gt 1 ]; then
    printf '%s\n' "$2"
  else
    rack_error "rack_get: there is no $1 among what the step reads${_rack_found:+: $_rack_found}"
  fi
}

# rack_percent PART WHOLE: prints how many percent of WHOLE a PART is, with two digits behind the point; 0 for 0 of 0.
rack_percent() {
  LC_ALL=C awk -f "${RACK_SH%/*}/json.awk" -- percent "$@" ||
    rack_error "rack_percent: expected PART and WHOLE, a number above 0, got $*"
}

rack_set() { _rack_record rack_set "$@"; }               # KEY TEXT
rack_set_number() { _rack_record rack_set_number "$@"; } # KEY NUMBER
rack_set_json() { _rack_record rack_set_json "$@"; }     # KEY JSON
rack_set_fields() { _rack_record rack_set_fields "$@"; } # KEY NAME=TEXT NAME:=NUMBER..., beside those that it has
rack_measure() { _rack_record rack_measure "$@"; }       # NAME NUMBER [UNIT]
rack_check() { _rack_record rack_check "$@"; }           # NAME VALUE UNIT max=95 warn.max=80...
rack_secret() { _rack_record rack_secret "$@"; }         # TEXT

# rack_live get|set|wait|wait_all|send|sync|abort|once|lock... WORDS: the live bus. Exit code 1 where `once` was not the
# first; anything else that goes wrong is an error, as by rack_error.
rack_live() {
  _rack_code=0
  _rack_found=$("${RACK_PYTHON:-python3}" -S -I "${RACK_SH%/*}/rack_live.py" "$@") || _rack_code=$?
  case $_rack_code in
    0) [ -z "$_rack_found" ] || printf '%s\n' "$_rack_found" ;;
    4) return 1 ;;
    *) rack_error "rack_live $1: ${_rack_found:-it ended with exit code $_rack_code}" ;;
  esac
}

# rack_fail REASON, rack_error REASON, rack_skip REASON: the end of the script, or of the subshell that it is called in.
rack_fail() {
  _rack_record failed "$@"
  exit 1
}
rack_error() {
  _rack_record error "$@"
  exit 1
}
rack_skip() {
  _rack_record skipped "$@"
  exit 0
}

# rack_log debug|info|warning|error TEXT: a line of the log on stderr, where the run's level shows it.
rack_log() {
  case $1:${RACK_LOG_LEVEL:-warning} in
    debug:debug | info:debug | info:info | warning:debug | warning:info | warning:warning | error:*) ;;
    debug:* | info:* | warning:*) return 0 ;;
    *) rack_error "rack_log: expected debug, info, warning or error, got $1" ;;
  esac
  _rack_capitals "$1"
  shift
  printf '%s %s shell [%s %s %s] %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$_rack_variable" \
    "${RACK_RUN:--}" "${RACK_STEP:--}" "${RACK_HOST:--}" "$*" >&2
}

# rack_attach FILE [NAME [MEDIA_TYPE]]. A file outside of the working folder, or with an odd name, is copied first.
rack_attach() {
  case $1 in
    /*) _rack_file=$1 ;;
    *) _rack_file=$PWD/$1 ;;
  esac
  case $_rack_file in
    *[!A-Za-z0-9/._-]*) _rack_copy "$1" ;;
    "$RACK_WORK"/*) ;;
    *) _rack_copy "$1" ;;
  esac
  _rack_record rack_attach "$_rack_file" "${2-${1##*/}}" "${3-}"
}

_rack_copy() {
  if ! { _rack_folder=$(mktemp -d "$RACK_WORK/attached-XXXXXX") && cp -- "$_rack_file" "$_rack_folder/file"; }; then
    rack_error "rack_attach: $1 cannot be copied into the working folder"
  fi
  _rack_file=$_rack_folder/file
}

# Sets _rack_variable to a name in capitals, or to nothing where it is none of a variable.
_rack_capitals() {
  _rack_rest=$1 _rack_variable=
  while [ -n "$_rack_rest" ]; do
    _rack_letter=${_rack_rest%"${_rack_rest#?}"}
    _rack_rest=${_rack_rest#?}
    case $_rack_letter in
      [abcdefghijklmnopqrstuvwxyz])
        _rack_letter=${_rack_letters#*"$_rack_letter"}
        _rack_letter=${_rack_letter%"${_rack_letter#?}"}
        ;;
      [ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_]) ;;
      *)
        _rack_variable=
        return
        ;;
    esac
    _rack_variable=$_rack_variable$_rack_letter
  done
}

_rack_given() { LC_ALL=C awk -f "${RACK_SH%/*}/json.awk" -- given "$@"; }

# Writes a record at once, so that jobs in the background do not get into each other's way. Bash's printf writes line by
# line, cat does not.
_rack_record() {
  if [ -n "${BASH_VERSION-}" ]; then
    cat >>"$RACK_OUT" <<RECORD || exit 1
$(_rack_fields "$@")
RECORD
  else
    _rack_fields "$@" >>"$RACK_OUT" || exit 1
  fi
}

_rack_fields() {
  case "$*" in
    *"$_rack_newline"*) printf '=%s\n%s\n' "$#" "$(for _rack_field; do _rack_lines "$_rack_field"; done)" ;;
    *) printf '=%s\n' "$#" "$@" ;;
  esac
}

_rack_lines() { printf '%s\n' "$1" | LC_ALL=C sed -e '1s/^/=/' -e '1!s/^/+/'; }

_rack_record begin
