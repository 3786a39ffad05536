/*
 * See rtc.h. Motorola MC146818 data sheet, registers A (update in progress) and B (BCD or binary, 12 or 24
 * hours).
 *
 * The century byte at 32h is a convention of PC BIOSes: used when it makes sense, otherwise years below 80
 * are taken as 20xx. The chip's own day of the week is ignored: nothing keeps it right.
 */
#include "rtc.h"

#include <stdbool.h>

#include "text.h"
#include "x86.h"

#define CMOS_INDEX       0x70
#define CMOS_DATA        0x71
#define RTC_REGISTER_A   0x0a
#define RTC_REGISTER_B   0x0b
#define RTC_CENTURY      0x32
#define RTC_A_UPDATING   0x80
#define RTC_B_24_HOURS   0x02
#define RTC_B_BINARY     0x04
#define RTC_HOUR_PM      0x80
#define RTC_READ_TRIES   8
#define RTC_UPDATE_POLLS 20000

static uint8_t cmos_read(uint8_t index)
{
    port_write8(CMOS_INDEX, index);
    return port_read8(CMOS_DATA);
}

struct rtc_registers {
    uint8_t second, minute, hour, day, month, year, century;
};

static void read_registers(struct rtc_registers *registers)
{
    for (int i = 0; i < RTC_UPDATE_POLLS && (cmos_read(RTC_REGISTER_A) & RTC_A_UPDATING) != 0; i++)
        continue;
    registers->second = cmos_read(0x00);
    registers->minute = cmos_read(0x02);
    registers->hour = cmos_read(0x04);
    registers->day = cmos_read(0x07);
    registers->month = cmos_read(0x08);
    registers->year = cmos_read(0x09);
    registers->century = cmos_read(RTC_CENTURY);
}

static uint8_t from_bcd(uint8_t value)
{
    return (uint8_t)((value >> 4) * 10 + (value & 15));
}

void rtc_read(struct rtc_time *time)
{
    struct rtc_registers raw;
    struct rtc_registers again;
    read_registers(&raw);
    for (int i = 0; i < RTC_READ_TRIES; i++) {
        read_registers(&again);
        if (memcmp(&raw, &again, sizeof(raw)) == 0)
            break;
        raw = again;
    }

    uint8_t mode = cmos_read(RTC_REGISTER_B);
    bool afternoon = (raw.hour & RTC_HOUR_PM) != 0;
    raw.hour &= (uint8_t)~RTC_HOUR_PM;
    if ((mode & RTC_B_BINARY) == 0) {
        uint8_t *bytes = &raw.second;
        for (unsigned i = 0; i < sizeof(raw); i++)
            bytes[i] = from_bcd(bytes[i]);
    }
    if ((mode & RTC_B_24_HOURS) == 0)
        raw.hour = (uint8_t)(raw.hour % 12 + (afternoon ? 12 : 0));

    unsigned century = raw.century;
    if (century < 19 || century > 21)
        century = raw.year < 80 ? 20 : 19;
    *time = (struct rtc_time){.year = (uint16_t)(century * 100 + raw.year),
                              .month = raw.month,
                              .day = raw.day,
                              .hour = raw.hour,
                              .minute = raw.minute,
                              .second = raw.second};
}

unsigned rtc_weekday(const struct rtc_time *time)
{
    /* Zeller's congruence: years that begin in March put the leap day last; its 0 is Saturday. */
    unsigned year = time->year;
    unsigned month = time->month;
    if (month < 3) {
        month += 12;
        year--;
    }
    return (time->day + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400 + 6) % 7;
}

const char *rtc_weekday_name(unsigned weekday)
{
    static const char *const names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
    return names[weekday % 7];
}

const char *rtc_month_name(unsigned month)
{
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    return month >= 1 && month <= 12 ? names[month - 1] : "?";
}
