/* See options_boot.h. */
#include "app/options_boot.h"

#include <string.h>

#include "app/options_words.h"

#define MENU_WAIT_MAX 65535u /* ms: what fits the firmware's item */

static struct status bad_value(const char *key, const char *value, const char *known)
{
    return status_error(STATUS_INVALID_ARGUMENT, "-boot %s=%.32s: known are %s", key, value, known);
}

static struct status take_word(struct machine_boot_config *boot, const char *key, const char *value)
{
    uint64_t number = 0;
    if (strcmp(key, "order") == 0) {
        boot->order = value;
    } else if (strcmp(key, "once") == 0) {
        boot->once = value;
    } else if (strcmp(key, "menu") == 0) {
        return options_parse_switch(value, &boot->menu) ? status_ok() : bad_value(key, value, "on and off");
    } else if (strcmp(key, "strict") == 0) {
        return options_parse_switch(value, &boot->strict) ? status_ok() : bad_value(key, value, "on and off");
    } else if (strcmp(key, "splash-time") == 0) {
        if (!options_parse_number(value, 10, MENU_WAIT_MAX, &number)) {
            return bad_value(key, value, "0 to 65535 milliseconds");
        }
        boot->menu_wait_given = true;
        boot->menu_wait_ms = (uint16_t)number;
    } else if (strcmp(key, "reboot-timeout") == 0) {
        bool never = strcmp(value, "-1") == 0;
        if (!never && !options_parse_number(value, 10, MENU_WAIT_MAX, &number)) {
            return bad_value(key, value, "0 to 65535 milliseconds, and -1 for never");
        }
        boot->retry_given = true;
        boot->retry_ms = never ? UINT32_MAX : (uint32_t)number;
    } else {
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "-boot does not know \"%.32s\" (order, once, menu, splash-time, reboot-timeout, strict)", key);
    }
    return status_ok();
}

struct status options_set_boot(struct machine_boot_config *boot, char *value)
{
    struct status status = status_ok();
    bool first = true;
    for (char *item; status_is_ok(&status) && (item = options_next_item(&value)) != NULL;) {
        const char *word = options_cut_value(item);
        if (word == NULL && first) { /* an order alone */
            boot->order = item;
        } else if (word == NULL) {
            status = status_error(STATUS_INVALID_ARGUMENT, "-boot: \"%.32s\" is not key=value", item);
        } else {
            status = take_word(boot, item, word);
        }
        first = false;
    }
    return status;
}
