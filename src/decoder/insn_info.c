/* The rows of insn.def as data, for those who want them at run time. */
#include "decoder/insn.h"

const struct insn_info insn_infos[INSN_COUNT] = {
#define INSN(id, mnemonic, flags_read, flags_written, flags_undefined, properties)                           \
    [INSN_##id] = {mnemonic, flags_read, flags_written, flags_undefined, properties},
#include "decoder/insn.def"
#undef INSN
};
