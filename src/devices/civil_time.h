/* Calendar dates of the proleptic Gregorian calendar <-> seconds since 1970, without the host's time zone or
 * C library. */
#ifndef DOPPEL_DEVICES_CIVIL_TIME_H
#define DOPPEL_DEVICES_CIVIL_TIME_H

#include <stdint.h>

struct civil_time {
    int64_t year;
    unsigned month;   /* 1..12 */
    unsigned day;     /* 1..31 */
    unsigned hour;    /* 0..23 */
    unsigned minute;  /* 0..59 */
    unsigned second;  /* 0..59 */
    unsigned weekday; /* 0 is Sunday; ignored by civil_time_to_seconds() */
};

struct civil_time civil_time_from_seconds(int64_t seconds);

/* Fields out of range carry over into the larger unit (day 31 of a 30-day month is the 1st of the next). */
int64_t civil_time_to_seconds(const struct civil_time *time);

#endif
