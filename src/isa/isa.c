/* Which encodings a model has; see isa.h. */
#include "isa/isa.h"

static bool is_x87(const struct insn *insn)
{
    return (insn_info((enum insn_id)insn->id)->properties & INSN_X87) != 0;
}

/* Instructions with a feature of their own come with that, whatever the generation. */
static bool later_encoding_exists(const struct cpu_model *model, const struct insn *insn)
{
    switch (insn->id) {
    case INSN_CPUID: return model->has_cpuid;
    case INSN_RDTSC: return cpu_model_has(model, FEATURE_TSC);
    case INSN_RDMSR:
    case INSN_WRMSR: return cpu_model_has(model, FEATURE_MSR);
    case INSN_CMPXCHG8B: return cpu_model_has(model, FEATURE_CX8);
    case INSN_SYSENTER:
    case INSN_SYSEXIT: return cpu_model_has(model, FEATURE_SEP);
    case INSN_CMOV: return cpu_model_has(model, FEATURE_CMOV);
    case INSN_CLFLUSH: return cpu_model_has(model, FEATURE_CLFSH);
    case INSN_FXSAVE:
    case INSN_FXRSTOR: return cpu_model_has(model, FEATURE_FXSR);
    case INSN_MOVBE: return cpu_model_has(model, FEATURE_MOVBE);
    case INSN_POPCNT: return cpu_model_has(model, FEATURE_POPCNT);
    case INSN_RDRAND: return cpu_model_has(model, FEATURE_RDRAND);
    default: break;
    }
    switch (insn->level) {
    case INSN_LEVEL_PENTIUM: return model->generation >= CPU_PENTIUM;
    case INSN_LEVEL_P6:
        return is_x87(insn) ? cpu_model_has(model, FEATURE_CMOV) : model->generation >= CPU_P6;
    case INSN_LEVEL_MMX: return cpu_model_has(model, FEATURE_MMX);
    case INSN_LEVEL_SSE: return cpu_model_has(model, FEATURE_SSE);
    case INSN_LEVEL_SSE2: return cpu_model_has(model, FEATURE_SSE2);
    case INSN_LEVEL_SSE3: return cpu_model_has(model, FEATURE_SSE3);
    case INSN_LEVEL_SSSE3: return cpu_model_has(model, FEATURE_SSSE3);
    case INSN_LEVEL_SSE41:
    case INSN_LEVEL_SSE42:
    case INSN_LEVEL_X86_64: return false;
    default: return true;
    }
}

static bool encoding_exists(const struct cpu_model *model, const struct insn *insn)
{
    switch (insn->level) {
    case INSN_LEVEL_8086: return true;
    case INSN_LEVEL_80186: return model->generation >= CPU_80186;
    case INSN_LEVEL_80286: return model->generation >= CPU_80286;
    case INSN_LEVEL_80386: return model->generation >= CPU_80386;
    case INSN_LEVEL_80486: return model->generation >= CPU_80486;
    default: return later_encoding_exists(model, insn);
    }
}

/* Any escape is the absent coprocessor's business. */
static bool is_for_absent_coprocessor(const struct cpu_model *model, const struct insn *insn)
{
    return !cpu_model_has(model, FEATURE_FPU) && is_x87(insn);
}

/* Before the 80386, 64h to 67h are no prefixes but opcodes that do not exist (the decoder itself knows what
 * they are on the 8086). An override without effect, FS or GS where there is no memory operand, goes
 * unnoticed. */
static bool prefixes_exist(const struct cpu_model *model, const struct insn *insn)
{
    if (model->generation >= CPU_80386 || model->generation == CPU_8086) {
        return true;
    }
    bool segment = (insn->prefixes & PREFIX_SEGMENT) &&
                   (insn->memory.segment == SEGMENT_FS || insn->memory.segment == SEGMENT_GS);
    return !segment && !(insn->prefixes & (PREFIX_OPERAND_SIZE | PREFIX_ADDRESS_SIZE));
}

/* LOCK is a #UD from the 80386 on unless the instruction reads and writes memory (SDM 2, LOCK); before that
 * it locks whatever follows. */
static bool lock_is_valid(const struct cpu_model *model, const struct insn *insn)
{
    if (!(insn->prefixes & PREFIX_LOCK) || model->generation < CPU_80386) {
        return true;
    }
    bool memory_destination = insn->operand[0].kind == OPERAND_MEMORY ||
                              (insn->id == INSN_XCHG && insn->operand[1].kind == OPERAND_MEMORY);
    return (insn_info((enum insn_id)insn->id)->properties & INSN_LOCKABLE) && memory_destination;
}

bool isa_has(const struct cpu_model *model, const struct insn *insn)
{
    return (encoding_exists(model, insn) || is_for_absent_coprocessor(model, insn)) &&
           prefixes_exist(model, insn) && lock_is_valid(model, insn);
}

struct decode_mode isa_decode_mode(const struct cpu_state *cpu)
{
    return (struct decode_mode){.code_size = cpu->code_size,
                                .is_8086 = cpu->model->generation == CPU_8086,
                                .max_length = cpu->model->max_insn_length};
}
