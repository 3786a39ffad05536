/*
 * The date and time of day from the MC146818 clock.
 */
#ifndef DEMO_RTC_H
#define DEMO_RTC_H

#include <stdint.h>

struct rtc_time {
    uint16_t year;
    uint8_t month, day; /* from 1 */
    uint8_t hour, minute, second;
};

/* Reads a consistent time: twice the same, never in the middle of an update. */
void rtc_read(struct rtc_time *time);

/* 0 is Sunday; Gregorian calendar. */
unsigned rtc_weekday(const struct rtc_time *time);

/* Three letters, and the full name. */
const char *rtc_weekday_name(unsigned weekday);
const char *rtc_month_name(unsigned month);

#endif
