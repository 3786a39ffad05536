/* The encoder: x86-64 host instructions as bytes (SDM 2A chapter 2).
 *
 * Knows encodings and nothing else. Everything is written through the writable view of the code cache; what
 * depends on the place (jumps) is the same in both views as long as both ends are in
 * one block; jumps to elsewhere use the executable address. */
#ifndef DOPPEL_TRANSLATOR_EMIT_H
#define DOPPEL_TRANSLATOR_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum host_register {
    HOST_RAX,
    HOST_RCX,
    HOST_RDX,
    HOST_RBX,
    HOST_RSP,
    HOST_RBP,
    HOST_RSI,
    HOST_RDI,
    HOST_R8,
    HOST_R9,
    HOST_R10,
    HOST_R11,
    HOST_R12,
    HOST_R13,
    HOST_R14,
    HOST_R15,
    HOST_NONE
};

struct emitter {
    uint8_t *at; /* next byte, in the writable view */
    uint8_t *begin, *end;
    const uint8_t *exec; /* executable address of `begin` */
};

/* [base + index << scale + displacement]; with `window`, that modulo 2^32 plus the base of GS */
struct host_address {
    uint8_t base, index; /* HOST_NONE: none */
    uint8_t scale;
    bool window;
    int32_t displacement;
};

/* What stands with the byte of an opcode: `HOST_66 | HOST_0F | 0xaf`. */
enum host_opcode {
    HOST_66 = 1 << 8, /* prefixes */
    HOST_F2 = 1 << 9,
    HOST_F3 = 1 << 10,
    HOST_W = 1 << 11, /* REX.W */
    HOST_MAP_SHIFT = 12,
    HOST_0F = 1 << HOST_MAP_SHIFT,
    HOST_0F38 = 2 << HOST_MAP_SHIFT,
    HOST_0F3A = 3 << HOST_MAP_SHIFT
};

/* The map with the number that struct insn has. */
static inline unsigned host_map(unsigned map)
{
    return map << HOST_MAP_SHIFT;
}

/* The prefix of an instruction that operates on `width` bytes: 2, or any other. */
static inline unsigned host_width(unsigned width)
{
    return width == 2 ? HOST_66 : 0;
}

static inline struct host_address host_at(enum host_register base, int32_t displacement)
{
    return (struct host_address){.base = (uint8_t)base, .index = HOST_NONE, .displacement = displacement};
}

static inline struct host_address host_sum(enum host_register base, enum host_register index, unsigned scale,
                                           int32_t displacement)
{
    return (struct host_address){.base = (uint8_t)base,
                                 .index = (uint8_t)index,
                                 .scale = (uint8_t)scale,
                                 .displacement = displacement};
}

static inline void emit_u8(struct emitter *e, unsigned value)
{
    *e->at++ = (uint8_t)value;
}

static inline void emit_u16(struct emitter *e, unsigned value)
{
    uint16_t bytes = (uint16_t)value;
    memcpy(e->at, &bytes, sizeof bytes);
    e->at += sizeof bytes;
}

static inline void emit_u32(struct emitter *e, uint32_t value)
{
    memcpy(e->at, &value, sizeof value);
    e->at += sizeof value;
}

static inline void emit_u64(struct emitter *e, uint64_t value)
{
    memcpy(e->at, &value, sizeof value);
    e->at += sizeof value;
}

/* op reg, rm and op reg, [address]; `reg` may be an opcode extension. Immediates follow by emit_u*(). A REX
 * prefix is written when a register number or W asks for it. */
void emit_reg(struct emitter *e, unsigned op, unsigned reg, unsigned rm);
void emit_mem(struct emitter *e, unsigned op, unsigned reg, struct host_address address);

/* The instruction whose low opcode bits are a register. */
void emit_short(struct emitter *e, unsigned op, unsigned reg);

/* ---- instructions that leave the flags alone, for code between the guest's own */

void emit_mov(struct emitter *e, unsigned to, unsigned from); /* 32 bits, zero-extended */
void emit_mov64(struct emitter *e, unsigned to, unsigned from);
void emit_mov_immediate(struct emitter *e, unsigned to, uint32_t value);
void emit_mov_immediate64(struct emitter *e, unsigned to, uint64_t value);
void emit_load(struct emitter *e, unsigned to, struct host_address from); /* 32 bits */
void emit_load64(struct emitter *e, unsigned to, struct host_address from);
/* 1, 2 or 4 bytes, zero-extended. */
void emit_load_width(struct emitter *e, unsigned to, struct host_address from, unsigned width);
void emit_store(struct emitter *e, struct host_address to, unsigned from);
void emit_store64(struct emitter *e, struct host_address to, unsigned from);
void emit_lea(struct emitter *e, unsigned to, struct host_address address); /* 32 bits, zero-extended */
void emit_lea64(struct emitter *e, unsigned to, struct host_address address);
/* `to` becomes the address; returns it as one with that base alone. */
struct host_address emit_lea_address(struct emitter *e, unsigned to, struct host_address address);
void emit_not64(struct emitter *e, unsigned reg);
void emit_zero_extend8(struct emitter *e, unsigned to, unsigned from);
void emit_zero_extend16(struct emitter *e, unsigned to, unsigned from);
void emit_sign_extend32(struct emitter *e, unsigned to, unsigned from); /* to 64 bits */
void emit_load_sign_extend32(struct emitter *e, unsigned to, struct host_address from);
void emit_rorx(struct emitter *e, unsigned to, unsigned from, unsigned count);
void emit_rorx64(struct emitter *e, unsigned to, unsigned from, unsigned count);
void emit_shrx(struct emitter *e, unsigned to, unsigned from, unsigned count_register);
void emit_shrx64(struct emitter *e, unsigned to, unsigned from, unsigned count_register);
void emit_pext(struct emitter *e, unsigned to, unsigned from, unsigned mask_register); /* gathers bits */
void emit_pdep(struct emitter *e, unsigned to, unsigned from, unsigned mask_register); /* spreads them */

/* ---- jumps; each returns where its displacement is, for emit_bind*() */

uint8_t *emit_jrcxz(struct emitter *e);                       /* 8-bit displacement */
void emit_jrcxz_to(struct emitter *e, const uint8_t *target); /* backwards, at most 126 bytes */
uint8_t *emit_jmp(struct emitter *e);                         /* 32-bit displacement */
void emit_jmp_back(struct emitter *e, const uint8_t *target); /* as short as can be */
uint8_t *emit_call(struct emitter *e);                        /* likewise */
uint8_t *emit_jcc(struct emitter *e, unsigned condition);
uint8_t *emit_jcc_short(struct emitter *e, unsigned condition);
void emit_ret(struct emitter *e);
void emit_jmp_memory(struct emitter *e, struct host_address at);
void emit_jmp_register(struct emitter *e, unsigned reg);
void emit_bind8(struct emitter *e, uint8_t *displacement); /* the jump leads here */
void emit_bind32(struct emitter *e, uint8_t *displacement);
void emit_jmp_to(struct emitter *e, const uint8_t *exec); /* to an executable address within 2 GiB */
void emit_call_to(struct emitter *e, const uint8_t *exec);

/* Room for `size` more bytes. */
static inline bool emit_has_room(const struct emitter *e, size_t size)
{
    return (size_t)(e->end - e->at) >= size;
}

#endif
