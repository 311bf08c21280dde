/* Copyright: (c) 2026, rack.recipes contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How late a host wakes up from short sleeps: what a real-time or a packet-pacing program will see. See jitter.yml.
 */
#define _POSIX_C_SOURCE 200809L

#include "rack.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define NANO 1000000000LL

static long long nanoseconds(const struct timespec *time)
{
    return time->tv_sec * NANO + time->tv_nsec;
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sleep until `due` and tell how many microseconds after it the program ran again; negative on an error. */
static double lateness(long long due)
{
    struct timespec wake = {.tv_sec = (time_t)(due / NANO), .tv_nsec = (long)(due % NANO)}, now;
    int error;

    do
        error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
    while (error == EINTR);
    if (error != 0 || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return -1;
    return (double)(nanoseconds(&now) - due) / 1000;
}

/* By linear interpolation between the two nearest ranks, "type 7" in statistics programs. */
static double quantile(const double *sorted, long count, double share)
{
    double rank = share * (double)(count - 1);
    long below = (long)rank;
    long above = below + 1 < count ? below + 1 : below;

    return sorted[below] + (rank - (double)below) * (sorted[above] - sorted[below]);
}

static void set(const char *name, double value)
{
    rack_field_number("clock.jitter_v1", name, value);
}

static void report(double *late, long samples, long interval_us, const char *limit)
{
    double sum = 0, mean, p99;

    for (long i = 0; i < samples; i++)
        sum += late[i];
    qsort(late, (size_t)samples, sizeof *late, by_size);
    mean = rack_rounded(sum / (double)samples, 3);
    p99 = rack_rounded(quantile(late, samples, 0.99), 3);
    set("samples", (double)samples);
    set("interval_us", (double)interval_us);
    set("min_us", late[0]);
    set("mean_us", mean);
    set("p99_us", p99);
    set("max_us", late[samples - 1]);
    rack_measure("jitter_min", late[0], "us");
    rack_measure("jitter_mean", mean, "us");
    rack_check("jitter_p99", p99, "us", "max=%s", limit);
    if (*limit && p99 > strtod(limit, NULL))
        rack_fail("1 in 100 wake-ups is %.3f us late or more, the limit is %g us", p99, strtod(limit, NULL));
}

int main(void)
{
    long samples = rack_param_long("samples", 1000, 100, 1000000);
    long interval_us = rack_param_long("interval_us", 1000, 1, 1000000);
    double *late = malloc((size_t)samples * sizeof *late);
    struct timespec start;

    if (late == NULL || clock_gettime(CLOCK_MONOTONIC, &start) != 0)
        rack_error("no memory, or no monotonic clock");
    for (long i = 0; i < samples; i++) {
        late[i] = lateness(nanoseconds(&start) + interval_us * 1000LL);
        if (late[i] < 0 || clock_gettime(CLOCK_MONOTONIC, &start) != 0)
            rack_error("the monotonic clock cannot be slept on");
    }
    report(late, samples, interval_us, rack_param("max_us", ""));
    free(late);
    return 0;
}
