/* Gregorian calendar arithmetic; see civil_time.h.
 *
 * Years are counted from March, so that the leap day is the last of its year and month lengths follow from
 * one linear formula; 400 years have 146097 days. */
#include "devices/civil_time.h"

#define DAYS_PER_ERA    146097
#define DAYS_TO_1970    719468 /* from 1 March of the year 0 */
#define SECONDS_PER_DAY 86400

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

/* Days in the first `months` months from March. */
static int64_t days_before_month(int64_t months)
{
    return (153 * months + 2) / 5;
}

static int64_t days_before_year(int64_t march_year)
{
    return march_year * 365 + floor_divide(march_year, 4) - floor_divide(march_year, 100) +
           floor_divide(march_year, 400);
}

struct civil_time civil_time_from_seconds(int64_t seconds)
{
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
    int64_t in_day = seconds - days * SECONDS_PER_DAY;
    int64_t march_days = days + DAYS_TO_1970;
    int64_t year = floor_divide(march_days * 400, DAYS_PER_ERA) + 1;
    while (days_before_year(year) > march_days) {
        year--;
    }
    int64_t in_year = march_days - days_before_year(year);
    int64_t march_month = (5 * in_year + 2) / 153;
    return (struct civil_time){
        .year = year + (march_month >= 10 ? 1 : 0),
        .month = (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9),
        .day = (unsigned)(in_year - days_before_month(march_month) + 1),
        .hour = (unsigned)(in_day / 3600),
        .minute = (unsigned)(in_day / 60 % 60),
        .second = (unsigned)(in_day % 60),
        .weekday = (unsigned)((days % 7 + 11) % 7),
    };
}

int64_t civil_time_to_seconds(const struct civil_time *time)
{
    int64_t months = (int64_t)time->month - 3; /* from March of time->year */
    int64_t year = time->year + floor_divide(months, 12);
    int64_t march_month = months - floor_divide(months, 12) * 12;
    int64_t days =
        days_before_year(year) + days_before_month(march_month) + (int64_t)time->day - 1 - DAYS_TO_1970;
    return days * SECONDS_PER_DAY + (int64_t)time->hour * 3600 + (int64_t)time->minute * 60 +
           (int64_t)time->second;
}
