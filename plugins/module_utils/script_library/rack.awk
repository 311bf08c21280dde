# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Results of an awk scriptlet without hand-made JSON. An awk scriptlet that calls a function of this file gets it; awk in
# a shell scriptlet gets it by `-f "$RACK_AWK"`. See docs/authoring.md, and rack.sh for the form of the records.

function rack_param(name, standard,    code) {
    if (("RACK_PARAM_" toupper(name)) in ENVIRON)
        return ENVIRON["RACK_PARAM_" toupper(name)]
    code = _rack_given("params", name)
    if (code == 4)
        rack_error("rack_param: there is no parameter " name (_rack_found == "" ? "" : ", there are: " _rack_found))
    return code ? standard : _rack_found
}

function rack_get(key, standard) {
    if (_rack_given("context", key) == 0)
        return _rack_found
    if (standard == "" && standard == 0) # it was not given
        rack_error("rack_get: there is no " key " among what the step reads" (_rack_found == "" ? "" : ": " _rack_found))
    return standard
}

# How many percent of the whole a part is, with two digits behind the point; 0 for 0 of 0.
function rack_percent(part, whole,    text) {
    if (!_rack_is_number(part) || !_rack_is_number(whole) || whole + 0 < 0 || (whole + 0 == 0 && part + 0 != 0))
        rack_error("rack_percent: expected PART and WHOLE, a number above 0, got " part " " whole)
    text = sprintf("%.2f", whole + 0 == 0 ? 0 : 100 * part / whole)
    sub(/,/, ".", text) # as some languages write it
    return text
}

function _rack_is_number(value) { return value "" ~ /^[-+]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][-+]?[0-9]+)?$/ }

function rack_set(key, text) { _rack_record(3, _rack_field("rack_set") _rack_field(key) _rack_field(text)) }

function rack_set_number(key, number) {
    _rack_record(3, _rack_field("rack_set_number") _rack_field(key) _rack_field(_rack_number(number)))
}

function rack_set_json(key, json) { _rack_record(3, _rack_field("rack_set_json") _rack_field(key) _rack_field(json)) }

function rack_field(key, name, text) {
    _rack_record(4, _rack_field("field") _rack_field(key) _rack_field(name) _rack_field(text))
}

function rack_field_number(key, name, number) {
    _rack_record(4, _rack_field("field_number") _rack_field(key) _rack_field(name) _rack_field(_rack_number(number)))
}

function rack_measure(name, number, unit) {
    _rack_record(4, _rack_field("rack_measure") _rack_field(name) _rack_field(_rack_number(number)) _rack_field(unit))
}

# Limits are words such as "max=95" and "warn.max=80".
function rack_check(name, value, unit, limit1, limit2, limit3, limit4, limit5, limit6,    count, fields) {
    count = 4
    fields = _rack_field("rack_check") _rack_field(name) _rack_field(_rack_number(value)) _rack_field(unit)
    if (limit1 != "") { count++; fields = fields _rack_field(limit1) }
    if (limit2 != "") { count++; fields = fields _rack_field(limit2) }
    if (limit3 != "") { count++; fields = fields _rack_field(limit3) }
    if (limit4 != "") { count++; fields = fields _rack_field(limit4) }
    if (limit5 != "") { count++; fields = fields _rack_field(limit5) }
    if (limit6 != "") { count++; fields = fields _rack_field(limit6) }
    _rack_record(count, fields)
}

# A line of the log on stderr, where the run's level shows it; a level is debug, info, warning or error.
function rack_log(level, text,    levels, wanted, now) {
    levels = " debug info warning error "
    wanted = ENVIRON["RACK_LOG_LEVEL"] == "" ? "warning" : ENVIRON["RACK_LOG_LEVEL"]
    if (level == "" || !index(levels, " " level " "))
        rack_error("rack_log: expected debug, info, warning or error, got " level)
    if (index(levels, " " level " ") < index(levels, " " wanted " "))
        return
    "date -u +%Y-%m-%dT%H:%M:%SZ" | getline now
    close("date -u +%Y-%m-%dT%H:%M:%SZ")
    printf "%s %s awk [%s %s %s] %s\n", now, toupper(level), _rack_word("RUN"), _rack_word("STEP"), \
        _rack_word("HOST"), text > "/dev/stderr"
}

function _rack_word(name) { return ENVIRON["RACK_" name] == "" ? "-" : ENVIRON["RACK_" name] }

function rack_secret(text) { _rack_record(2, _rack_field("rack_secret") _rack_field(text)) }

function rack_attach(file, name, media_type) {
    if (file !~ /^\//)
        file = ENVIRON["RACK_WORK"] "/" file
    if (name == "") {
        name = file
        sub(/.*\//, "", name)
    }
    _rack_record(4, _rack_field("rack_attach") _rack_field(file) _rack_field(name) _rack_field(media_type))
}

function rack_fail(reason) { _rack_record(2, _rack_field("failed") _rack_field(reason)); exit 1 }
function rack_error(reason) { _rack_record(2, _rack_field("error") _rack_field(reason)); exit 1 }
function rack_skip(reason) { _rack_record(2, _rack_field("skipped") _rack_field(reason)); exit 0 }

function _rack_field(text) {
    text = text ""
    gsub(/\n/, "\n+", text)
    return "\n=" text
}

# A number that awk has computed, with all its digits, and 1e+22 for one beyond 64 bits; a text stays as it is.
function _rack_number(value,    text, digits, is_whole) {
    text = value ""
    is_whole = text ~ /^-?[0-9]+$/
    if (value + 0 != value || (text + 0 == value && text !~ /,/ && !(is_whole && length(text) > 20)))
        return text
    for (digits = 15; digits <= 17; digits++) {
        text = sprintf("%." digits "g", value)
        sub(/,/, ".", text) # as some languages write it
        if (text + 0 == value)
            break
    }
    return text
}

function _rack_record(count, fields) {
    printf "%s\n", "=" count fields >> ENVIRON["RACK_OUT"]
    close(ENVIRON["RACK_OUT"])
}

# Sets _rack_found to what json.awk prints of the parameters or of the context, and returns its exit code.
function _rack_given(what, name,    command, line, lines, last) {
    gsub(/'/, "'\\''", name)
    command = "LC_ALL=C awk -f \"${RACK_AWK%/*}/json.awk\" -- given " what " '" name "'; printf '\\n%s\\n' $?"
    _rack_found = ""
    while ((command | getline line) > 0) {
        if (lines++)
            _rack_found = _rack_found (lines > 2 ? "\n" : "") last
        last = line
    }
    close(command)
    return last + 0
}
