/* Loads of data segment registers in protected mode that inline code has seen before (SDM 2: MOV, POP).
 *
 * A load gives what its descriptor, the selector and the privilege say. Where that is what the register holds
 * already, segments.c does it by itself; this is about a register that goes from one selector to another, as
 * FS does whenever a kernel is entered and left. translator_quick() executes the first such load, and what it
 * gave is kept for the next from the same context (struct known_load): the segment, and the context that it
 * led to, since the class of a segment is part of what blocks assume. All loads share one stub, which stands
 * in front of the service, compares and copies.
 *
 * The descriptor's bytes are compared each time. What else could make this wrong (tables or mappings changed,
 * a context replaced) makes all of it be forgotten.
 *
 * Return addresses on the return stack belong to the context that is left (returns.c), so it is emptied. */
#include <stddef.h>

#include "translator/sensitive.h"

/* What a load is, beside its selector in the lower half. */
enum {
    LOAD_SEGMENT_SHIFT = 16, /* which register */
    LOAD_POP_SHIFT = 20,     /* bytes that leave the stack */
    LOAD_CPL_SHIFT = 24,
    LOAD_LENGTH_SHIFT = 28 /* of the instruction */
};

enum { OPCODE_ADD = 0x03, OPCODE_SUB = 0x2b, OPCODE_CMP = 0x3b, OPCODE_IMUL8 = 0x6b, OPCODE_GROUP8 = 0x83 };
enum { GROUP_AND = 4 };
enum { CONDITION_E = 4, CONDITION_NE = 5 };

#define FIELD(name)      host_at(HOST_R14, (int32_t)offsetof(struct translator, name))
#define LOAD_FIELD(name) host_at(HOST_RAX, (int32_t)offsetof(struct known_load, name))
#define SITE_FIELD(name) host_at(HOST_R11, (int32_t)offsetof(struct translator_site, name))

static uint64_t key_of(uint32_t load, uint64_t context)
{
    return context + load;
}

/* As emit_find() has it. */
static struct known_load *slot_of(struct translator *t, uint32_t load, uint64_t context)
{
    return &t->known_loads[((load >> 3) + (load >> LOAD_SEGMENT_SHIFT) + (context >> 32)) % KNOWN_LOADS];
}

void known_load_forget(struct translator *t)
{
    t->load_epoch++;
}

void known_load_learn(struct translator *t, const struct translator_site *site, uint64_t from_context)
{
    const struct cpu_state *cpu = t->cpu;
    unsigned number = site->operand.reg;
    const struct known_selector *selector = &t->known[(t->mode & MODE_USER) != 0][number];
    uint32_t load = (uint32_t)t->temporary + ((uint32_t)cpu->cpl << LOAD_CPL_SHIFT);
    *slot_of(t, load, from_context) = (struct known_load){.key = key_of(load, from_context),
                                                          .epoch = t->load_epoch,
                                                          .descriptor = selector->descriptor,
                                                          .raw = 0 - selector->negated,
                                                          .segment = cpu->segment[number],
                                                          .destination = &t->cpu->segment[number],
                                                          .known = &t->known[0][number],
                                                          .context = t->context,
                                                          .mode = t->mode,
                                                          .jump_salt = t->jump_salt};
}

void emit_load_description(struct builder *b, const struct insn *insn)
{
    unsigned pop = insn->id == INSN_POP_SEG ? insn->operand_size : 0;
    uint32_t load = (uint32_t)insn->operand[0].reg << LOAD_SEGMENT_SHIFT | pop << LOAD_POP_SHIFT |
                    (b->next_eip - b->eip) << LOAD_LENGTH_SHIFT;
    emit_lea(&b->e, HOST_RCX, host_at(HOST_R10, (int32_t)load));
    emit_store(&b->e, FIELD(temporary), HOST_RCX);
}

/* ---- the stub */

static void emit_arithmetic64(struct emitter *e, unsigned opcode, unsigned reg, struct host_address with)
{
    emit_mem(e, HOST_W | opcode, reg, with);
}

static void emit_and(struct emitter *e, unsigned reg, unsigned mask)
{
    emit_reg(e, OPCODE_GROUP8, GROUP_AND, reg);
    emit_u8(e, mask);
}

/* r10: the load; rax: where it would be known; r11: its key. */
static void emit_find(struct emitter *e)
{
    emit_load64(e, HOST_R11, FIELD(cpu));
    emit_load_width(e, HOST_R11, host_at(HOST_R11, (int32_t)offsetof(struct cpu_state, cpl)), 1);
    emit_rorx(e, HOST_R11, HOST_R11, 32 - LOAD_CPL_SHIFT);
    emit_load(e, HOST_R10, FIELD(temporary));
    emit_lea(e, HOST_R10, host_sum(HOST_R10, HOST_R11, 0, 0));
    emit_rorx(e, HOST_RAX, HOST_R10, 3);
    emit_rorx(e, HOST_R11, HOST_R10, LOAD_SEGMENT_SHIFT);
    emit_lea(e, HOST_RAX, host_sum(HOST_RAX, HOST_R11, 0, 0));
    emit_rorx64(e, HOST_R11, HOST_R12, 32);
    emit_lea(e, HOST_RAX, host_sum(HOST_RAX, HOST_R11, 0, 0));
    emit_and(e, HOST_RAX, KNOWN_LOADS - 1);
    _Static_assert(sizeof(struct known_load) <= INT8_MAX && KNOWN_LOADS <= INT8_MAX, "immediates of a byte");
    emit_reg(e, OPCODE_IMUL8, HOST_RAX, HOST_RAX);
    emit_u8(e, sizeof(struct known_load));
    emit_lea64(e, HOST_RAX,
               host_sum(HOST_R14, HOST_RAX, 0, (int32_t)offsetof(struct translator, known_loads)));
    emit_lea64(e, HOST_R11, host_sum(HOST_R12, HOST_R10, 0, 0));
}

/* Whether the load at rax is known to be that of key r11. Changes r11 and rcx. */
static void emit_compare(struct emitter *e, uint8_t *unknown[3])
{
    emit_arithmetic64(e, OPCODE_CMP, HOST_R11, LOAD_FIELD(key));
    unknown[0] = emit_jcc(e, CONDITION_NE);
    emit_load64(e, HOST_R11, FIELD(load_epoch));
    emit_arithmetic64(e, OPCODE_CMP, HOST_R11, LOAD_FIELD(epoch));
    unknown[1] = emit_jcc(e, CONDITION_NE);
    emit_load64(e, HOST_RCX, LOAD_FIELD(descriptor));
    emit_load64(e, HOST_R11, host_at(HOST_RCX, 0));
    emit_arithmetic64(e, OPCODE_CMP, HOST_R11, LOAD_FIELD(raw));
    unknown[2] = emit_jcc(e, CONDITION_NE);
}

/* The segment register, what is known of it, and ESP. r10: the load. Changes r11 and rcx. */
static void emit_copy(struct emitter *e)
{
    _Static_assert(sizeof(struct segment) % sizeof(uint64_t) == 0, "it is copied by quadwords");
    emit_load64(e, HOST_R11, LOAD_FIELD(destination));
    for (unsigned i = 0; i < sizeof(struct segment); i += sizeof(uint64_t)) {
        emit_load64(e, HOST_RCX, host_at(HOST_RAX, (int32_t)(offsetof(struct known_load, segment) + i)));
        emit_store64(e, host_at(HOST_R11, (int32_t)i), HOST_RCX);
    }
    emit_load64(e, HOST_R11, LOAD_FIELD(known));
    emit_mov_immediate(e, HOST_RCX, 0);
    for (unsigned user = 0; user < 2; user++) {
        size_t key = user * sizeof(struct known_selector[KNOWN_KINDS]) + offsetof(struct known_selector, key);
        emit_store64(e, host_at(HOST_R11, (int32_t)key), HOST_RCX);
    }
    emit_rorx(e, HOST_RCX, HOST_R10, LOAD_POP_SHIFT);
    emit_and(e, HOST_RCX, 7);
    emit_lea(e, HOST_R8, host_sum(HOST_R8, HOST_RCX, 0, 0));
}

/* r11: the context that is there now. */
static void emit_enter_context(struct emitter *e)
{
    emit_mov64(e, HOST_R12, HOST_R11);
    emit_store64(e, FIELD(context), HOST_R12);
    emit_store64(e, FIELD(context_base), HOST_R12);
    emit_store64(e, FIELD(return_context), HOST_R12);
    emit_load64(e, HOST_RCX, LOAD_FIELD(mode)); /* and its salt */
    emit_store64(e, FIELD(mode), HOST_RCX);
    emit_load64(e, HOST_RSP, FIELD(return_bottom));
}

/* r10d: EIP behind the load in r10; the rest of the block is not executed. Changes r11 and rcx. */
static void emit_leave_block(struct emitter *e)
{
    emit_load64(e, HOST_R11, FIELD(site));
    emit_load_width(e, HOST_RCX, SITE_FIELD(remaining), 1);
    emit_reg(e, HOST_W | OPCODE_SUB, HOST_R13, HOST_RCX);
    emit_lea64(e, HOST_R13, host_at(HOST_R13, 1));
    emit_load_width(e, HOST_RCX, SITE_FIELD(offset), 2);
    emit_rorx(e, HOST_R10, HOST_R10, LOAD_LENGTH_SHIFT);
    emit_and(e, HOST_R10, 15);
    emit_lea(e, HOST_R10, host_sum(HOST_R10, HOST_RCX, 0, 0));
    emit_load64(e, HOST_R11, FIELD(tables));
    emit_mem(e, OPCODE_ADD, HOST_R10, host_at(HOST_R11, (int32_t)offsetof(struct block_tables, eip)));
}

/* Goes on in the block. Changes r11 and rcx. */
static void emit_resume_block(struct emitter *e)
{
    emit_load64(e, HOST_R11, FIELD(site));
    emit_load_width(e, HOST_RCX, SITE_FIELD(next), 2);
    emit_load64(e, HOST_R11, FIELD(tables));
    emit_load64(e, HOST_R11, host_at(HOST_R11, (int32_t)offsetof(struct block_tables, entry)));
    emit_lea64(e, HOST_R11, host_sum(HOST_R11, HOST_RCX, 0, 0));
}

static struct host_address eax_field(void)
{
    return host_at(HOST_R14, (int32_t)(offsetof(struct translator, gpr) + CPU_AX * sizeof(uint32_t)));
}

static void emit_restore(struct emitter *e)
{
    emit_restore_flags(e);
    emit_load(e, HOST_RAX, eax_field());
}

void emit_known_load_stub(struct translator *t, struct emitter *e)
{
    uint8_t *unknown[3];
    t->load_segment = e->exec + (e->at - e->begin);
    emit_store64(e, FIELD(tables), HOST_R11);
    emit_site_address(e);
    emit_store64(e, FIELD(site), HOST_RCX);
    emit_store64(e, FIELD(address), HOST_R10);
    emit_store(e, eax_field(), HOST_RAX);
    emit_save_flags(e);
    emit_find(e);
    emit_compare(e, unknown);
    emit_copy(e);
    emit_load64(e, HOST_R11, LOAD_FIELD(context));
    emit_reg(e, HOST_W | OPCODE_CMP, HOST_R11, HOST_R12);
    uint8_t *same = emit_jcc(e, CONDITION_E);
    emit_enter_context(e);
    emit_leave_block(e);
    emit_restore(e);
    emit_jmp_to(e, t->indirect);
    emit_bind32(e, same);
    emit_resume_block(e);
    emit_restore(e);
    emit_jmp_register(e, HOST_R11);
    for (unsigned i = 0; i < ARRAY_COUNT(unknown); i++) {
        emit_bind32(e, unknown[i]);
    }
    emit_restore(e);
    emit_load64(e, HOST_R10, FIELD(address));
    emit_load64(e, HOST_RCX, FIELD(site));
    emit_jmp_to(e, t->service_of_site);
}
