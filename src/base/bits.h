/* Bit and byte helpers that every module uses.
 *
 * Guest memory is little-endian whatever the host is; the load/store helpers below are the only place where
 * host byte order is known. They accept unaligned pointers. */
#ifndef DOPPEL_BASE_BITS_H
#define DOPPEL_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For inline functions whose callers pass constants that decide what is left of them. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))
/* For functions that are seldom called and would cost their callers registers and stack even then. */
#define NEVER_INLINE static __attribute__((noinline))

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_BIG_ENDIAN 1
#else
#define HOST_BIG_ENDIAN 0
#endif

/* A mask of the low `count` bits, 0 <= count <= 64. */
static inline uint64_t bits_mask(unsigned count)
{
    return count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

/* Bits [low, low + count) of `value`, right-aligned. */
static inline uint64_t bits_extract(uint64_t value, unsigned low, unsigned count)
{
    return (value >> low) & bits_mask(count);
}

/* `value`'s low `count` bits (1..64) sign-extended to 64 bits. */
static inline uint64_t bits_sign_extend(uint64_t value, unsigned count)
{
    uint64_t sign = (uint64_t)1 << (count - 1);
    value &= bits_mask(count);
    return (value ^ sign) - sign;
}

static inline bool bits_is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline uint64_t bits_align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline uint8_t load_u8(const void *from)
{
    return *(const uint8_t *)from;
}

static inline uint16_t load_le16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return HOST_BIG_ENDIAN ? __builtin_bswap16(value) : value;
}

static inline uint32_t load_le32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return HOST_BIG_ENDIAN ? __builtin_bswap32(value) : value;
}

static inline uint64_t load_le64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return HOST_BIG_ENDIAN ? __builtin_bswap64(value) : value;
}

static inline void store_u8(void *to, uint8_t value)
{
    *(uint8_t *)to = value;
}

static inline void store_le16(void *to, uint16_t value)
{
    value = HOST_BIG_ENDIAN ? __builtin_bswap16(value) : value;
    memcpy(to, &value, sizeof value);
}

static inline void store_le32(void *to, uint32_t value)
{
    value = HOST_BIG_ENDIAN ? __builtin_bswap32(value) : value;
    memcpy(to, &value, sizeof value);
}

static inline void store_le64(void *to, uint64_t value)
{
    value = HOST_BIG_ENDIAN ? __builtin_bswap64(value) : value;
    memcpy(to, &value, sizeof value);
}

/* Big-endian on the wire (fw_cfg, network, PNG). */
static inline uint32_t load_be32(const void *from)
{
    return __builtin_bswap32(load_le32(from));
}

static inline void store_be16(void *to, uint16_t value)
{
    store_le16(to, __builtin_bswap16(value));
}

static inline void store_be32(void *to, uint32_t value)
{
    store_le32(to, __builtin_bswap32(value));
}

static inline void store_be64(void *to, uint64_t value)
{
    store_le64(to, __builtin_bswap64(value));
}

/* Little-endian load of `size` bytes (1, 2, 4 or 8). */
static inline uint64_t load_le(const void *from, unsigned size)
{
    switch (size) {
    case 1: return load_u8(from);
    case 2: return load_le16(from);
    case 4: return load_le32(from);
    default: return load_le64(from);
    }
}

/* Little-endian store of the low `size` bytes (1, 2, 4 or 8). */
static inline void store_le(void *to, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: store_u8(to, (uint8_t)value); break;
    case 2: store_le16(to, (uint16_t)value); break;
    case 4: store_le32(to, (uint32_t)value); break;
    default: store_le64(to, value); break;
    }
}

#endif
