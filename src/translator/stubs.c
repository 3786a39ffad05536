/* The way into translated code, out of it, and to C and back: the code that all blocks share. */
#include "translator/context.h"

#include <stddef.h>

#include "mmu/plain_walk.h"
#include "translator/sensitive.h"

enum { CONDITION_NE = 5 };

#define FIELD(name) host_at(HOST_R14, (int32_t)offsetof(struct translator, name))

static const uint8_t *here(const struct emitter *e)
{
    return e->exec + (e->at - e->begin);
}

static struct host_address gpr_field(unsigned guest)
{
    return host_at(HOST_R14, (int32_t)(offsetof(struct translator, gpr) + guest * sizeof(uint32_t)));
}

#define XMM_REGISTERS 8u

/* Between XMM registers with MXCSR and struct cpu_state, when they are loaded (float.h). Changes flags and
 * rcx.
 */
static void emit_sse_transfer(struct emitter *e, bool store)
{
    emit_mem(e, 0x83, 7, FIELD(sse_absent)); /* cmp dword, 0 */
    emit_u8(e, 0);
    uint8_t *absent = emit_jcc_short(e, CONDITION_NE);
    emit_load64(e, HOST_RCX, FIELD(cpu));
    for (unsigned i = 0; i < XMM_REGISTERS; i++) {
        unsigned movups = HOST_0F | (store ? 0x11 : 0x10);
        size_t offset = offsetof(struct cpu_state, xmm) + i * sizeof(struct xmm_register);
        emit_mem(e, movups, i, host_at(HOST_RCX, (int32_t)offset));
    }
    unsigned mxcsr = HOST_0F | 0xae; /* 2: LDMXCSR, 3: STMXCSR */
    emit_mem(e, mxcsr, store ? 3 : 2, host_at(HOST_RCX, (int32_t)offsetof(struct cpu_state, mxcsr)));
    if (store) {
        emit_mem(e, mxcsr, 2, FIELD(host_mxcsr));
    }
    emit_bind8(e, absent);
}

void emit_save_flags(struct emitter *e)
{
    emit_u8(e, 0x9f);                         /* lahf */
    emit_reg(e, HOST_0F | 0x90, 0, HOST_RAX); /* seto al */
    emit_store(e, FIELD(flags), HOST_RAX);
}

void emit_restore_flags(struct emitter *e)
{
    emit_load(e, HOST_RAX, FIELD(flags));
    emit_reg(e, 0x80, 0, HOST_RAX); /* add al, 127: OF */
    emit_u8(e, 0x7f);
    emit_u8(e, 0x9e); /* sahf */
}

/* Loads guest registers and flags, and goes to t->resume. */
static void emit_resume(struct emitter *e)
{
    emit_sse_transfer(e, false);
    emit_restore_flags(e);
    for (unsigned guest = 0; guest < 8; guest++) {
        emit_load(e, host_gpr(guest), gpr_field(guest));
    }
    emit_load64(e, HOST_R10, FIELD(address));
    emit_load64(e, HOST_R11, FIELD(addend));
    emit_mov64(e, HOST_RCX, HOST_R11);
    emit_load64(e, HOST_R12, FIELD(context));
    emit_load_sign_extend32(e, HOST_R13, FIELD(budget));
    emit_not64(e, HOST_R13);
    emit_load64(e, HOST_R15, FIELD(tlb));
    emit_load64(e, HOST_RSP, FIELD(code_sp));
    emit_jmp_memory(e, FIELD(resume));
}

static void emit_push(struct emitter *e, unsigned reg)
{
    emit_short(e, 0x50, reg);
}

static void emit_pop(struct emitter *e, unsigned reg)
{
    emit_short(e, 0x58, reg);
}

/* The registers that the System V calling convention wants back: an odd number keeps rsp aligned to 16
 * together with the return address and the one word more. */
static const uint8_t saved[] = {HOST_RBX, HOST_RBP, HOST_R12, HOST_R13, HOST_R14, HOST_R15};

/* void enter(struct translator *t, const uint8_t *code) */
static void emit_enter(struct emitter *e)
{
    for (unsigned i = 0; i < ARRAY_COUNT(saved); i++) {
        emit_push(e, saved[i]);
    }
    emit_lea64(e, HOST_RSP, host_at(HOST_RSP, -8));
    emit_mov64(e, HOST_R14, HOST_RDI);
    emit_store64(e, FIELD(c_sp), HOST_RSP);
    emit_store64(e, FIELD(resume), HOST_RSI);
    emit_resume(e);
}

static void emit_leave(struct emitter *e)
{
    emit_load64(e, HOST_RSP, FIELD(c_sp));
    emit_lea64(e, HOST_RSP, host_at(HOST_RSP, 8));
    for (unsigned i = ARRAY_COUNT(saved); i-- > 0;) {
        emit_pop(e, saved[i]);
    }
    emit_ret(e);
}

void emit_site_address(struct emitter *e)
{
    _Static_assert(sizeof(struct translator_site) == 5 * 4, "that is a lea and a scale");
    emit_zero_extend8(e, HOST_RCX, HOST_RCX);
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_RCX, 2, 0));
    emit_lea64(e, HOST_RCX, host_sum(HOST_R11, HOST_RCX, 2, (int32_t)offsetof(struct block_tables, sites)));
}

/* rcx: the site. */
static void emit_service_of_site(struct emitter *e)
{
    emit_store64(e, FIELD(site), HOST_RCX);
    for (unsigned guest = 0; guest < 8; guest++) {
        emit_store(e, gpr_field(guest), host_gpr(guest));
    }
    emit_save_flags(e);
    emit_store64(e, FIELD(address), HOST_R10);
    emit_store64(e, FIELD(context), HOST_R12);
    emit_not64(e, HOST_R13);
    emit_store(e, FIELD(budget), HOST_R13);
    emit_sse_transfer(e, true);
    emit_store64(e, FIELD(code_sp), HOST_RSP);
    emit_load64(e, HOST_RSP, FIELD(c_sp));
    emit_mov64(e, HOST_RDI, HOST_R14);
    emit_mov_immediate64(e, HOST_RAX, (uint64_t)(uintptr_t)translator_service);
    emit_reg(e, 0xff, 2, HOST_RAX); /* call rax */
    emit_store64(e, FIELD(resume), HOST_RAX);
    emit_resume(e);
}

/* Guest registers that a function of C may change; the rest are callee-saved, or hold nothing. */
static const uint8_t volatile_gpr[] = {HOST_RAX, HOST_RDX, HOST_RSI, HOST_RDI, HOST_R8, HOST_R9};

static struct host_address field_of_host_gpr(unsigned host)
{
    unsigned guest = host == HOST_R8 ? CPU_SP : host == HOST_R9 ? CPU_CX : host;
    return gpr_field(guest);
}

static void emit_arithmetic64(struct emitter *e, unsigned opcode, unsigned to, unsigned from)
{
    emit_reg(e, HOST_W | opcode, to, from);
}

/* Called: t->walk. `function` uses general registers only. */
static void emit_walk(struct emitter *e, mmu_plain_walk *function)
{
    enum { OPCODE_SUB = 0x2b, OPCODE_TEST = 0x85 };
    for (unsigned i = 0; i < ARRAY_COUNT(volatile_gpr); i++) {
        emit_store(e, field_of_host_gpr(volatile_gpr[i]), volatile_gpr[i]);
    }
    emit_save_flags(e);
    emit_store64(e, FIELD(address), HOST_R10);
    emit_store64(e, FIELD(code_sp), HOST_RSP);
    emit_load64(e, HOST_RSP, FIELD(c_sp));
    emit_load64(e, HOST_RDI, FIELD(mmu));
    emit_mov(e, HOST_RSI, HOST_R10);
    emit_mov(e, HOST_RDX, HOST_RCX);
    emit_mov_immediate64(e, HOST_RAX, (uint64_t)(uintptr_t)function);
    emit_reg(e, 0xff, 2, HOST_RAX); /* call rax */
    emit_load64(e, HOST_RSP, FIELD(code_sp));
    emit_load64(e, HOST_R10, FIELD(address));
    emit_mov_immediate(e, HOST_RCX, 0);
    emit_mov64(e, HOST_R11, HOST_RAX);
    emit_arithmetic64(e, OPCODE_SUB, HOST_R11, HOST_R10);
    emit_arithmetic64(e, OPCODE_TEST, HOST_RAX, HOST_RAX);
    emit_reg(e, HOST_0F | 0x94, 0, HOST_RCX); /* sete cl */
    emit_restore_flags(e);
    for (unsigned i = 0; i < ARRAY_COUNT(volatile_gpr); i++) {
        emit_load(e, volatile_gpr[i], field_of_host_gpr(volatile_gpr[i]));
    }
    emit_ret(e);
}

static void emit_walks(struct translator *t, struct emitter *e)
{
    static mmu_plain_walk *const functions[2][2] = {{mmu_plain_load, mmu_plain_store},
                                                    {mmu_plain_user_load, mmu_plain_user_store}};
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned store = 0; store < 2; store++) {
            t->walk[user][store] = here(e);
            emit_walk(e, functions[user][store]);
        }
    }
}

static struct host_address mixed_field(size_t field)
{
    size_t offset = offsetof(struct fast_tlb, mixed) + field;
    return host_sum(HOST_R15, HOST_R11, 3, (int32_t)offset - PAGE_SHIFT);
}

/* rcx: a mixed_page.marks; becomes the marks of the `width` bytes at linear address r10d. Changes r10 and
 * r11. */
static void emit_marks(struct emitter *e, unsigned width)
{
    emit_mov_immediate(e, HOST_R11, 3);
    emit_shrx(e, HOST_R11, HOST_R10, HOST_R11);
    emit_load(e, HOST_RCX, host_sum(HOST_RCX, HOST_R11, 0, 0));
    emit_mov_immediate(e, HOST_R11, 7);
    emit_pext(e, HOST_R10, HOST_R10, HOST_R11);
    emit_shrx(e, HOST_RCX, HOST_RCX, HOST_R10);
    emit_mov_immediate(e, HOST_R11, (1u << width) - 1);
    emit_pext(e, HOST_RCX, HOST_RCX, HOST_R11);
}

/* r11, cl: a SITE_STORE; r10: the linear address. Where a mixed page (fast_tlb.h) has no marks, goes on at
 * `direct`; else to `service` with the site in rcx. */
static void emit_store_beside_code(struct emitter *e, const uint8_t *service, unsigned width)
{
    emit_store64(e, FIELD(tables), HOST_R11);
    emit_site_address(e);
    emit_store64(e, FIELD(site), HOST_RCX);
    emit_rorx(e, HOST_R11, HOST_R10, PAGE_SHIFT);
    emit_zero_extend8(e, HOST_R11, HOST_R11);
    emit_lea(e, HOST_R11, host_sum(HOST_NONE, HOST_R11, 2, 0)); /* of 8 bytes: a struct mixed_page */
    emit_load(e, HOST_RCX, mixed_field(offsetof(struct mixed_page, tag)));
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, (int32_t)width - 1));
    emit_shrx(e, HOST_RCX, HOST_RCX, HOST_R15);
    uint8_t *is_mixed = emit_jrcxz(e);
    emit_load64(e, HOST_RCX, FIELD(site));
    emit_jmp_to(e, service);
    emit_bind8(e, is_mixed);
    emit_load64(e, HOST_RCX, mixed_field(offsetof(struct mixed_page, marks)));
    emit_load64(e, HOST_R11, mixed_field(offsetof(struct mixed_page, addend)));
    emit_store64(e, FIELD(addend), HOST_R11);
    emit_store64(e, FIELD(address), HOST_R10);
    emit_marks(e, width);
    emit_load64(e, HOST_R10, FIELD(address));
    uint8_t *is_free = emit_jrcxz(e);
    emit_load64(e, HOST_RCX, FIELD(site));
    emit_jmp_to(e, service);
    emit_bind8(e, is_free);
    emit_load64(e, HOST_RCX, FIELD(site));
    emit_load_width(e, HOST_RCX, host_at(HOST_RCX, (int32_t)offsetof(struct translator_site, direct)), 2);
    emit_load64(e, HOST_R11, FIELD(tables));
    emit_load64(e, HOST_R11, host_at(HOST_R11, (int32_t)offsetof(struct block_tables, entry)));
    emit_lea64(e, HOST_R11, host_sum(HOST_R11, HOST_RCX, 0, 0));
    emit_store64(e, FIELD(resume), HOST_R11);
    emit_load64(e, HOST_R11, FIELD(addend));
    emit_mov64(e, HOST_RCX, HOST_R11);
    emit_jmp_memory(e, FIELD(resume));
}

/* The bottom of the return stack leads here, and has to stay; then as for every landing with another EIP in
 * r10d. */
static void emit_indirect(struct translator *t, struct emitter *e)
{
    emit_lea64(e, HOST_RSP, host_at(HOST_RSP, -8));
    t->indirect = here(e);
    emit_sign_extend32(e, HOST_R10, HOST_R10);
    uint8_t *unknown = emit_jump_cache_exit(e, NULL);
    emit_bind32(e, unknown);
    emit_mov_immediate64(e, HOST_RCX, (uint64_t)(uintptr_t)&t->no_block);
    emit_jmp_to(e, t->service_of_site);
}

struct status translator_make_stubs(struct translator *t)
{
    struct code_space space = code_cache_reserve_fixed(t->cache);
    struct emitter e = {
        .at = space.write, .begin = space.write, .end = space.write + space.size, .exec = space.exec};
    const uint8_t *enter = here(&e);
    emit_enter(&e);
    t->leave = here(&e);
    emit_leave(&e);
    t->service = here(&e);
    emit_site_address(&e);
    t->service_of_site = here(&e);
    emit_service_of_site(&e);
    for (unsigned i = 0; i < ARRAY_COUNT(t->store_beside_code); i++) {
        t->store_beside_code[i] = here(&e);
        emit_store_beside_code(&e, t->service_of_site, 1u << i);
    }
    emit_walks(t, &e);
    t->no_block = (struct translator_site){.kind = SITE_INDIRECT};
    const uint8_t *underflow = here(&e);
    emit_indirect(t, &e);
    emit_known_load_stub(t, &e);
    code_cache_commit_fixed(t->cache, (size_t)(e.at - e.begin));
    memcpy(&t->enter, &enter, sizeof enter);
    return translator_make_return_stack(t, underflow);
}
