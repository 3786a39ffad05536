/* Prints how many instructions per second the decoder decodes, over the code of a real program.
 *
 * Not a test (a time is not a property). Usage: decoder-speed [ELF file] [rounds]; without a file, itself.
 * The stream is the file's executable section .text in address order; decoding restarts one byte further
 * where there is no instruction. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "decoder/decoder.h"

struct code {
    uint8_t *bytes;
    size_t size;
    uint8_t code_size;
};

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return NULL;
    }
    uint8_t *data = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long end = ftell(file);
        rewind(file);
        if (end > 0) {
            *size = (size_t)end;
            data = malloc(*size);
            if (data && fread(data, 1, *size, file) != *size) {
                free(data);
                data = NULL;
            }
        }
    }
    fclose(file);
    return data;
}

/* The .text of an ELF image; size 0 if it has none. The two classes differ in the width of addresses. */
static struct code find_text(uint8_t *data, size_t size)
{
    bool is_64 = data[EI_CLASS] == ELFCLASS64;
    unsigned word = is_64 ? 8 : 4;
    struct code code = {NULL, 0, (uint8_t)word};
    uint8_t *sections = data + load_le(data + (is_64 ? 0x28 : 0x20), word);
    unsigned entry_size = load_le16(data + (is_64 ? 0x3a : 0x2e));
    unsigned count = load_le16(data + (is_64 ? 0x3c : 0x30));
    const uint8_t *name_section = sections + entry_size * load_le16(data + (is_64 ? 0x3e : 0x32));
    const char *names = (const char *)data + load_le(name_section + (is_64 ? 0x18 : 0x10), word);
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *section = sections + entry_size * i;
        uint64_t offset = load_le(section + (is_64 ? 0x18 : 0x10), word);
        if (strcmp(names + load_le32(section), ".text") == 0 && offset < size) {
            code.bytes = data + offset;
            code.size = (size_t)load_le(section + (is_64 ? 0x20 : 0x14), word);
        }
    }
    return code;
}

/* CPU time of this process: what other load takes does not count. */
static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : argv[0];
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 20;
    size_t size = 0;
    uint8_t *data = read_file(path, &size);
    if (!data || size < sizeof(Elf64_Ehdr) || memcmp(data, ELFMAG, SELFMAG) != 0) {
        fprintf(stderr, "%s: not a readable ELF file\n", path);
        free(data);
        return 1;
    }
    struct code code = find_text(data, size);
    struct decode_mode mode = {.code_size = code.code_size};
    uint64_t decoded = 0;
    uint64_t failed = 0;
    uint64_t check = 0;
    double start = seconds_now();
    for (unsigned long round = 0; round < rounds; round++) {
        for (size_t at = 0; at < code.size;) {
            struct insn insn;
            if (decoder_decode(&mode, code.bytes + at, code.size - at, &insn) == DECODE_OK) {
                at += insn.length;
                check += insn.id + (uint64_t)insn.operand[0].reg;
                decoded++;
            } else {
                at++;
                failed++;
            }
        }
    }
    double seconds = seconds_now() - start;
    printf("%s: %u-bit, %zu bytes of code; %.1f M instructions/s, %.1f ns each, %.3f%% undecodable (check "
           "%llx)\n",
           path, code.code_size * 8u, code.size, (double)decoded / seconds / 1e6,
           seconds * 1e9 / (double)decoded, 100.0 * (double)failed / (double)(decoded + failed),
           (unsigned long long)check);
    free(data);
    return 0;
}
