/* Which engine runs a guest, and how: the choices of the command line as the modules below it see them.
 *
 * The choices and their names are rows of engine_choice.def; parsing, messages and `info engine` come from
 * there. A configuration of zeros is the interpreter over the software TLB. */
#ifndef DOPPEL_CPU_ENGINE_CONFIG_H
#define DOPPEL_CPU_ENGINE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum engine_kind {
#define ENGINE_CHOICE(symbol, name, text) ENGINE_##symbol,
#include "cpu/engine_choice.def"
    ENGINE_KIND_COUNT
};

/* How linear addresses become physical ones. Without a translator MMU_SHADOW and MMU_ADAPTIVE are
 * MMU_SOFTTLB. */
enum mmu_strategy {
#define MMU_CHOICE(symbol, name, text) MMU_##symbol,
#include "cpu/engine_choice.def"
    MMU_STRATEGY_COUNT
};

/* What the translator makes of instructions that are sensitive but not privileged (Robin & Irvine's list). */
enum sensitive_strategy {
#define SENSITIVE_CHOICE(symbol, name, text) SENSITIVE_##symbol,
#include "cpu/engine_choice.def"
    SENSITIVE_STRATEGY_COUNT
};

#define ENGINE_TB_SIZE_DEFAULT 128u  /* MiB */
#define ENGINE_TB_SIZE_MAX     1024u /* MiB */
#define ENGINE_TB_WARM_DEFAULT 16u
#define ENGINE_TB_WARM_MAX     255u

struct engine_config {
    enum engine_kind kind;
    enum mmu_strategy mmu;
    /* The interpreter does not note the x87's pointers and opcode, as translated code does not: for comparing
     * the two, since FSAVE and FXSAVE put them into memory. */
    bool ignores_x87_pointers;
    /* For the translator only: */
    enum sensitive_strategy sensitive;
    bool unchained; /* every translated block returns to the dispatcher */
    unsigned
        tb_size_mib; /* memory for translated code, up to ENGINE_TB_SIZE_MAX; 0: ENGINE_TB_SIZE_DEFAULT */
    uint8_t tb_warm; /* how often a block is left to the interpreter before it is translated */
};

/* The axes, for parsing and printing. */
enum engine_axis { ENGINE_AXIS_ENGINE, ENGINE_AXIS_MMU, ENGINE_AXIS_SENSITIVE, ENGINE_AXIS_COUNT };

/* "engine", "mmu", "sensitive". */
const char *engine_axis_name(enum engine_axis axis);

/* Name of the choice `value` of an axis (one of the enumerations above); NULL past the last one. */
const char *engine_choice_name(enum engine_axis axis, unsigned value);
const char *engine_choice_text(enum engine_axis axis, unsigned value);

/* False: there is no choice of that name. */
bool engine_choice_find(enum engine_axis axis, const char *name, unsigned *value);

#endif
