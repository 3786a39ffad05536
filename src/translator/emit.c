/* Bytes of x86-64 instructions; see emit.h. */
#include "translator/emit.h"

#include <assert.h>

#include "base/bits.h"

enum { PREFIX_GS = 0x65, PREFIX_ADDRESS32 = 0x67 };

/* ---- prefixes, ModRM, SIB: each returns where the next byte goes */

ALWAYS_INLINE uint8_t *put_prefixes(uint8_t *at, unsigned op, unsigned reg, unsigned index, unsigned base)
{
    if (op & HOST_66) {
        *at++ = 0x66;
    }
    if (op & (HOST_F2 | HOST_F3)) {
        *at++ = op & HOST_F2 ? 0xf2 : 0xf3;
    }
    unsigned rex = (op & HOST_W ? 8u : 0u) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
    if (rex != 0) {
        *at++ = (uint8_t)(0x40 | rex);
    }
    return at;
}

ALWAYS_INLINE uint8_t *put_opcode(uint8_t *at, unsigned op)
{
    unsigned map = op >> HOST_MAP_SHIFT;
    if (map != 0) {
        *at++ = 0x0f;
        if (map != 1) {
            *at++ = map == 2 ? 0x38 : 0x3a;
        }
    }
    *at++ = (uint8_t)op;
    return at;
}

/* ModRM, and a SIB likewise: SS, index and base. */
ALWAYS_INLINE uint8_t *put_modrm(uint8_t *at, unsigned mod, unsigned reg, unsigned rm)
{
    *at = (uint8_t)(mod << 6 | (reg & 7) << 3 | (rm & 7));
    return at + 1;
}

/* ModRM, SIB and displacement of a memory operand (SDM 2A tables 2-2 and 2-3). */
ALWAYS_INLINE uint8_t *put_address(uint8_t *at, unsigned reg, struct host_address address)
{
    bool has_base = address.base != HOST_NONE;
    bool has_index = address.index != HOST_NONE;
    bool needs_sib = has_index || !has_base || (address.base & 7) == HOST_RSP;
    assert(address.index != HOST_RSP);
    unsigned mod = 0;
    if (has_base && (address.displacement != 0 || (address.base & 7) == HOST_RBP)) {
        mod = address.displacement == (int8_t)address.displacement ? 1 : 2;
    }
    at = put_modrm(at, mod, reg, needs_sib ? HOST_RSP : address.base);
    if (needs_sib) {
        at = put_modrm(at, address.scale, has_index ? address.index : HOST_RSP,
                       has_base ? address.base : HOST_RBP);
    }
    if (mod == 1) {
        *at++ = (uint8_t)address.displacement;
    } else if (mod == 2 || !has_base) {
        memcpy(at, &address.displacement, sizeof address.displacement);
        at += sizeof address.displacement;
    }
    return at;
}

void emit_reg(struct emitter *e, unsigned op, unsigned reg, unsigned rm)
{
    uint8_t *at = put_prefixes(e->at, op, reg, 0, rm);
    e->at = put_modrm(put_opcode(at, op), 3, reg, rm);
}

/* Inline for the moves below, whose opcodes are constants. */
ALWAYS_INLINE void put_mem(struct emitter *e, unsigned op, unsigned reg, struct host_address address)
{
    uint8_t *at = e->at;
    if (address.window) {
        *at++ = PREFIX_GS;
        *at++ = PREFIX_ADDRESS32;
    }
    at = put_prefixes(at, op, reg, address.index, address.base);
    e->at = put_address(put_opcode(at, op), reg, address);
}

void emit_mem(struct emitter *e, unsigned op, unsigned reg, struct host_address address)
{
    put_mem(e, op, reg, address);
}

void emit_short(struct emitter *e, unsigned op, unsigned reg)
{
    uint8_t *at = put_prefixes(e->at, op, 0, 0, reg);
    e->at = put_opcode(at, op | (reg & 7));
}

/* ---- moves */

void emit_mov(struct emitter *e, unsigned to, unsigned from)
{
    emit_reg(e, 0x8b, to, from);
}

void emit_mov64(struct emitter *e, unsigned to, unsigned from)
{
    emit_reg(e, HOST_W | 0x8b, to, from);
}

void emit_mov_immediate(struct emitter *e, unsigned to, uint32_t value)
{
    emit_short(e, 0xb8, to);
    emit_u32(e, value);
}

void emit_mov_immediate64(struct emitter *e, unsigned to, uint64_t value)
{
    emit_short(e, HOST_W | 0xb8, to);
    emit_u64(e, value);
}

void emit_load(struct emitter *e, unsigned to, struct host_address from)
{
    put_mem(e, 0x8b, to, from);
}

void emit_load64(struct emitter *e, unsigned to, struct host_address from)
{
    put_mem(e, HOST_W | 0x8b, to, from);
}

void emit_load_width(struct emitter *e, unsigned to, struct host_address from, unsigned width)
{
    if (width == 4) {
        emit_load(e, to, from);
    } else {
        emit_mem(e, HOST_0F | (width == 2 ? 0xb7 : 0xb6), to, from);
    }
}

void emit_store(struct emitter *e, struct host_address to, unsigned from)
{
    put_mem(e, 0x89, from, to);
}

void emit_store64(struct emitter *e, struct host_address to, unsigned from)
{
    put_mem(e, HOST_W | 0x89, from, to);
}

void emit_lea(struct emitter *e, unsigned to, struct host_address address)
{
    put_mem(e, 0x8d, to, address);
}

void emit_lea64(struct emitter *e, unsigned to, struct host_address address)
{
    put_mem(e, HOST_W | 0x8d, to, address);
}

struct host_address emit_lea_address(struct emitter *e, unsigned to, struct host_address address)
{
    struct host_address result = host_at(to, 0);
    result.window = address.window;
    address.window = false;
    if (result.window) {
        emit_lea(e, to, address);
    } else {
        emit_lea64(e, to, address);
    }
    return result;
}

void emit_not64(struct emitter *e, unsigned reg)
{
    emit_reg(e, HOST_W | 0xf7, 2, reg);
}

void emit_zero_extend8(struct emitter *e, unsigned to, unsigned from)
{
    assert(from < HOST_RSP || from >= HOST_R8);
    emit_reg(e, HOST_0F | 0xb6, to, from);
}

void emit_zero_extend16(struct emitter *e, unsigned to, unsigned from)
{
    emit_reg(e, HOST_0F | 0xb7, to, from);
}

void emit_sign_extend32(struct emitter *e, unsigned to, unsigned from)
{
    emit_reg(e, HOST_W | 0x63, to, from);
}

void emit_load_sign_extend32(struct emitter *e, unsigned to, struct host_address from)
{
    emit_mem(e, HOST_W | 0x63, to, from);
}

/* ---- BMI2 (VEX: SDM 2A §2.3.5) */

enum { VEX_66 = 1, VEX_F3 = 2, VEX_F2 = 3 };

static void emit_vex(struct emitter *e, unsigned map, unsigned prefix, bool wide, unsigned opcode,
                     unsigned reg, unsigned third, unsigned rm)
{
    uint8_t *at = e->at;
    at[0] = 0xc4;
    at[1] = (uint8_t)((reg & 8 ? 0u : 0x80u) | 0x40u | (rm & 8 ? 0u : 0x20u) | map);
    at[2] = (uint8_t)((wide ? 0x80u : 0u) | (~third & 15u) << 3 | prefix);
    at[3] = (uint8_t)opcode;
    e->at = put_modrm(at + 4, 3, reg, rm);
}

void emit_rorx(struct emitter *e, unsigned to, unsigned from, unsigned count)
{
    emit_vex(e, 3, VEX_F2, false, 0xf0, to, 0, from);
    emit_u8(e, count);
}

void emit_rorx64(struct emitter *e, unsigned to, unsigned from, unsigned count)
{
    emit_vex(e, 3, VEX_F2, true, 0xf0, to, 0, from);
    emit_u8(e, count);
}

void emit_shrx(struct emitter *e, unsigned to, unsigned from, unsigned count_register)
{
    emit_vex(e, 2, VEX_F2, false, 0xf7, to, count_register, from);
}

void emit_shrx64(struct emitter *e, unsigned to, unsigned from, unsigned count_register)
{
    emit_vex(e, 2, VEX_F2, true, 0xf7, to, count_register, from);
}

void emit_pext(struct emitter *e, unsigned to, unsigned from, unsigned mask_register)
{
    emit_vex(e, 2, VEX_F3, false, 0xf5, to, from, mask_register);
}

void emit_pdep(struct emitter *e, unsigned to, unsigned from, unsigned mask_register)
{
    emit_vex(e, 2, VEX_F2, false, 0xf5, to, from, mask_register);
}

/* ---- jumps */

uint8_t *emit_jrcxz(struct emitter *e)
{
    emit_u8(e, 0xe3);
    emit_u8(e, 0);
    return e->at - 1;
}

void emit_jrcxz_to(struct emitter *e, const uint8_t *target)
{
    ptrdiff_t distance = target - (e->at + 2);
    assert(distance >= INT8_MIN && distance < 0);
    emit_u8(e, 0xe3);
    emit_u8(e, (uint8_t)distance);
}

uint8_t *emit_jmp(struct emitter *e)
{
    emit_u8(e, 0xe9);
    emit_u32(e, 0);
    return e->at - 4;
}

void emit_jmp_back(struct emitter *e, const uint8_t *target)
{
    ptrdiff_t distance = target - (e->at + 2);
    if (distance >= INT8_MIN) {
        emit_u8(e, 0xeb);
        emit_u8(e, (uint8_t)distance);
    } else {
        emit_u8(e, 0xe9);
        emit_u32(e, (uint32_t)(distance - 3));
    }
}

uint8_t *emit_call(struct emitter *e)
{
    emit_u8(e, 0xe8);
    emit_u32(e, 0);
    return e->at - 4;
}

void emit_ret(struct emitter *e)
{
    emit_u8(e, 0xc3);
}

uint8_t *emit_jcc(struct emitter *e, unsigned condition)
{
    emit_u8(e, 0x0f);
    emit_u8(e, 0x80 | condition);
    emit_u32(e, 0);
    return e->at - 4;
}

uint8_t *emit_jcc_short(struct emitter *e, unsigned condition)
{
    emit_u8(e, 0x70 | condition);
    emit_u8(e, 0);
    return e->at - 1;
}

void emit_jmp_memory(struct emitter *e, struct host_address at)
{
    emit_mem(e, 0xff, 4, at);
}

void emit_jmp_register(struct emitter *e, unsigned reg)
{
    emit_reg(e, 0xff, 4, reg);
}

void emit_bind8(struct emitter *e, uint8_t *displacement)
{
    ptrdiff_t distance = e->at - (displacement + 1);
    assert(distance >= 0 && distance <= INT8_MAX);
    *displacement = (uint8_t)distance;
}

void emit_bind32(struct emitter *e, uint8_t *displacement)
{
    int32_t distance = (int32_t)(e->at - (displacement + 4));
    memcpy(displacement, &distance, sizeof distance);
}

/* The displacement at the end of what is written leads to `exec`. */
static void bind_last(struct emitter *e, const uint8_t *exec)
{
    ptrdiff_t distance = exec - (e->exec + (e->at - e->begin));
    assert(distance == (int32_t)distance);
    int32_t relative = (int32_t)distance;
    memcpy(e->at - sizeof relative, &relative, sizeof relative);
}

void emit_jmp_to(struct emitter *e, const uint8_t *exec)
{
    emit_jmp(e);
    bind_last(e, exec);
}

void emit_call_to(struct emitter *e, const uint8_t *exec)
{
    emit_call(e);
    bind_last(e, exec);
}
