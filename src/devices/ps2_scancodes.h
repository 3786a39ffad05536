/* The three PS/2 scan code sets, by a key's set-1 make code (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards"). */
#ifndef DOPPEL_DEVICES_PS2_SCANCODES_H
#define DOPPEL_DEVICES_PS2_SCANCODES_H

#include <stdint.h>

/* What the 8042 turns a set-2 byte into; bytes from 80h up that are no codes stay as they are. */
uint8_t ps2_set2_to_set1(uint8_t set2);

/* The set-2 make code of a key: `set1` is its set-1 byte, after the E0h if it has one. */
uint8_t ps2_set1_to_set2(uint8_t set1);

/* The set-3 make code of a key, `set1` as key_set1_code() gives it; 0 when set 3 has none. */
uint8_t ps2_set3_code(uint32_t set1);

#endif
