/* Copyright: (c) 2026, rack.recipes contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How late a host wakes up from short sleeps: what a real-time or a packet-pacing program will see. See jitter.yml.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NANO 1000000000LL

static int give_up(const char *reason)
{
    printf("{\"status\": \"error\", \"reason\": \"%s\", \"exit_code\": 1}\n", reason);
    return 1;
}

/* A parameter from the environment; the default where it is not set, -1 where it is no integer of the range. */
static long parameter(const char *name, long standard, long least, long most)
{
    const char *text = getenv(name);
    char *end;
    long value;

    if (text == NULL || *text == '\0')
        return standard;
    errno = 0;
    value = strtol(text, &end, 10);
    return errno != 0 || *end != '\0' || value < least || value > most ? -1 : value;
}

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

static int report(double *late, long samples, long interval_us, const char *limit)
{
    double sum = 0, p99;
    char reason[160] = "", check[160] = "";
    int has_limit = limit != NULL && *limit != '\0';

    for (long i = 0; i < samples; i++)
        sum += late[i];
    qsort(late, (size_t)samples, sizeof *late, by_size);
    p99 = quantile(late, samples, 0.99);
    if (has_limit)
        snprintf(check, sizeof check,
                 "], \"checks\": [{\"name\": \"jitter_p99\", \"value\": %.3f, \"unit\": \"us\", \"max\": %.10g}",
                 p99, strtod(limit, NULL));
    else
        snprintf(check, sizeof check, ", {\"name\": \"jitter_p99\", \"value\": %.3f, \"unit\": \"us\"}", p99);
    if (has_limit && p99 > strtod(limit, NULL))
        snprintf(reason, sizeof reason, ", \"reason\": \"1 in 100 wake-ups is %.3f us late or more, the limit is %g us\"",
                 p99, strtod(limit, NULL));
    printf("{\"status\": \"%s\"%s, \"outputs\": {\"clock.jitter_v1\": {\"samples\": %ld, \"interval_us\": %ld, "
           "\"min_us\": %.3f, \"mean_us\": %.3f, \"p99_us\": %.3f, \"max_us\": %.3f}}, \"measurements\": ["
           "{\"name\": \"jitter_min\", \"value\": %.3f, \"unit\": \"us\"}, "
           "{\"name\": \"jitter_mean\", \"value\": %.3f, \"unit\": \"us\"}%s]}\n",
           *reason ? "failed" : "ok", reason, samples, interval_us,
           late[0], sum / (double)samples, p99, late[samples - 1], late[0], sum / (double)samples, check);
    return 0;
}

int main(void)
{
    long samples = parameter("RACK_PARAM_SAMPLES", 1000, 100, 1000000);
    long interval_us = parameter("RACK_PARAM_INTERVAL_US", 1000, 1, 1000000);
    struct timespec start;
    double *late;
    int code;

    if (samples < 0)
        return give_up("samples: expected a whole number from 100 to 1000000");
    if (interval_us < 0)
        return give_up("interval_us: expected a whole number from 1 to 1000000");
    late = malloc((size_t)samples * sizeof *late);
    if (late == NULL || clock_gettime(CLOCK_MONOTONIC, &start) != 0)
        return give_up("no memory, or no monotonic clock");
    for (long i = 0; i < samples; i++) {
        late[i] = lateness(nanoseconds(&start) + interval_us * 1000LL);
        if (late[i] < 0 || clock_gettime(CLOCK_MONOTONIC, &start) != 0) {
            free(late);
            return give_up("the monotonic clock cannot be slept on");
        }
    }
    code = report(late, samples, interval_us, getenv("RACK_PARAM_MAX_US"));
    free(late);
    return code;
}
