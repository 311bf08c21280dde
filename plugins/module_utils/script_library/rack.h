/* Copyright: (c) 2026, rack.recipes contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Results of a C scriptlet without hand-made JSON: #include "rack.h" after the macros that choose a standard. See
 * docs/authoring.md. The envelope is printed when the program ends, by `return` from main, by `exit` or by one of
 * rack_fail, rack_error and rack_skip. C99 and POSIX. Call it from one thread at a time.
 */
#ifndef RACK_H
#define RACK_H

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RACK_FORMAT(text, values) __attribute__((format(printf, text, values), unused))
#define RACK_LONGEST 4096 /* bytes of a reason or of the limits of a check, which are formatted */

struct rack_text {
    char *bytes;
    size_t size, room;
};

struct rack_key { /* of the context: a value, or the fields of an object */
    char *name;
    struct rack_text value;
    int is_object;
    struct rack_key *next;
};

static struct {
    long process; /* a fork of the program prints no envelope */
    const char *status;
    struct rack_text reason, measurements, checks, secrets, artifacts;
    struct rack_key *first;
} rack_results;

static void *rack_memory(void *found)
{
    if (found == NULL) {
        puts("\n{\"status\": \"error\", \"reason\": \"no memory\", \"exit_code\": 1}");
        fflush(stdout);
        _Exit(1);
    }
    return found;
}

static void rack_add(struct rack_text *text, const char *bytes, size_t size)
{
    if (text->size + size + 1 > text->room) {
        text->room = 2 * (text->size + size) + 64;
        text->bytes = rack_memory(realloc(text->bytes, text->room));
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

static void rack_put(struct rack_text *text, const char *more)
{
    rack_add(text, more, strlen(more));
}

/* How many bytes the character has that begins here; 0 where it is no UTF-8 (RFC 3629, section 4). */
static size_t rack_character(const unsigned char *text)
{
    unsigned char first = text[0], second = first ? text[1] : 0;
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (size < 2)
        return size;
    if (second < (first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80) ||
        second > (first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf))
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* Add a text as JSON. Each byte that is no UTF-8 becomes \xNN, as Python's backslashreplace has it. */
static void rack_quote(struct rack_text *target, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    char escaped[8];

    rack_put(target, "\"");
    while (*at) {
        size_t size = rack_character(at);

        if (size == 0 || *at < 0x20 || *at == '"' || *at == '\\') {
            const char *form = size == 0 ? "\\\\x%02x" : *at < 0x20 ? "\\u%04x" : "\\%c";

            snprintf(escaped, sizeof escaped, form, *at);
            rack_put(target, escaped);
            size = 1;
        } else {
            rack_add(target, (const char *)at, size);
        }
        at += size;
    }
    rack_put(target, "\"");
}

static void rack_end_list(const char *name, const struct rack_text *items)
{
    if (items->size)
        printf(", \"%s\": [%s]", name, items->bytes);
}

/* Print the envelope; called once, when the program ends. */
static void rack_print(void)
{
    const char *separator = ", \"outputs\": {";

    if ((long)getpid() != rack_results.process)
        return;
    printf("\n{\"status\": \"%s\"", rack_results.status ? rack_results.status : "ok");
    if (rack_results.reason.size)
        printf(", \"reason\": %s", rack_results.reason.bytes);
    if (rack_results.status && strcmp(rack_results.status, "error") == 0)
        printf(", \"exit_code\": 1");
    for (struct rack_key *key = rack_results.first; key; key = key->next, separator = ", ")
        printf("%s%s: %s%s%s", separator, key->name, key->is_object ? "{" : "", key->value.bytes, key->is_object ? "}" : "");
    printf("%s", rack_results.first ? "}" : "");
    rack_end_list("measurements", &rack_results.measurements);
    rack_end_list("checks", &rack_results.checks);
    rack_end_list("secrets", &rack_results.secrets);
    rack_end_list("artifacts", &rack_results.artifacts);
    puts("}");
    fflush(stdout);
}

static void __attribute__((constructor)) rack_begin(void)
{
    rack_results.process = (long)getpid();
    atexit(rack_print);
}

static void __attribute__((noreturn)) rack_end(const char *status, int code, const char *format, va_list values)
{
    char reason[RACK_LONGEST];

    if (rack_results.status == NULL) {
        vsnprintf(reason, sizeof reason, format, values);
        rack_results.status = status;
        rack_quote(&rack_results.reason, reason);
    }
    exit(code);
}

/* End the step: what is under test is not as it must be. The reason is formatted as by printf. */
static void __attribute__((noreturn)) RACK_FORMAT(1, 2) rack_fail(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    rack_end("failed", 0, format, values);
}

/* End the step: it could not be judged. */
static void __attribute__((noreturn)) RACK_FORMAT(1, 2) rack_error(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    rack_end("error", 1, format, values);
}

/* End the step: there is nothing to test here. */
static void __attribute__((noreturn)) RACK_FORMAT(1, 2) rack_skip(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    rack_end("skipped", 0, format, values);
}

/* A line of the log on stderr, where the run's level shows it; a level is debug, info, warning or error. */
static inline void RACK_FORMAT(2, 3) rack_log(const char *level, const char *format, ...)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    static const char *const words[] = {"RACK_RUN", "RACK_STEP", "RACK_HOST"};
    const char *wanted = getenv("RACK_LOG_LEVEL"), *found[3];
    int own = -1, least = 2, i;
    char moment[32];
    time_t now = time(NULL);
    va_list values;

    for (i = 0; i < 4; i++) {
        own = strcmp(level, levels[i]) == 0 ? i : own;
        least = wanted != NULL && strcmp(wanted, levels[i]) == 0 ? i : least;
    }
    if (own < 0)
        rack_error("rack_log: expected debug, info, warning or error, got %s", level);
    if (own < least)
        return;
    for (i = 0; i < 3; i++)
        found[i] = getenv(words[i]) != NULL ? getenv(words[i]) : "-";
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    fprintf(stderr, "%s %s c [%s %s %s] ", moment, names[own], found[0], found[1], found[2]);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

/* A parameter as text; `standard` where it has no value. A secret is on stdin only. */
static inline const char *rack_param(const char *name, const char *standard)
{
    char variable[256] = "RACK_PARAM_";
    size_t at = strlen(variable);
    const char *found;

    for (; *name && at + 1 < sizeof variable; name++)
        variable[at++] = (char)toupper((unsigned char)*name);
    variable[at] = '\0';
    found = getenv(variable);
    return found ? found : standard;
}

/* A parameter as a whole number; `standard` where it has no value. One that is not in the range ends the step. */
static inline long rack_param_long(const char *name, long standard, long least, long most)
{
    const char *text = rack_param(name, "");
    char *end;
    long value;

    if (*text == '\0')
        return standard;
    errno = 0;
    value = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < least || value > most)
        rack_error("%s: expected a whole number from %ld to %ld, got %.100s", name, least, most, text);
    return value;
}

/* A number as text with all its digits, by as few as are needed. What is no finite number ends the step. */
struct rack_digits {
    char text[64];
};

static struct rack_digits rack_number(const char *whose, double value)
{
    struct rack_digits found;
    size_t size = strlen(localeconv()->decimal_point);
    char *point;

    if (!(value - value == 0))
        rack_error("%s: expected a number, got %g", whose, value);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(found.text, sizeof found.text, "%.*g", digits, value);
        if (strtod(found.text, NULL) == value)
            break;
    }
    point = strstr(found.text, localeconv()->decimal_point);
    if (point != NULL) {
        *point = '.';
        memmove(point + 1, point + size, strlen(point + size) + 1);
    }
    return found;
}

/* A number with so many digits behind its point. */
static inline double rack_rounded(double value, int digits)
{
    char text[400];

    snprintf(text, sizeof text, "%.*f", digits, value);
    return strtod(text, NULL);
}

/* The text of a key of the context, or of its fields, to which something is to be added. */
static struct rack_text *rack_value(const char *key, const char *field)
{
    struct rack_text name = {NULL, 0, 0};
    struct rack_key **place = &rack_results.first;

    rack_quote(&name, key);
    while (*place && strcmp((*place)->name, name.bytes) != 0)
        place = &(*place)->next;
    if (*place == NULL) {
        *place = rack_memory(calloc(1, sizeof **place));
        (*place)->name = name.bytes;
    } else {
        free(name.bytes);
    }
    if (field == NULL || !(*place)->is_object)
        (*place)->value.size = 0;
    (*place)->is_object = field != NULL;
    if (field != NULL) {
        rack_put(&(*place)->value, (*place)->value.size ? ", " : "");
        rack_quote(&(*place)->value, field);
        rack_put(&(*place)->value, ": ");
    }
    return &(*place)->value;
}

/* Set a key of the context. The JSON of rack_set_json has to be right: it is not looked at. */
static inline void rack_set(const char *key, const char *text)
{
    rack_quote(rack_value(key, NULL), text);
}

static inline void rack_set_json(const char *key, const char *json)
{
    rack_put(rack_value(key, NULL), json);
}

static inline void rack_set_number(const char *key, double number)
{
    struct rack_digits digits = rack_number(key, number);

    rack_put(rack_value(key, NULL), digits.text);
}

/* Set one field of a key, beside those that it has. */
static inline void rack_field(const char *key, const char *name, const char *text)
{
    rack_quote(rack_value(key, name), text);
}

static inline void rack_field_json(const char *key, const char *name, const char *json)
{
    rack_put(rack_value(key, name), json);
}

static inline void rack_field_number(const char *key, const char *name, double number)
{
    struct rack_digits digits = rack_number(name, number);

    rack_put(rack_value(key, name), digits.text);
}

/* Begin an item of measurements or of checks: an object without its end. */
static void rack_item(struct rack_text *items, const char *name, double number, const char *unit)
{
    struct rack_digits digits = rack_number(name, number);

    rack_put(items, items->size ? ", {\"name\": " : "{\"name\": ");
    rack_quote(items, name);
    rack_put(items, ", \"value\": ");
    rack_put(items, digits.text);
    rack_put(items, ", \"unit\": ");
    rack_quote(items, unit);
}

static inline void rack_measure(const char *name, double number, const char *unit)
{
    rack_item(&rack_results.measurements, name, number, unit);
    rack_put(&rack_results.measurements, "}");
}

static void rack_limits(struct rack_text *target, const char *name, char *words);

/* Judge a number. The limits are words, formatted as by printf: "max=%g warn.max=%g". An empty one, "max=", is left out;
 * without any the number is only measured. */
static inline void RACK_FORMAT(4, 5) rack_check(const char *name, double number, const char *unit, const char *format, ...)
{
    char words[RACK_LONGEST];
    struct rack_text limits = {NULL, 0, 0};
    struct rack_text *items = &rack_results.checks;
    va_list values;

    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    rack_limits(&limits, name, words);
    if (limits.size == 0) {
        rack_measure(name, number, unit);
        return;
    }
    rack_item(items, name, number, unit);
    rack_put(items, limits.bytes);
    rack_put(items, "}");
    free(limits.bytes);
}

/* Add the limits of one word such as `warn` that several words may have: ", \"warn\": {\"max\": 80}". */
static void rack_limits(struct rack_text *target, const char *name, char *words)
{
    struct rack_text warn = {NULL, 0, 0};
    char *end;

    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        int is_warning = strncmp(word, "warn.", 5) == 0;
        struct rack_text *limits = is_warning ? &warn : target;
        struct rack_digits digits;

        if (value == NULL)
            rack_error("rack_check %s: expected a limit such as max=95, got %s", name, word);
        *value++ = '\0';
        if (*value == '\0')
            continue;
        digits = rack_number(name, strtod(value, &end));
        if (*end != '\0')
            rack_error("rack_check %s: %s: expected a number, got %s", name, word, value);
        rack_put(limits, is_warning && !limits->size ? "" : ", ");
        rack_quote(limits, is_warning ? word + 5 : word);
        rack_put(limits, ": ");
        rack_put(limits, digits.text);
    }
    if (warn.size) {
        rack_put(target, ", \"warn\": {");
        rack_put(target, warn.bytes);
        rack_put(target, "}");
        free(warn.bytes);
    }
}

/* Mask a text in all output from now on. */
static inline void rack_secret(const char *text)
{
    rack_put(&rack_results.secrets, rack_results.secrets.size ? ", " : "");
    rack_quote(&rack_results.secrets, text);
}

/* Leave a file of the working folder with the run, under the name `name`. */
static inline void rack_attach(const char *path, const char *name)
{
    struct rack_text *items = &rack_results.artifacts;

    rack_put(items, items->size ? ", {\"name\": " : "{\"name\": ");
    rack_quote(items, name);
    rack_put(items, ", \"path\": ");
    rack_quote(items, path);
    rack_put(items, "}");
}

#endif
