/* Fuzzes the decoder: any bytes in any mode decode without a bad access, the same way twice, and consistently
 * when bytes are missing. The first input byte picks the mode, the rest is code. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder.h"
#include "fuzz_input.h"

static const struct decode_mode modes[] = {
    {.code_size = 2},
    {.code_size = 4},
    {.code_size = 8},
    {.code_size = 2, .is_8086 = true},
    {.code_size = 2, .max_length = 10},
};

static void check_insn(const struct decode_mode *mode, const struct insn *insn)
{
    assert(insn->id > INSN_INVALID && insn->id < INSN_COUNT);
    assert(insn->length >= 1 && insn->length <= INSN_MAX_LENGTH);
    assert(mode->max_length == 0 || insn->length <= mode->max_length);
    assert(insn->prefix_length < insn->length);
    assert(insn->operand_size == 2 || insn->operand_size == 4 || insn->operand_size == 8);
    assert(insn->address_size == 2 || insn->address_size == 4 || insn->address_size == 8);
    assert(insn->code_size == 8 || (insn->operand_size < 8 && insn->address_size < 8));
    assert(insn->memory.segment < SEGMENT_COUNT);
    assert(insn->memory.base <= GPR_NONE && insn->memory.index <= GPR_NONE && insn->memory.scale < 4);
    for (unsigned i = 0; i < INSN_MAX_OPERANDS; i++) {
        const struct operand *operand = &insn->operand[i];
        assert((operand->kind != OPERAND_NONE) == (i < insn->operand_count));
        assert(operand->kind != OPERAND_REGISTER || operand->reg < GPR_COUNT);
        assert(operand->kind != OPERAND_REGISTER || operand->register_class != REGISTER_SEGMENT ||
               operand->reg < SEGMENT_COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const struct decode_mode *mode = &modes[data[0] % (sizeof modes / sizeof modes[0])];
    size--;
    uint8_t *bytes = malloc(size); /* exactly as long, so that the sanitizer sees any byte too many */
    memcpy(bytes, data + 1, size);
    struct insn insn;
    struct insn again;
    memset(&insn, 0, sizeof insn);
    memset(&again, 0, sizeof again);
    enum decode_result result = decoder_decode(mode, bytes, size, &insn);
    assert(decoder_decode(mode, bytes, size, &again) == result);
    if (result == DECODE_OK) {
        assert(memcmp(&insn, &again, sizeof insn) == 0);
        assert(insn.length <= size);
        check_insn(mode, &insn);
    } else if (result == DECODE_INVALID) {
        assert(insn.id == INSN_INVALID && insn.length >= 1 && insn.length <= size);
    } else if (result == DECODE_TRUNCATED) {
        assert(size < INSN_MAX_LENGTH);
    }
    for (size_t available = 0; available < size; available++) {
        enum decode_result partial = decoder_decode(mode, bytes, available, &again);
        bool is_complete = result <= DECODE_INVALID && available >= insn.length;
        if (is_complete) {
            assert(partial == result);
        } else {
            assert(partial == DECODE_TRUNCATED || (result == DECODE_TOO_LONG && partial == DECODE_TOO_LONG));
        }
    }
    free(bytes);
    return 0;
}
