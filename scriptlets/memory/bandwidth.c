/* Copyright: (c) 2026, rack.recipes contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory bandwidth by the four kernels of STREAM, with its rules (https://www.cs.virginia.edu/stream/ref.html): the
 * best of several runs without the first, 1 MB is 10^6 bytes, each array that a kernel reads or writes counts once, and
 * the results are compared with what the same operations give for one number. See bandwidth.yml.
 */
#define _POSIX_C_SOURCE 200809L

#include "rack.h"

#include <float.h>
#include <omp.h>
#include <time.h>

#define KERNELS 4
#define SCALAR 3.0
#define TOLERANCE 1e-13 /* the relative error that STREAM allows for double precision: checkSTREAMresults of stream.c */

struct arrays {
    double *a, *b, *c;
    long count;
};

static void copy(const struct arrays *all)
{
#pragma omp parallel for
    for (long i = 0; i < all->count; i++)
        all->c[i] = all->a[i];
}

static void scale(const struct arrays *all)
{
#pragma omp parallel for
    for (long i = 0; i < all->count; i++)
        all->b[i] = SCALAR * all->c[i];
}

static void add(const struct arrays *all)
{
#pragma omp parallel for
    for (long i = 0; i < all->count; i++)
        all->c[i] = all->a[i] + all->b[i];
}

static void triad(const struct arrays *all)
{
#pragma omp parallel for
    for (long i = 0; i < all->count; i++)
        all->a[i] = all->b[i] + SCALAR * all->c[i];
}

static const struct {
    const char *name, *limit;
    int arrays; /* that are read or written */
    void (*run)(const struct arrays *);
} kernels[KERNELS] = {
    {"copy", "min_copy_mb_s", 2, copy},
    {"scale", "min_scale_mb_s", 2, scale},
    {"add", "min_add_mb_s", 3, add},
    {"triad", "min_triad_mb_s", 3, triad},
};

/* The thread that uses a part of the arrays writes it first, so that the part is in the memory of its node. */
static void fill(const struct arrays *all)
{
#pragma omp parallel for
    for (long i = 0; i < all->count; i++) {
        all->a[i] = 1;
        all->b[i] = 2;
        all->c[i] = 0;
    }
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The shortest time of each kernel in seconds; the first run does not count. */
static void measure(const struct arrays *all, long runs, double best[KERNELS])
{
    for (int kernel = 0; kernel < KERNELS; kernel++)
        best[kernel] = DBL_MAX;
    for (long run = 0; run < runs; run++)
        for (int kernel = 0; kernel < KERNELS; kernel++) {
            double start = seconds(), took;

            kernels[kernel].run(all);
            took = seconds() - start;
            if (run > 0 && took < best[kernel])
                best[kernel] = took;
        }
}

/* How many elements of an array are not what they must be; `first` gets the number of the first one. */
static long wrong_in(const double *array, long count, double expected, long *first)
{
    long wrong = 0;

    for (long i = count - 1; i >= 0; i--) {
        double error = (array[i] - expected) / expected;

        if (!(error <= TOLERANCE && error >= -TOLERANCE)) { /* a NaN is wrong, too */
            wrong++;
            *first = i;
        }
    }
    return wrong;
}

/* How many elements of all arrays are wrong; `array` gets the name of the first array with one. */
static long verify(const struct arrays *all, long runs, char *array, long *first)
{
    double a = 1, b = 2, c = 0, *data[] = {all->a, all->b, all->c};
    long wrong = 0;

    for (long run = 0; run < runs; run++) {
        c = a;
        b = SCALAR * c;
        c = a + b;
        a = b + SCALAR * c;
    }
    for (int i = 2; i >= 0; i--) {
        double expected[] = {a, b, c};
        long found = wrong_in(data[i], all->count, expected[i], first);

        wrong += found;
        *array = found ? (char)('a' + i) : *array;
    }
    return wrong;
}

/* Append to a text, as far as there is room. */
#define APPEND(text, used, ...) used += (size_t)snprintf(text + used, sizeof text - used, __VA_ARGS__)

static void set(const char *name, double value)
{
    rack_field_number("memory.bandwidth_v1", name, value);
}

/* Record the rate of a kernel, and add to the reason where it is too low. Returns how long the reason is then. */
static size_t judge(int kernel, double seconds_taken, long count, char *reason, size_t used, size_t room)
{
    const char *limit = rack_param(kernels[kernel].limit, ""), *name = kernels[kernel].name;
    double bytes = (double)kernels[kernel].arrays * (double)sizeof(double) * (double)count;
    double rate = rack_rounded(bytes / seconds_taken / 1e6, 1);
    char key[32];

    snprintf(key, sizeof key, "%s_mb_s", name);
    set(key, rate);
    snprintf(key, sizeof key, "bandwidth_%s", name);
    rack_check(key, rate, "MB/s", "min=%s", limit);
    if (!*limit || rate >= strtod(limit, NULL))
        return used;
    return used + (size_t)snprintf(reason + used, room - used, "%s%s reaches %.1f MB/s, the limit is %g MB/s: look for "
                                   "missing or slow memory modules, and for what else runs",
                                   used ? "; " : "", name, rate, strtod(limit, NULL));
}

static void report(const struct arrays *all, const double best[KERNELS], long runs, long threads)
{
    char reason[1536] = "", array = 'a';
    size_t used = 0;
    long first = 0, wrong = verify(all, runs, &array, &first);

    rack_check("wrong_elements", (double)wrong, "elements", "max=0");
    if (wrong)
        used = (size_t)snprintf(reason, sizeof reason, "wrong results: %ld, the first is element %ld of array %c: the memory "
                                "or a core gives wrong data; run memory.pattern and cpu.stress, look for memory errors in "
                                "the kernel's log", wrong, first, array);
    for (int i = 0; i < KERNELS; i++)
        used = judge(i, best[i], all->count, reason, used, sizeof reason);
    set("threads", (double)threads);
    set("array_bytes", (double)sizeof(double) * (double)all->count);
    set("runs", (double)runs);
    set("wrong_elements", (double)wrong);
    if (used)
        rack_fail("%s", reason);
}

int main(void)
{
    long mib = rack_param_long("array_mib", 64, 1, 1048576);
    long runs = rack_param_long("runs", 5, 2, 1000);
    long threads = rack_param_long("threads", 0, 0, 65536);
    struct arrays all = {NULL, NULL, NULL, mib * 131072}; /* eight bytes an element */
    long spoiled = rack_param_long("spoil_element", -1, -1, all.count - 1);
    double best[KERNELS];

    threads = threads ? threads : omp_get_num_procs();
    omp_set_dynamic(0);
    omp_set_num_threads((int)threads);
    all.a = malloc((size_t)all.count * sizeof *all.a);
    all.b = malloc((size_t)all.count * sizeof *all.b);
    all.c = malloc((size_t)all.count * sizeof *all.c);
    if (all.a == NULL || all.b == NULL || all.c == NULL)
        rack_error("no memory for three arrays of this size: make array_mib smaller");
    fill(&all);
    measure(&all, runs, best);
    if (spoiled >= 0)
        all.b[spoiled] += 1;
    report(&all, best, runs, threads);
    free(all.a);
    free(all.b);
    free(all.c);
    return 0;
}
