# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads and writes JSON (RFC 8259) for rack.sh, rack.awk and envelope.sh, in bytes: LC_ALL=C.
#
#     awk -f json.awk -- envelope CODE         prints the envelope of the records in RACK_OUT; CODE is the script's exit code
#     awk -f json.awk -- given params NAME     prints a value of RACK_IN: a text as it is, everything else as JSON
#     awk -f json.awk -- given context KEY[.FIELD...]
#     awk -f json.awk -- percent PART WHOLE    prints how many percent of WHOLE a PART is; exit code 3 for what are no numbers
#
# The exit code of `given` is 3 for a parameter without a value, and 4 where there is none: then the names that there are
# were printed.

BEGIN {
    LARGEST = 1.7976931348623157e308 # of IEEE 754 double precision
    PIECE = 8192 # bytes: a long text is put together from pieces, since awk copies it each time
    WINDOW = 512 # bytes: a long text is looked at in parts, since an awk may count its letters each time
    UNESCAPED["n"] = "\n"
    UNESCAPED["t"] = "\t"
    UNESCAPED["r"] = "\r"
    UNESCAPED["b"] = "\b"
    UNESCAPED["f"] = "\f"
    ESCAPED[9] = "\\t"
    ESCAPED[10] = "\\n"
    ESCAPED[13] = "\\r"
    for (i = 1; i < 256; i++) {
        char[i] = sprintf("%c", i)
        code_of[char[i]] = i
    }
    if (ARGV[1] == "envelope")
        envelope(ARGV[2])
    else if (ARGV[1] == "percent")
        percent(ARGV[2], ARGV[3])
    else
        given(ARGV[2], ARGV[3])
}

# --- the envelope -----------------------------------------------------------------------------------------------------

function envelope(code,    file, line, left, more) {
    file = ENVIRON["RACK_OUT"]
    fields = left = 0
    while ((getline line < file) > 0) {
        if (line ~ /^\+/ && fields) {
            more = more "\n" substr(line, 2)
            if (length(more) > PIECE) {
                field[fields] = field[fields] more
                more = ""
            }
            continue
        }
        field[fields] = field[fields] more
        more = ""
        if (left) {
            field[++fields] = substr(line, 2)
            left--
            continue
        }
        take()
        left = line ~ /^=[0-9]+$/ ? substr(line, 2) + 0 : 0
        if (!left)
            problem("a record of its results is damaged: did jobs in the background write long ones at the same time?")
        fields = 0
    }
    field[fields] = field[fields] more
    if (left)
        problem("the last record of its results is not whole")
    else
        take()
    if (records)
        print_envelope(code)
}

# Takes the record that has been read.
function take(    kind) {
    if (!fields)
        return
    records++
    kind = field[1]
    if (kind == "rack_measure")
        take_measurement()
    else if (kind == "rack_check")
        take_check()
    else if (kind == "rack_set")
        arguments(3, "KEY TEXT") && set_value(quote(field[3]))
    else if (kind == "rack_set_number")
        arguments(3, "KEY NUMBER") && set_value(needed(number(field[3]), "expected a number, got " shown(field[3])))
    else if (kind == "rack_set_json")
        arguments(3, "KEY JSON") && set_value(needed(json(field[3]), "expected JSON, got " shown(field[3])))
    else if (kind == "rack_set_fields")
        take_fields()
    else if (kind == "field")
        set_field(field[3], quote(field[4]))
    else if (kind == "field_number")
        set_field(field[3], needed(number(field[4]), field[3] ": expected a number, got " shown(field[4])))
    else if (kind == "rack_secret")
        arguments(2, "TEXT") && (secret[++secrets] = quote(field[2]))
    else if (kind == "rack_attach")
        take_artifact()
    else if (kind == "skipped" || kind == "failed" || kind == "error")
        end_with(kind, reason_of())
}

function problem(text) {
    end_with("error", text)
    return ""
}

# The first word counts, but a skip hides nothing that comes after it.
function end_with(word, why) {
    if (status == "" || (status == "skipped" && word != "skipped")) {
        status = word
        reason = why
    }
}

function reason_of(    i, text) {
    for (i = 2; i <= fields; i++)
        text = text (i > 2 ? " " : "") field[i]
    return text
}

function called() { return (field[1] ~ /^rack/ ? field[1] : "rack_" field[1]) (fields > 1 ? " " field[2] : "") }

function shown(text) { return "'" (length(text) > 200 ? substr(text, 1, 200) "..." : text) "'" }

function arguments(wanted, usage) {
    if (fields == wanted)
        return 1
    problem(called() ": expected " usage ", got " (fields - 1) (fields == 2 ? " argument" : " arguments"))
    return 0
}

# A JSON text, or null where there is none, which is a problem.
function needed(text, why) {
    if (text == "")
        problem(called() ": " why)
    return text == "" ? "null" : text
}

function set_value(text) {
    if (!(field[2] in output))
        key[++keys] = field[2]
    output[field[2]] = text
    members[field[2]] = ""
}

function set_field(name, text) {
    if (!(field[2] in output))
        key[++keys] = field[2]
    output[field[2]] = ""
    members[field[2]] = members[field[2]] (members[field[2]] == "" ? "" : ", ") quote(name) ": " text
}

function take_fields(    i, place, name, text) {
    if (fields < 3)
        return problem(called() ": expected KEY NAME=TEXT NAME:=NUMBER..., got no field")
    for (i = 3; i <= fields; i++) {
        place = index(field[i], "=")
        name = substr(field[i], 1, place - 1)
        text = substr(field[i], place + 1)
        if (place < 2)
            problem(called() ": expected NAME=TEXT or NAME:=NUMBER, got " shown(field[i]))
        else if (name ~ /.:$/) {
            sub(/:$/, "", name)
            set_field(name, needed(value(text), name ": expected a number or JSON, got " shown(text)))
        } else
            set_field(name, quote(text))
    }
}

function take_measurement() {
    if (fields == 3)
        field[++fields] = ""
    if (arguments(4, "NAME NUMBER UNIT"))
        measurement[++measurements] = "{\"name\": " quote(field[2]) ", \"value\": " measured_number() \
            ", \"unit\": " quote(field[4]) "}"
}

function measured_number() { return needed(number(field[3]), "expected a number, got " shown(field[3])) }

# A check all of whose limits are empty is a measurement. Its value is a text where all of its limits are texts.
function take_check(    i, judged) {
    if (fields < 5)
        return problem(called() ": expected NAME VALUE UNIT LIMIT..., such as max=95, got " (fields - 1) " arguments")
    split("", limits)
    split("", choices)
    numeric = is_json = is_list = limits_given = 0
    for (i = 5; i <= fields; i++)
        take_limit(field[i])
    if (!limits_given) {
        fields = 4
        return take_measurement()
    }
    for (i in choices)
        add_limit(i, "one_of", "[" choices[i] "]")
    for (i in limits)
        if (i ~ /\./)
            nest(i)
    for (i in limits)
        if (i != "")
            nest(i)
    if (is_list)
        judged = needed(json(field[3]), "expected a list of numbers, got " shown(field[3]))
    else if (numeric)
        judged = measured_number()
    else if (is_json)
        judged = needed(value(field[3]), "expected a number or JSON, got " shown(field[3]))
    else
        judged = quote(field[3])
    if (judged == "null" && (numeric || is_list))
        return  # there is no value, which is the reason of the end
    check[++checks] = "{\"name\": " quote(field[2]) ", \"value\": " judged ", \"unit\": " quote(field[4]) ", " limits[""] "}"
}

# A word of a check: max=95, warn.max=80, within.of=100, eq=TEXT, eq:=NUMBER. Each one_of is one more of the choices.
function take_limit(word,    place, name, text, above, last) {
    place = index(word, "=")
    if (place < 2)
        return problem(called() ": expected a limit such as max=95, got " shown(word))
    name = substr(word, 1, place - 1)
    text = substr(word, place + 1)
    above = name ~ /\./ ? name : ""
    sub(/\.[^.]*$/, "", above)
    last = name
    sub(/.*\./, "", last)
    if (last ~ /^(min|max|of|by|percent|quantile):?$/) {
        sub(/:$/, "", last)
        if (text ~ /^[ \t\n]*$/)
            return
        is_list = is_list || last == "quantile"
        numeric = 1
        text = needed(number(text), name ": expected a number, got " shown(text))
    } else if (last ~ /.:$/) {
        sub(/:$/, "", last)
        is_json = 1
        text = needed(value(text), name " expected a number or JSON, got " shown(text))
    } else
        text = quote(text)
    limits_given = 1
    if (last == "one_of" && text !~ /^\[/)
        choices[above] = choices[above] (choices[above] == "" ? "" : ", ") text
    else
        add_limit(above, last, text)
}

function add_limit(above, name, text) {
    limits[above] = limits[above] (limits[above] == "" ? "" : ", ") quote(name) ": " text
}

# Puts the limits under a word such as `warn` or `warn.within` where they belong.
function nest(above,    outer, last) {
    if (limits[above] == "")
        return
    outer = above ~ /\./ ? above : ""
    sub(/\.[^.]*$/, "", outer)
    last = above
    sub(/.*\./, "", last)
    add_limit(outer, last, "{" limits[above] "}")
    limits[above] = ""
}

function take_artifact() {
    artifact[++artifacts] = "{\"name\": " quote(field[3]) ", \"path\": " quote(field[2]) \
        (field[4] == "" ? "" : ", \"media_type\": " quote(field[4])) "}"
}

function print_envelope(code,    i) {
    if (code + 0 && (status == "" || status == "skipped")) {
        status = "error"
        reason = ""
    }
    ORS = ""
    print "\n{\"status\": \"" (status == "" ? "ok" : status) "\""
    if (reason != "")
        print ", \"reason\": " quote(reason)
    if (code + 0)
        print ", \"exit_code\": " code + 0
    for (i = 1; i <= keys; i++)
        print (i == 1 ? ", \"outputs\": {" : ", ") quote(key[i]) ": " \
            (output[key[i]] == "" ? "{" members[key[i]] "}" : output[key[i]])
    print keys ? "}" : ""
    print_list("measurements", measurements, measurement)
    print_list("checks", checks, check)
    print_list("secrets", secrets, secret)
    print_list("artifacts", artifacts, artifact)
    print "}\n"
}

function print_list(name, count, items,    i) {
    for (i = 1; i <= count; i++)
        print (i == 1 ? ", \"" name "\": [" : ", ") items[i]
    print count ? "]" : ""
}

# --- values as JSON -----------------------------------------------------------------------------------------------------

# A text as JSON. Each byte that is no UTF-8 becomes \xNN, as Python's backslashreplace has it.
function quote(text,    i) {
    gsub(/\\/, "&&", text)
    gsub(/"/, "\\\\&", text)
    if (text ~ /[\001-\037]/)
        for (i = 1; i < 32; i++)
            if (index(text, char[i]))
                text = replaced(text, char[i], i in ESCAPED ? ESCAPED[i] : sprintf("\\u%04x", i))
    return "\"" utf8(text) "\""
}

# Without gsub: awks differ in what a backslash in a replacement means.
function replaced(text, letter, by,    count, part, i, whole, piece) {
    count = split(text, part, letter)
    for (i = 1; i <= count; i++) {
        piece = piece (i > 1 ? by : "") part[i]
        if (length(piece) > PIECE) {
            whole = whole piece
            piece = ""
        }
    }
    return whole piece
}

# The text of a JSON string with each byte that is no UTF-8 as \\xNN.
function utf8(text,    rest, whole, piece, window, at, size, done, length_of) {
    rest = text
    gsub(/[\001-\177]/, "", rest)
    if (rest == "")
        return text
    size = length(text)
    for (at = 1; at <= size; at += done) {
        window = substr(text, at, WINDOW + 3) # with the rest of its last character
        piece = ""
        for (done = 0; done < WINDOW && at + done <= size; done += length_of) {
            length_of = character(window, done + 1)
            piece = piece (length_of ? substr(window, done + 1, length_of) : \
                sprintf("\\\\x%02x", code_of[substr(window, done + 1, 1)]))
            length_of += !length_of
        }
        whole = whole piece
    }
    return whole
}

# How many bytes the character at a place has; 0 where it is no UTF-8 (RFC 3629, section 4).
function character(text, at,    first, second, count, i) {
    first = code_of[substr(text, at, 1)]
    if (first < 128)
        return 1
    count = first < 194 ? 0 : first < 224 ? 2 : first < 240 ? 3 : first < 245 ? 4 : 0
    second = code_of[substr(text, at + 1, 1)] + 0
    if (second < (first == 224 ? 160 : first == 240 ? 144 : 128) || second > (first == 237 ? 159 : first == 244 ? 143 : 191))
        return 0
    for (i = 2; i < count; i++)
        if (int((code_of[substr(text, at + i, 1)] + 0) / 64) != 2)
            return 0
    return count
}

# A decimal number as JSON; empty for what is none, or is too large for a double. Zeros before it and a + are dropped.
function number(text,    sign, exponent) {
    gsub(/^[ \t\r\n]+/, "", text)
    gsub(/[ \t\r\n]+$/, "", text)
    if (length(text) > 300 || text !~ /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/)
        return ""
    if (text ~ /[eE]/ && (text + 0 > LARGEST || text + 0 < -LARGEST))
        return ""
    sign = text ~ /^-/ ? "-" : ""
    sub(/^[-+]/, "", text)
    exponent = match(text, /[eE].*/) ? substr(text, RSTART) : ""
    sub(/[eE].*/, "", text)
    sub(/\.$/, "", text)
    sub(/^0+/, "", text)
    return sign (text ~ /^[0-9]/ ? "" : "0") text exponent
}

# A number, or else JSON, as JSON; empty for what is neither.
function value(text,    found) {
    found = number(text)
    return found == "" ? json(text) : found
}

# JSON in one line; empty for what is none.
function json(text) {
    goals = 0
    if (!parse(text))
        return ""
    gsub(/[\t\r\n]/, " ", text)
    return utf8(text)
}

function percent(part, whole) {
    if (ARGC != 4 || number(part) == "" || number(whole) == "" || whole < 0 || (whole == 0 && part != 0))
        exit 3
    printf "%.2f\n", whole == 0 ? 0 : 100 * part / whole
}

# --- reading JSON -------------------------------------------------------------------------------------------------------

function given(what, name,    file, line, text, path, parts, i) {
    file = ENVIRON["RACK_IN"]
    while ((getline line < file) > 0)
        text = text line "\n"
    goals = 2
    goal[1] = what
    goal[2] = name
    if (what == "context" && match(name, /_v[0-9]+\./)) {
        goal[2] = substr(name, 1, RSTART + RLENGTH - 2)
        parts = split(substr(name, RSTART + RLENGTH), path, ".")
        for (i = 1; i <= parts; i++)
            goal[++goals] = path[i]
    }
    parse(text)
    ORS = ""
    if (!is_found) {
        print names
        exit 4
    }
    if (what == "params" && found == "null" && !is_text)
        exit 3
    print found
}

# Whether a text is JSON. Where there are `goals`, `found` becomes the value under these names, and `names` those beside it.
function parse(text,    count, i, is_inside, string, piece) {
    count = split(text, chunk, "\"")
    depth = is_found = kept_from = 0
    awaited = "value"
    kept = tail = names = ""
    for (i = 1; i <= count; i++) {
        if (!is_inside) {
            if (!take_tokens(chunk[i]))
                return 0
            is_inside = i < count
            string = piece = ""
            continue
        }
        piece = piece chunk[i]
        if (match(chunk[i], /\\+$/) && RLENGTH % 2) { # the quote that follows belongs to the string
            piece = piece "\""
            if (length(piece) > PIECE) {
                string = string piece
                piece = ""
            }
            continue
        }
        if (i == count || !take_string(string piece))
            return 0
        is_inside = 0
    }
    return !is_inside && awaited == "end"
}

function take_tokens(text,    at, size, window, i, letter) {
    token = ""
    size = length(text)
    for (at = 1; at <= size; at += WINDOW) {
        window = substr(text, at, WINDOW)
        for (i = 1; i <= length(window); i++) {
            letter = substr(window, i, 1)
            if (!index("{}[],: \t\r\n", letter))
                token = token letter
            else if (!take_delimiter(letter))
                return 0
        }
    }
    return token == "" || take_literal(token)
}

# Ends the number or word before a sign or a blank, and takes the sign.
function take_delimiter(letter) {
    if (token != "" && !take_literal(token))
        return 0
    token = ""
    return index(" \t\r\n", letter) || take_sign(letter)
}

function awaits_value() { return awaited == "value" || awaited == "item" }

function after_value() { awaited = depth ? "comma" : "end" }

# Whether the value that begins here is the one that is looked for.
function is_goal() { return goals && depth == goals && on_path[depth] && place[depth] == goal[depth] }

function keep(text) {
    if (!kept_from)
        return
    tail = tail text
    if (length(tail) > PIECE) {
        kept = kept tail
        tail = ""
    }
}

function find(text, as_text) {
    is_found = 1
    found = text
    is_text = as_text
}

function take_literal(token) {
    if (!awaits_value() || !(token ~ /^(true|false|null)$/ || \
        (token ~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/ && (goals || number(token) != ""))))
        return 0
    keep(token)
    if (is_goal())
        find(token, 0)
    after_value()
    return 1
}

function take_string(string,    rest) {
    rest = string
    gsub(/\\(["\\\/bfnrt]|u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])/, "", rest)
    if (rest ~ /[\\\001-\037]/)
        return 0
    keep("\"" string "\"")
    if (awaited == "name" || awaited == "first") {
        if (goals) {
            place[depth] = decoded(string)
            if (on_path[depth] && depth == goals)
                names = names (names == "" ? "" : ", ") place[depth]
        }
        awaited = "colon"
        return 1
    }
    if (!awaits_value())
        return 0
    if (is_goal())
        find(decoded(string), 1)
    after_value()
    return 1
}

function take_sign(sign) {
    if (sign == "{" || sign == "[") {
        if (!awaits_value())
            return 0
        if (is_goal())
            kept_from = depth + 1
        on_path[depth + 1] = !depth || (on_path[depth] && depth < goals && place[depth] == goal[depth])
        opened[++depth] = sign
        place[depth] = sign == "[" ? 0 : ""
        awaited = sign == "{" ? "first" : "item"
        keep(sign)
        return 1
    }
    keep(sign)
    if (sign == ":") {
        if (awaited != "colon")
            return 0
        awaited = "value"
        return 1
    }
    if (sign == ",") {
        if (awaited != "comma")
            return 0
        awaited = opened[depth] == "{" ? "name" : "value"
        if (opened[depth] == "[")
            place[depth]++
        return 1
    }
    if (!depth || opened[depth] != (sign == "}" ? "{" : "[") || !(awaited == "comma" || awaited == (sign == "}" ? "first" : "item")))
        return 0
    if (kept_from == depth) {
        find(kept tail, 0)
        kept_from = 0
    }
    depth--
    after_value()
    return 1
}

# The text of a JSON string. NUL is left out, since no variable of a shell can hold it.
function decoded(string,    count, part, i, text, code, low) {
    count = split(string, part, "\\")
    text = part[1]
    for (i = 2; i <= count; i++) {
        if (part[i] == "") { # a backslash itself
            text = text "\\" part[++i]
            continue
        }
        code = substr(part[i], 1, 1)
        if (code != "u") {
            text = text (code in UNESCAPED ? UNESCAPED[code] : code) substr(part[i], 2)
            continue
        }
        code = hexadecimal(substr(part[i], 2, 4))
        if (code >= 55296 && code < 56320 && length(part[i]) == 5 && part[i + 1] ~ /^u[dD][c-fC-F]/) {
            low = hexadecimal(substr(part[++i], 2, 4))
            code = 65536 + (code - 55296) * 1024 + low - 56320
        }
        text = text encoded(code) substr(part[i], 6)
    }
    return text
}

function hexadecimal(digits,    i, found) {
    for (i = 1; i <= length(digits); i++)
        found = found * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
    return found
}

function encoded(code) {
    if (code < 128)
        return code ? char[code] : ""
    if (code < 2048)
        return char[192 + int(code / 64)] char[128 + code % 64]
    if (code < 65536)
        return char[224 + int(code / 4096)] char[128 + int(code / 64) % 64] char[128 + code % 64]
    return char[240 + int(code / 262144)] char[128 + int(code / 4096) % 64] char[128 + int(code / 64) % 64] char[128 + code % 64]
}
