/* Copyright: (c) 2026, rack.recipes contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether memory keeps what is written to it: walking ones, own address, moving inversions, as Memtest86+ has them
 * (https://github.com/memtest86plus/memtest86plus, folder tests). See pattern.yml.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "rack.h"

#include <inttypes.h>
#include <sys/mman.h>

#define PATTERNS 3
#define BITS 64
#define STRIPES UINT64_C(0x5555555555555555)

struct memory {
    volatile uint64_t *words; /* volatile: each word is to be read back from where it was written to */
    size_t count;
    long spoiled; /* the offset of a byte that is made wrong after each first filling; -1 is none */
};

struct result {
    long errors;
    size_t offset; /* of the first wrong word, in bytes */
    uint64_t expected, found;
};

/* Flip the lowest bit of the byte that the caller wants to be wrong. */
static void spoil(const struct memory *memory)
{
    if (memory->spoiled >= 0)
        ((volatile unsigned char *)memory->words)[memory->spoiled] ^= 1;
}

static void compare(const struct memory *memory, size_t i, uint64_t expected, struct result *result)
{
    uint64_t found = memory->words[i];

    if (found == expected)
        return;
    if (result->errors++ == 0) {
        result->offset = i * sizeof found;
        result->expected = expected;
        result->found = found;
    }
}

/* One bit is set in each word; after as many passes as a word has bits, each bit of the memory was set once. */
static void walking_ones(const struct memory *memory, struct result *result)
{
    for (size_t pass = 0; pass < BITS; pass++) {
        for (size_t i = 0; i < memory->count; i++)
            memory->words[i] = UINT64_C(1) << ((i + pass) % BITS);
        if (pass == 0)
            spoil(memory);
        for (size_t i = 0; i < memory->count; i++)
            compare(memory, i, UINT64_C(1) << ((i + pass) % BITS), result);
    }
}

/* Each word holds where it is: two addresses that reach the same cell are found. */
static void own_address(const struct memory *memory, struct result *result)
{
    for (size_t i = 0; i < memory->count; i++)
        memory->words[i] = (uint64_t)(uintptr_t)&memory->words[i];
    spoil(memory);
    for (size_t i = 0; i < memory->count; i++)
        compare(memory, i, (uint64_t)(uintptr_t)&memory->words[i], result);
}

/* Upwards each word is compared and inverted, then downwards: a cell that changes its neighbours is found. */
static void moving_inversions(const struct memory *memory, struct result *result)
{
    for (size_t i = 0; i < memory->count; i++)
        memory->words[i] = STRIPES;
    spoil(memory);
    for (size_t i = 0; i < memory->count; i++) {
        compare(memory, i, STRIPES, result);
        memory->words[i] = ~STRIPES;
    }
    for (size_t i = memory->count; i-- > 0;) {
        compare(memory, i, ~STRIPES, result);
        memory->words[i] = STRIPES;
    }
    for (size_t i = 0; i < memory->count; i++)
        compare(memory, i, STRIPES, result);
}

static const struct {
    const char *name;
    void (*run)(const struct memory *, struct result *);
} patterns[PATTERNS] = {
    {"walking_ones", walking_ones},
    {"own_address", own_address},
    {"moving_inversions", moving_inversions},
};

static void set(const char *name, double value)
{
    rack_field_number("memory.pattern_v1", name, value);
}

static void report(const struct result results[PATTERNS], long mib, int is_locked)
{
    char name[64];
    long errors = 0;
    int worst = -1;

    for (int i = PATTERNS - 1; i >= 0; i--) {
        errors += results[i].errors;
        worst = results[i].errors ? i : worst;
    }
    set("tested_mib", (double)mib);
    rack_field_json("memory.pattern_v1", "locked", is_locked ? "true" : "false");
    set("wrong_words", (double)errors);
    for (int i = 0; i < PATTERNS; i++) {
        snprintf(name, sizeof name, "%s_wrong_words", patterns[i].name);
        set(name, (double)results[i].errors);
    }
    rack_check("wrong_words", (double)errors, "words", "max=0");
    if (!errors) {
        rack_field_json("memory.pattern_v1", "first_wrong_offset_bytes", "null");
        return;
    }
    set("first_wrong_offset_bytes", (double)results[worst].offset);
    rack_fail("wrong words: %ld, the first by %s at offset %zu of %ld MiB: expected 0x%016" PRIx64 ", found 0x%016" PRIx64
              "; look in the kernel's log for the memory module, replace it and test again",
              errors, patterns[worst].name, results[worst].offset, mib, results[worst].expected, results[worst].found);
}

int main(void)
{
    long mib = rack_param_long("mib", 32, 1, 16777216);
    size_t bytes = (size_t)mib << 20;
    long spoiled = rack_param_long("spoil_offset", -1, -1, (long)bytes - 1);
    struct result results[PATTERNS] = {{0, 0, 0, 0}};
    struct memory memory;
    void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int is_locked;

    if (place == MAP_FAILED)
        rack_error("no memory of this size: make mib smaller");
    is_locked = mlock(place, bytes) == 0; /* what is not locked may be swapped out meanwhile */
    memory = (struct memory){place, bytes / sizeof(uint64_t), spoiled};
    for (int i = 0; i < PATTERNS; i++)
        patterns[i].run(&memory, &results[i]);
    report(results, mib, is_locked);
    return 0;
}
