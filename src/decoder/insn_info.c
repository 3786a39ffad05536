/* The rows of insn.def as data, for those who want them at run time. */
#include "decoder/insn.h"

#include <assert.h>

static const struct insn_info insn_infos[INSN_COUNT] = {
#define INSN(id, mnemonic, flags_read, flags_written, flags_undefined, properties)                           \
    [INSN_##id] = {mnemonic, flags_read, flags_written, flags_undefined, properties},
#include "decoder/insn.def"
#undef INSN
};

const struct insn_info *insn_info(enum insn_id id)
{
    assert(id < INSN_COUNT);
    return &insn_infos[id];
}
