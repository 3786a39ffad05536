/* See disassembly.h. */
#include "debugger/disassembly.h"

#ifdef DOPPEL_HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

#define LOG_BYTES_PER_LINE 8u

#ifdef DOPPEL_HAVE_CAPSTONE
bool disassembly_is_there(void)
{
    return true;
}

static bool fill_in(enum disassembly_syntax syntax, unsigned bits, uint64_t address, const uint8_t *bytes,
                    size_t length, struct disassembly *text)
{
    csh handle;
    cs_insn *insn = NULL;
    if (cs_open(CS_ARCH_X86,
                bits == 16   ? CS_MODE_16
                : bits == 32 ? CS_MODE_32
                             : CS_MODE_64,
                &handle) != CS_ERR_OK) {
        return false;
    }
    if (syntax == DISASSEMBLY_ATT) {
        cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
    }
    bool known = cs_disasm(handle, bytes, length, address, 1, &insn) == 1;
    if (known) {
        text->length = insn->size;
        snprintf(text->mnemonic, sizeof text->mnemonic, "%s", insn->mnemonic);
        snprintf(text->operands, sizeof text->operands, "%.*s", (int)sizeof text->operands - 1, insn->op_str);
        cs_free(insn, 1);
    }
    cs_close(&handle);
    return known;
}
#else
bool disassembly_is_there(void)
{
    return false;
}

static bool fill_in(enum disassembly_syntax syntax, unsigned bits, uint64_t address, const uint8_t *bytes,
                    size_t length, struct disassembly *text)
{
    (void)syntax, (void)bits, (void)address, (void)bytes, (void)length, (void)text;
    return false;
}
#endif

struct disassembly disassembly_of(enum disassembly_syntax syntax, unsigned bits, uint64_t address,
                                  const uint8_t *bytes, size_t length)
{
    struct disassembly text = {.length = 1, .mnemonic = "(bad)"};
    fill_in(syntax, bits, address, bytes, length, &text);
    return text;
}

static unsigned log_bytes(FILE *sink, uint64_t address, const uint8_t *bytes, unsigned from, unsigned end)
{
    unsigned last = end - from < LOG_BYTES_PER_LINE ? end : from + LOG_BYTES_PER_LINE;
    fprintf(sink, "0x%08llx: ", (unsigned long long)(address + from));
    for (unsigned i = from; i < last; i++) {
        fprintf(sink, " %02x", bytes[i]);
    }
    return last;
}

void disassembly_log(FILE *sink, uint64_t address, const uint8_t *bytes, size_t length, unsigned bits)
{
    for (size_t at = 0; at < length;) {
        const struct disassembly text =
            disassembly_of(DISASSEMBLY_ATT, bits, address + at, bytes + at, length - at);
        unsigned shown = log_bytes(sink, address + at, bytes + at, 0, text.length);
        fprintf(sink, "%*s  %-8s %s\n", (int)((LOG_BYTES_PER_LINE - shown) * 3), "", text.mnemonic,
                text.operands);
        while (shown < text.length) {
            shown = log_bytes(sink, address + at, bytes + at, shown, text.length);
            fputc('\n', sink);
        }
        at += text.length;
    }
}
