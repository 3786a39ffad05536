/*
 * COM1, 115200 baud 8N1: a second console for people and scripts without a screen.
 */
#ifndef DEMO_SERIAL_H
#define DEMO_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

/* Looks for the UART; without one every other function does nothing. */
void serial_init(void);

bool serial_is_present(void);

/* Waits for room in the transmitter, but not for ever. */
void serial_write(char character);

/* The oldest received byte; false if there is none. */
bool serial_read(uint8_t *byte);

bool serial_has_data(void);

#endif
