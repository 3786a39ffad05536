/* One decoded x86 instruction, as data.
 *
 * Instructions are named in insn.def (one row each) and their encodings in opcodes_*.def (one row each, SDM
 * 2A §A.2 operand notation). Interpreter, translator, debugger and tests build their own [INSN_COUNT] tables
 * from the same rows. Nothing here knows guest state: the decoder maps bytes and mode to this structure and
 * stops there. */
#ifndef DOPPEL_DECODER_INSN_H
#define DOPPEL_DECODER_INSN_H

#include <stdbool.h>
#include <stdint.h>

/* Arithmetic flag bits as they stand in EFLAGS, for the flags columns of insn.def. */
enum insn_flag {
    INSN_FLAG_CF = 1u << 0,
    INSN_FLAG_PF = 1u << 2,
    INSN_FLAG_AF = 1u << 4,
    INSN_FLAG_ZF = 1u << 6,
    INSN_FLAG_SF = 1u << 7,
    INSN_FLAG_DF = 1u << 10,
    INSN_FLAG_OF = 1u << 11
};

/* Properties of an instruction (insn.def column). */
enum insn_property {
    INSN_SENSITIVE = 1u << 0,  /* Robin & Irvine's list: sensitive but not privileged */
    INSN_PRIVILEGED = 1u << 1, /* #GP unless CPL 0 (HLT, LGDT, MOV CR, …) */
    INSN_IO_SENSITIVE =
        1u << 2, /* depends on IOPL (CLI, STI, IN, OUT, INS, OUTS; PUSHF/POPF/INT n/IRET in V86) */
    INSN_LOCKABLE = 1u << 3, /* LOCK is allowed with a memory destination; otherwise #UD (80386 and later) */
    INSN_ENDS_BLOCK =
        1u << 4, /* control transfer, or changes state that later instructions of a block depend on */
    INSN_BRANCH = 1u << 5,      /* may set CS:EIP */
    INSN_CONDITIONAL = 1u << 6, /* depends on flags (Jcc, SETcc, CMOVcc) or on CX (LOOPcc, JCXZ) */
    INSN_STRING = 1u << 7,      /* takes REP/REPE/REPNE */
    INSN_X87 = 1u << 8,         /* subject to CR0.EM/TS/MP */
    INSN_MMX = 1u << 9,
    INSN_SSE = 1u << 10,
    INSN_FLAGS_BY_COUNT = 1u << 11 /* a zero count (shift, REP) leaves all flags as they were */
};

enum insn_id {
#define INSN(id, ...) INSN_##id,
#include "decoder/insn.def"
#undef INSN
    INSN_COUNT
};

/* The CPU generation an encoding first appeared in; the engines raise #UD for what the configured model
 * lacks. */
enum insn_level {
    INSN_LEVEL_8086,
    INSN_LEVEL_80186,
    INSN_LEVEL_80286,
    INSN_LEVEL_80386,
    INSN_LEVEL_80486,
    INSN_LEVEL_PENTIUM,
    INSN_LEVEL_P6, /* CMOVcc, FCMOVcc, FCOMI, UD2, RDPMC, SYSENTER by CPUID */
    INSN_LEVEL_MMX,
    INSN_LEVEL_SSE,
    INSN_LEVEL_SSE2,
    INSN_LEVEL_SSE3,
    INSN_LEVEL_SSSE3,
    INSN_LEVEL_SSE41,
    INSN_LEVEL_SSE42,
    INSN_LEVEL_X86_64, /* only in 64-bit mode or only on CPUs that have it */
    INSN_LEVEL_OTHER /* separate CPUID bit (MOVBE, POPCNT, RDRAND, LZCNT, ADX, CLFLUSH …): engine looks at the
                        id */
};

enum operand_kind {
    OPERAND_NONE,
    OPERAND_REGISTER,  /* operand.reg of operand.register_class */
    OPERAND_MEMORY,    /* insn.memory + insn.displacement; operand.reg is an enum operand_string */
    OPERAND_IMMEDIATE, /* insn.immediate; operand.reg 1: insn.immediate2 */
    OPERAND_RELATIVE,  /* branch target = next instruction + insn.immediate (sign-extended), cut to
                          operand.size bytes */
    OPERAND_FAR,       /* ptr16:16/32: offset insn.immediate, selector insn.immediate2 */
    OPERAND_CONSTANT   /* implied 1 (shift by one), 3 (INT3): value in operand.reg */
};

/* operand.reg of memory operands. For string instructions insn.memory describes the source (base SI, override
 * applied) where there is one; the destination is always ES:DI, with no override. STOS, SCAS and INS, which
 * have only that, have it in insn.memory. Other implied addresses are in insn.memory too: XLAT has base BX
 * (AL, zero-extended, is to be added), MASKMOVQ, MASKMOVDQU and MONITOR have no memory operand but base DI
 * and AX. */
enum operand_string { OPERAND_STRING_NONE, OPERAND_STRING_DESTINATION, OPERAND_STRING_SOURCE };

enum register_class {
    REGISTER_GPR8, /* reg 0..15: AL CL DL BL SPL BPL SIL DIL R8B…; with no REX prefix 4..7 are AH CH DH BH:
                      see REGISTER_GPR8_HIGH */
    REGISTER_GPR8_HIGH, /* reg 0..3: AH CH DH BH */
    REGISTER_GPR16,
    REGISTER_GPR32,
    REGISTER_GPR64,
    REGISTER_SEGMENT, /* enum segment_index order: ES CS SS DS FS GS */
    REGISTER_CONTROL,
    REGISTER_DEBUG,
    REGISTER_TEST,
    REGISTER_X87, /* ST(i) */
    REGISTER_MMX,
    REGISTER_XMM
};

/* Encoding order of the general registers and of the segment registers (SDM 2A table 2-1, 3.1.1.3). */
enum gpr_index {
    GPR_AX,
    GPR_CX,
    GPR_DX,
    GPR_BX,
    GPR_SP,
    GPR_BP,
    GPR_SI,
    GPR_DI,
    GPR_COUNT = 16,
    GPR_NONE = 16
};
enum segment_index { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS, SEGMENT_COUNT };

struct operand {
    uint8_t kind;           /* enum operand_kind */
    uint8_t register_class; /* enum register_class, for registers */
    uint8_t reg;            /* register number, or the constant */
    uint8_t size; /* in bytes: 1 2 4 6 8 10 16 28 94 108 512 …; 0: no size (LEA, INVLPG, prefetch). uint8_t:
                     0xff stands for 512 */
};

enum insn_prefix {
    PREFIX_LOCK = 1u << 0,
    PREFIX_REP = 1u << 1,          /* F3 that is not part of the opcode */
    PREFIX_REPNE = 1u << 2,        /* F2 that is not part of the opcode */
    PREFIX_OPERAND_SIZE = 1u << 3, /* 66 was present (whether or not it is part of the opcode) */
    PREFIX_ADDRESS_SIZE = 1u << 4, /* 67 was present */
    PREFIX_SEGMENT = 1u << 5,      /* a segment override was present, even one that 64-bit mode ignores */
    PREFIX_REX = 1u << 6           /* directly before the opcode */
};

struct insn_memory {
    uint8_t segment;   /* enum segment_index, override applied, default otherwise (SS for BP/SP bases) */
    uint8_t base;      /* enum gpr_index; GPR_NONE: none */
    uint8_t index;     /* enum gpr_index; GPR_NONE: none */
    uint8_t scale;     /* 0..3: shift count of the index */
    bool rip_relative; /* 64-bit mode: base is the address of the next instruction */
};

#define INSN_MAX_LENGTH   15
#define INSN_MAX_OPERANDS 4

struct insn {
    uint16_t id;           /* enum insn_id */
    uint8_t length;        /* bytes, all prefixes included */
    uint8_t operand_count; /* explicit and the implied ones the SDM lists in the mnemonic's operand columns */
    uint8_t operand_size;  /* effective operand size in bytes: 2, 4, 8 */
    uint8_t address_size;  /* effective address size in bytes: 2, 4, 8 */
    uint8_t code_size;     /* of the mode decoded in: 2, 4, 8 */
    uint8_t level;         /* enum insn_level of this encoding */
    uint8_t prefixes;      /* enum insn_prefix set */
    uint8_t prefix_length; /* bytes of legacy and REX prefixes */
    uint8_t map;           /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
    uint8_t opcode;        /* last opcode byte (after the map's escape) */
    uint8_t modrm;         /* raw ModRM byte, if has_modrm */
    bool has_modrm;
    uint8_t condition;         /* 0..15 for Jcc/SETcc/CMOVcc (one insn_id each: J, SET, CMOV), otherwise 0 */
    struct insn_memory memory; /* of the ModRM/moffs/XLAT/string operand */
    struct operand operand[INSN_MAX_OPERANDS];
    int64_t displacement; /* sign-extended; moffs: the whole offset, zero-extended */
    uint64_t immediate;   /* sign-extended to 64 bits when the SDM sign-extends it, otherwise zero-extended */
    uint32_t immediate2;  /* ENTER's level, far pointer's selector */
};

/* A row of insn.def, for those who want it at run time. */
struct insn_info {
    const char *mnemonic;     /* lower case, Intel; conditions without their suffix ("j", "set", "cmov") */
    uint16_t flags_read;      /* enum insn_flag set */
    uint16_t flags_written;   /* defined afterwards */
    uint16_t flags_undefined; /* may change to anything */
    uint32_t properties;      /* enum insn_property set */
};

extern const struct insn_info insn_infos[INSN_COUNT];

static inline const struct insn_info *insn_info(enum insn_id id)
{
    return &insn_infos[id];
}

#endif
