/* Sensitive instructions as host code on the virtual CPU's state: flags, tables and system registers (SDM 2:
 * PUSHF, POPF, CLI, STI, CLD, STD, SMSW, SGDT, SIDT, SLDT, STR).
 *
 * EFLAGS bits that are not arithmetic live in cpu->eflags_other. They change here only when nothing else
 * depends on it: IF is set only while no interrupt waits, since interrupts become pending in C code alone,
 * and then their time comes there.
 *
 * NOT IMPLEMENTED: virtual interrupts (VME, PVI), which are emulated. */
#include <stddef.h>

#include "translator/sensitive.h"

enum { CONDITION_ZERO = 4, CONDITION_NOT_ZERO = 5 };

/* r11: the CPU's state. */
static void emit_load_cpu(struct builder *b)
{
    emit_load64(&b->e, HOST_R11, host_at(HOST_R14, (int32_t)offsetof(struct translator, cpu)));
}

static struct host_address cpu_field(size_t field)
{
    return host_at(HOST_R11, (int32_t)field);
}

static void emit_store_width(struct builder *b, struct host_address to, unsigned from, unsigned width)
{
    emit_mem(&b->e, host_width(width) | 0x89, from, to);
}

/* PUSHF, POPF and IRET are trapped in virtual-8086 mode. */
static bool is_trapped_v86(const struct builder *b)
{
    return (b->mode & MODE_V86) && !(b->mode & MODE_IOPL);
}

/* ---- PUSHF */

/* EFLAGS go to `to`, which r10 tells. */
static void emit_store_flags(struct builder *b, struct host_address to, unsigned width)
{
    struct emitter *e = &b->e;
    emit_mov(e, HOST_R11, HOST_RAX);
    emit_u8(e, 0x9f);                         /* lahf: AH, bit 1 set */
    emit_reg(e, HOST_0F | 0x90, 0, HOST_RAX); /* seto al */
    emit_reg(e, HOST_0F | 0xb6, HOST_RCX, 4); /* movzx ecx, ah */
    emit_zero_extend8(e, HOST_RAX, HOST_RAX);
    emit_rorx(e, HOST_RAX, HOST_RAX, 32 - 11);
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_RAX, 0, -(int32_t)EFLAGS_FIXED));
    emit_mov(e, HOST_RAX, HOST_R11);
    emit_load_cpu(b);
    emit_load(e, HOST_R11, cpu_field(offsetof(struct cpu_state, eflags_other)));
    int32_t hidden = b->mode & MODE_V86 ? -(int32_t)EFLAGS_VM : 0;
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_R11, 0, hidden));
    emit_store_width(b, to, HOST_RCX, width);
}

bool inline_push_flags(struct builder *b, const struct insn *insn)
{
    if (is_trapped_v86(b) || !stack_is_possible(b)) {
        return false;
    }
    unsigned width = insn->operand_size;
    emit_store_flags(b, emit_lea_address(&b->e, HOST_R10, emit_push_access(b, width)), width);
    emit_stack_adjust(b, -(int32_t)width);
    return true;
}

/* ---- POPF */

/* What POPF changes, beyond the arithmetic flags. IOPL counts as changeable outside ring 3, so that rings 1
 * and 2 go to the emulation when it differs. */
static uint32_t changeable_flags(const struct builder *b, unsigned width)
{
    uint32_t fixed = EFLAGS_ARITHMETIC | EFLAGS_VIF | EFLAGS_VIP | EFLAGS_RF;
    if (b->mode & MODE_USER) {
        fixed |= (uint32_t)EFLAGS_IOPL | (b->mode & MODE_IOPL ? 0 : (uint32_t)EFLAGS_IF);
    }
    uint32_t mask = width == 2 ? 0xffffu : UINT32_MAX;
    return b->t->cpu->model->eflags_writable & mask & ~fixed;
}

static void emit_test_immediate(struct builder *b, unsigned reg, uint32_t value)
{
    emit_reg(&b->e, 0xf7, 0, reg);
    emit_u32(&b->e, value);
}

void emit_load_flags(struct builder *b)
{
    struct emitter *e = &b->e;
    emit_mov(e, HOST_R11, HOST_RAX);
    emit_mov(e, HOST_RAX, HOST_R10);
    emit_reg(e, 0xc1, 5, HOST_RAX); /* shr eax, 11 */
    emit_u8(e, 11);
    emit_reg(e, 0x83, 4, HOST_RAX); /* and eax, 1 */
    emit_u8(e, 1);
    emit_mov(e, HOST_RCX, HOST_R10);
    emit_reg(e, 0x8a, 4, HOST_RCX); /* mov ah, cl */
    emit_u8(e, 0x04);               /* add al, 127: OF */
    emit_u8(e, 0x7f);
    emit_u8(e, 0x9e); /* sahf */
    emit_mov(e, HOST_RAX, HOST_R11);
}

/* Once the image is read, the flags are free: the emulation replaces all of them as well. */
bool inline_pop_flags(struct builder *b, const struct insn *insn)
{
    bool inner_without_iopl = (b->mode & (MODE_PROTECTED | MODE_USER | MODE_IOPL)) == MODE_PROTECTED;
    if (is_trapped_v86(b) || inner_without_iopl || !stack_is_possible(b)) {
        return false;
    }
    struct emitter *e = &b->e;
    unsigned width = insn->operand_size;
    uint32_t changeable = changeable_flags(b, width);
    uint32_t simple = changeable & EFLAGS_IF;
    struct host_address at = emit_top_access(b, width);
    emit_load_width(e, HOST_R10, at, width);
    emit_load_cpu(b);
    emit_load(e, HOST_RCX, cpu_field(offsetof(struct cpu_state, eflags_other)));
    emit_reg(e, 0x33, HOST_RCX, HOST_R10); /* xor ecx, r10d */
    emit_test_immediate(b, HOST_RCX, changeable & ~simple);
    sensitive_add_site(b, insn, emit_jcc(e, CONDITION_NOT_ZERO));
    emit_reg(e, 0x81, 4, HOST_RCX); /* and ecx, simple */
    emit_u32(e, simple);
    uint8_t *same = emit_jcc_short(e, CONDITION_ZERO);
    emit_test_immediate(b, HOST_R10, EFLAGS_IF);
    uint8_t *masks = emit_jcc_short(e, CONDITION_ZERO);
    emit_mem(e, 0xf7, 0, cpu_field(offsetof(struct cpu_state, pending)));
    emit_u32(e, CPU_PENDING_INTERRUPT);
    sensitive_add_site(b, insn, emit_jcc(e, CONDITION_NOT_ZERO));
    emit_bind8(e, masks);
    emit_mem(e, 0x31, HOST_RCX, /* xor [eflags_other], ecx */
             cpu_field(offsetof(struct cpu_state, eflags_other)));
    emit_bind8(e, same);
    emit_load_flags(b);
    emit_stack_adjust(b, (int32_t)width);
    return true;
}

/* ---- CLI, STI, CLD, STD */

/* Sets or clears one bit of eflags_other: rotated to the top, it is shifted out. */
static void emit_put_flag(struct builder *b, unsigned bit, bool set)
{
    struct emitter *e = &b->e;
    struct host_address flags = cpu_field(offsetof(struct cpu_state, eflags_other));
    emit_load(e, HOST_RCX, flags);
    emit_rorx(e, HOST_RCX, HOST_RCX, bit + 1);
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_RCX, 0, 0));
    emit_rorx(e, HOST_RCX, HOST_RCX, 32 - bit);
    if (set) {
        emit_lea(e, HOST_RCX, host_at(HOST_RCX, (int32_t)(1u << bit)));
    }
    emit_store(e, flags, HOST_RCX);
}

/* The instruction after STI comes before any interrupt: it is in the same block, and while it runs none can
 * become pending but in C code, behind it. */
bool inline_interrupt_flag(struct builder *b, const struct insn *insn)
{
    enum { IF_BIT = 9 };
    bool sets = insn->id == INSN_STI;
    if (!(b->mode & MODE_IOPL) || (sets && b->index + 1 == b->count)) {
        return false;
    }
    emit_load_cpu(b);
    if (sets) {
        _Static_assert(CPU_PENDING_INTERRUPT >> 8 != 0 && CPU_PENDING_STACK_SHADOW >> 8 != 0,
                       "what else is in the second byte of `pending` keeps translated code from running");
        emit_load_width(&b->e, HOST_RCX, cpu_field(offsetof(struct cpu_state, pending) + 1), 1);
        uint8_t *none = emit_jrcxz(&b->e);
        sensitive_add_site(b, insn, emit_jmp(&b->e));
        emit_bind8(&b->e, none);
    }
    emit_put_flag(b, IF_BIT, sets);
    return true;
}

bool translate_direction_flag(struct builder *b, const struct insn *insn)
{
    enum { DF_BIT = 10 };
    emit_load_cpu(b);
    emit_put_flag(b, DF_BIT, insn->id == INSN_STD);
    emit_mem(&b->e, HOST_W | 0xc7, 0, host_at(HOST_R14, (int32_t)offsetof(struct translator, string_step)));
    emit_u32(&b->e, insn->id == INSN_STD ? UINT32_MAX : 1);
    return true;
}

/* ---- what is only read */

/* Stores a field of the struct translator where the instruction says: 16 bits to memory, the operand size to
 * a register. */
static bool emit_store_field(struct builder *b, const struct insn *insn, size_t field, unsigned field_width)
{
    struct emitter *e = &b->e;
    const struct operand *to = &insn->operand[0];
    struct host_address from = host_at(HOST_R14, (int32_t)field);
    if (to->kind == OPERAND_MEMORY) {
        struct guest_operand memory = guest_operand_of(insn);
        if (!access_is_possible(b, &memory, ACCESS_STORE)) {
            return false;
        }
        struct host_address at = emit_access(b, &memory, 2, ACCESS_STORE, HOST_RCX);
        emit_load_width(e, HOST_R11, from, field_width);
        emit_store_width(b, at, HOST_R11, 2);
        return true;
    }
    if (insn->operand_size == 2) {
        emit_mem(e, HOST_66 | 0x8b, host_gpr(to->reg), from);
    } else {
        emit_load_width(e, host_gpr(to->reg), from, field_width);
    }
    return true;
}

bool inline_machine_status(struct builder *b, const struct insn *insn)
{
    return emit_store_field(b, insn, offsetof(struct translator, machine_status), 4);
}

/* MOV from CR0, CR2 or CR3 in ring 0. */
bool inline_control_read(struct builder *b, const struct insn *insn)
{
    static const size_t fields[] = {[0] = offsetof(struct cpu_state, cr0),
                                    [2] = offsetof(struct cpu_state, cr2),
                                    [3] = offsetof(struct cpu_state, cr3)};
    struct emitter *e = &b->e;
    const struct operand *to = &insn->operand[0];
    unsigned number = insn->operand[1].reg;
    if (to->register_class != REGISTER_GPR32 || number >= ARRAY_COUNT(fields) || number == 1 ||
        !(b->mode & MODE_PROTECTED)) {
        return false;
    }
    emit_load_cpu(b);
    emit_load_width(e, HOST_RCX, cpu_field(offsetof(struct cpu_state, cpl)), 1);
    uint8_t *ring_0 = emit_jrcxz(e);
    sensitive_add_site(b, insn, emit_jmp(e));
    emit_bind8(e, ring_0);
    emit_load(e, host_gpr(to->reg), cpu_field(fields[number]));
    return true;
}

bool inline_selector_register(struct builder *b, const struct insn *insn)
{
    size_t field = insn->id == INSN_SLDT ? offsetof(struct translator, ldt_selector)
                                         : offsetof(struct translator, task_selector);
    return (b->mode & MODE_PROTECTED) && emit_store_field(b, insn, field, 2);
}

bool inline_table(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    struct guest_operand memory = guest_operand_of(insn);
    size_t table =
        insn->id == INSN_SGDT ? offsetof(struct cpu_state, gdtr) : offsetof(struct cpu_state, idtr);
    if (!access_is_possible(b, &memory, ACCESS_STORE)) {
        return false;
    }
    struct host_address at = emit_access(b, &memory, 6, ACCESS_STORE, HOST_RCX);
    emit_load_cpu(b);
    emit_load_width(e, HOST_R11, cpu_field(table + offsetof(struct descriptor_table, limit)), 2);
    emit_store_width(b, at, HOST_R11, 2);
    emit_load_cpu(b);
    emit_load(e, HOST_R11, cpu_field(table + offsetof(struct descriptor_table, base)));
    at.displacement += 2;
    emit_store_width(b, at, HOST_R11, 4);
    return true;
}
