/* Copyright: (c) 2026, rack.recipes contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory bandwidth by the four kernels of STREAM, with its rules (https://www.cs.virginia.edu/stream/ref.html): the
 * best of several runs without the first, 1 MB is 10^6 bytes, each array that a kernel reads or writes counts once, and
 * the results are compared with what the same operations give for one number. See bandwidth.yml.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <float.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KERNELS 4
#define SCALAR 3.0
#define TOLERANCE 1e-13 /* the relative error that STREAM allows for double precision: checkSTREAMresults of stream.c */

struct arrays {
    double *a, *b, *c;
    long count;
};

static int give_up(const char *reason)
{
    printf("{\"status\": \"error\", \"reason\": \"%s\", \"exit_code\": 1}\n", reason);
    return 1;
}

/* A parameter from the environment; the default where it is not set, -2 where it is no integer of the range. */
static long parameter(const char *name, long standard, long least, long most)
{
    const char *text = getenv(name);
    char *end;
    long value;

    if (text == NULL || *text == '\0')
        return standard;
    errno = 0;
    value = strtol(text, &end, 10);
    return errno != 0 || *end != '\0' || value < least || value > most ? -2 : value;
}

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
    {"copy", "RACK_PARAM_MIN_COPY_MB_S", 2, copy},
    {"scale", "RACK_PARAM_MIN_SCALE_MB_S", 2, scale},
    {"add", "RACK_PARAM_MIN_ADD_MB_S", 3, add},
    {"triad", "RACK_PARAM_MIN_TRIAD_MB_S", 3, triad},
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

static int report(const struct arrays *all, const double best[KERNELS], long runs, long threads)
{
    char values[256] = "", checks[768] = "", measured[768] = "", reason[1536] = "", array = 'a';
    size_t in_values = 0, in_checks = 0, in_measured = 0, in_reason = 0;
    long first = 0, wrong = verify(all, runs, &array, &first);

    if (wrong)
        APPEND(reason, in_reason, "wrong results: %ld, the first is element %ld of array %c: the memory or a core gives "
               "wrong data; run memory.pattern and cpu.stress, look for memory errors in the kernel's log",
               wrong, first, array);
    for (int i = 0; i < KERNELS; i++) {
        const char *limit = getenv(kernels[i].limit);
        double rate = (double)kernels[i].arrays * (double)sizeof(double) * (double)all->count / best[i] / 1e6;

        APPEND(values, in_values, "\"%s_mb_s\": %.1f, ", kernels[i].name, rate);
        if (limit == NULL || *limit == '\0') {
            APPEND(measured, in_measured, "%s{\"name\": \"bandwidth_%s\", \"value\": %.1f, \"unit\": \"MB/s\"}",
                   in_measured ? ", " : "", kernels[i].name, rate);
            continue;
        }
        APPEND(checks, in_checks, ", {\"name\": \"bandwidth_%s\", \"value\": %.1f, \"unit\": \"MB/s\", \"min\": %.10g}",
               kernels[i].name, rate, strtod(limit, NULL));
        if (rate < strtod(limit, NULL))
            APPEND(reason, in_reason, "%s%s reaches %.1f MB/s, the limit is %g MB/s: look for missing or slow memory "
                   "modules, and for what else runs", in_reason ? "; " : "", kernels[i].name, rate, strtod(limit, NULL));
    }
    printf("{\"status\": \"%s\"%s%s%s, \"outputs\": {\"memory.bandwidth_v1\": {%s\"threads\": %ld, "
           "\"array_bytes\": %.0f, \"runs\": %ld, \"wrong_elements\": %ld}}, \"measurements\": [%s], \"checks\": "
           "[{\"name\": \"wrong_elements\", \"value\": %ld, \"unit\": \"elements\", \"max\": 0}%s]}\n",
           in_reason ? "failed" : "ok", in_reason ? ", \"reason\": \"" : "", reason, in_reason ? "\"" : "", values,
           threads, (double)sizeof(double) * (double)all->count, runs, wrong, measured, wrong, checks);
    return 0;
}

int main(void)
{
    long mib = parameter("RACK_PARAM_ARRAY_MIB", 64, 1, 1048576);
    long runs = parameter("RACK_PARAM_RUNS", 5, 2, 1000);
    long threads = parameter("RACK_PARAM_THREADS", 0, 0, 65536);
    long spoiled = parameter("RACK_PARAM_SPOIL_ELEMENT", -1, -1, 1048576L * 131072);
    struct arrays all = {NULL, NULL, NULL, mib * 131072}; /* eight bytes an element */
    double best[KERNELS];
    int code;

    if (mib < 0)
        return give_up("array_mib: expected a whole number from 1 to 1048576");
    if (runs < 0)
        return give_up("runs: expected a whole number from 2 to 1000");
    if (threads < 0)
        return give_up("threads: expected a whole number from 0 to 65536");
    if (spoiled < -1 || spoiled >= all.count)
        return give_up("spoil_element: expected the number of an element of the array, or -1");
    threads = threads ? threads : omp_get_num_procs();
    omp_set_dynamic(0);
    omp_set_num_threads((int)threads);
    all.a = malloc((size_t)all.count * sizeof *all.a);
    all.b = malloc((size_t)all.count * sizeof *all.b);
    all.c = malloc((size_t)all.count * sizeof *all.c);
    if (all.a == NULL || all.b == NULL || all.c == NULL) {
        code = give_up("no memory for three arrays of this size: make array_mib smaller");
    } else {
        fill(&all);
        measure(&all, runs, best);
        if (spoiled >= 0)
            all.b[spoiled] += 1;
        code = report(&all, best, runs, threads);
    }
    free(all.a);
    free(all.b);
    free(all.c);
    return code;
}
