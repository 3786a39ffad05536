/* CRC-32 as in zip, gzip and PNG (ISO 3309), so that other programs can be asked about the same bytes. */
#ifndef DOPPEL_BASE_CRC32_H
#define DOPPEL_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what `crc` is the CRC of (0: of nothing) with `length` bytes behind it. Meant for large pieces:
 * each call costs as much as some thousand bytes. */
uint32_t crc32_append(uint32_t crc, const void *bytes, size_t length);

#endif
