/* Fuzzes the readers of symbol files: lines of text and ELF. Whatever is accepted can be looked up by name
 * and by address, and goes again without a trace. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/symbols.h"
#include "fuzz_input.h"

#define FILE_SIZE 1024u

/* An ELF header that leads somewhere, so that the rest is reached; the input chooses where. */
static void make_elf(struct fuzz_input *input, uint8_t file[FILE_SIZE])
{
    for (size_t i = 0; i < FILE_SIZE; i++) {
        file[i] = fuzz_byte(input);
    }
    memcpy(file,
           "\x7f"
           "ELF\1\1\1",
           7);
    store_le16(file + 18, 3);
    store_le32(file + 32, 52);
    store_le16(file + 46, 40);
    store_le16(file + 48, file[48] & 7);
    for (size_t i = 0; i < 7; i++) {
        uint8_t *section = file + 52 + 40 * i;
        store_le32(section + 4, section[4] & 3);
        store_le32(section + 16, load_le16(section + 16) & (section[5] & 1 ? 0xfff : 0x1ff));
        store_le32(section + 20, load_le16(section + 20) & (section[5] & 2 ? 0xfff : 0x1ff));
        store_le32(section + 24, section[24] & 7);
        store_le32(section + 36, section[36] & 1 ? 16 : section[36]);
    }
}

static void make_text(struct fuzz_input *input, uint8_t file[FILE_SIZE])
{
    static const char letters[] = "0123456789abcdefTtDdUAx: \n\t_.$";
    for (size_t i = 0; i < FILE_SIZE; i++) {
        uint8_t byte = fuzz_byte(input);
        file[i] = byte < 0xf0 ? (uint8_t)letters[byte % (sizeof letters - 1)] : byte;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.bytes = data, .left = size};
    uint8_t file[FILE_SIZE];
    struct symbols *symbols = symbols_create();
    const uint8_t *bytes = file;
    size_t length = FILE_SIZE, count;
    switch (fuzz_byte(&input) % 3) {
    case 0: make_elf(&input, file); break;
    case 1: make_text(&input, file); break;
    default:
        bytes = input.bytes;
        length = input.left;
        break;
    }
    uint8_t *exact = malloc(length + 1);
    memcpy(exact, bytes, length);
    struct status status = symbols_parse(symbols, "file", exact, length, fuzz_byte(&input), &count);
    assert(status_is_ok(&status) == (count > 0) && count == symbols_count(symbols));
    free(exact);
    for (size_t i = 0; i < count; i++) {
        const struct symbol *symbol = symbols_at(symbols, i);
        uint64_t address = 0;
        char text[32];
        assert(symbol->address <= UINT32_MAX && symbol->name[0] != '\0');
        assert(symbols_find_name(symbols, symbol->name, strlen(symbol->name), &address));
        assert(address <= symbol->address);
        assert(symbols_describe(symbols, symbol->address, text, sizeof text)[0] != '\0');
    }
    assert(symbols_unload(symbols, "file") == (count > 0));
    symbols_destroy(symbols);
    return 0;
}
