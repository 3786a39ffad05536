/* Symbols of ELF files (System V ABI, chapter 4: "Object Files", and its i386 supplement). Nothing in a file
 * is believed before it has been compared with the file's size. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/symbols_internal.h"

/* Offsets of fields, by which headers are read whatever the host's byte order is. */
enum {
    EHDR_TYPE = 16,
    EHDR_MACHINE = 18,
    EHDR_SHOFF = 32,
    EHDR_SHENTSIZE = 46,
    EHDR_SHNUM = 48,
    EHDR_SIZE = 52
};
enum { SHDR_TYPE = 4, SHDR_OFFSET = 16, SHDR_SIZE = 20, SHDR_LINK = 24, SHDR_ENTSIZE = 36, SHDR_BYTES = 40 };
enum { SYM_NAME = 0, SYM_VALUE = 4, SYM_SIZE = 8, SYM_INFO = 12, SYM_SHNDX = 14, SYM_BYTES = 16 };

struct section {
    uint32_t type, offset, size, link, entry_size;
};

struct elf {
    const uint8_t *bytes;
    size_t length;
    uint32_t table;
    uint32_t count;
};

bool symbols_is_elf(const uint8_t *bytes, size_t length)
{
    return length >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

static bool lies_in(size_t length, uint64_t offset, uint64_t size)
{
    return offset <= length && size <= length - offset;
}

/* Section `number`, which is below elf->count. False: it lies beyond the file's end. */
static bool read_section(const struct elf *elf, uint32_t number, struct section *section)
{
    const uint8_t *header = elf->bytes + elf->table + (size_t)number * SHDR_BYTES;
    *section = (struct section){.type = load_le32(header + SHDR_TYPE),
                                .offset = load_le32(header + SHDR_OFFSET),
                                .size = load_le32(header + SHDR_SIZE),
                                .link = load_le32(header + SHDR_LINK),
                                .entry_size = load_le32(header + SHDR_ENTSIZE)};
    return lies_in(elf->length, section->offset, section->size);
}

static struct status open_elf(struct elf *elf)
{
    const uint8_t *bytes = elf->bytes;
    if (elf->length < EHDR_SIZE || bytes[EI_CLASS] != ELFCLASS32 || bytes[EI_DATA] != ELFDATA2LSB ||
        load_le16(bytes + EHDR_MACHINE) != EM_386) {
        return status_error(STATUS_UNSUPPORTED, "not an ELF file for the i386");
    }
    elf->table = load_le32(bytes + EHDR_SHOFF);
    elf->count = load_le16(bytes + EHDR_SHNUM);
    if (elf->table == 0 || elf->count == 0) {
        return status_error(STATUS_NOT_FOUND, "an ELF file without sections has no symbols");
    }
    if (load_le16(bytes + EHDR_SHENTSIZE) != SHDR_BYTES ||
        !lies_in(elf->length, elf->table, (uint64_t)elf->count * SHDR_BYTES)) {
        return status_error(STATUS_CORRUPT, "the ELF file's section table lies outside of it");
    }
    return status_ok();
}

static struct status find_table(const struct elf *elf, uint32_t type, struct section *table,
                                struct section *names)
{
    for (uint32_t i = 0; i < elf->count; i++) {
        bool inside = read_section(elf, i, table);
        if (table->type != type) {
            continue;
        }
        if (!inside || table->entry_size != SYM_BYTES || table->link >= elf->count ||
            !read_section(elf, table->link, names) || names->type != SHT_STRTAB || names->size == 0) {
            return status_error(STATUS_CORRUPT, "the ELF file's symbol table contradicts its sections");
        }
        return status_ok();
    }
    return status_error(STATUS_NOT_FOUND, "the ELF file has no symbol table");
}

/* Functions before data before labels, global before local. */
static uint8_t rank_of(uint8_t info)
{
    unsigned type = ELF32_ST_TYPE(info);
    unsigned rank = type == STT_FUNC ? 0 : type == STT_OBJECT ? 2 : 4;
    return (uint8_t)(rank + (ELF32_ST_BIND(info) == STB_LOCAL ? 1 : 0));
}

struct status symbols_read_elf(const uint8_t *bytes, size_t length, struct symbol_list *list)
{
    struct elf elf = {.bytes = bytes, .length = length};
    struct section table = {0}, names = {0};
    struct status status = open_elf(&elf);
    if (status_is_ok(&status)) {
        status = find_table(&elf, SHT_SYMTAB, &table, &names);
        if (status.code == STATUS_NOT_FOUND) {
            status = find_table(&elf, SHT_DYNSYM, &table, &names);
        }
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    list->text = malloc((size_t)names.size + 1);
    if (list->text == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    memcpy(list->text, bytes + names.offset, names.size);
    list->text[names.size] = '\0';
    for (uint32_t at = 0; at + SYM_BYTES <= table.size; at += SYM_BYTES) {
        const uint8_t *entry = bytes + table.offset + at;
        const uint8_t info = entry[SYM_INFO];
        const uint32_t name = load_le32(entry + SYM_NAME);
        const unsigned type = ELF32_ST_TYPE(info);
        if (name < names.size && type <= STT_FUNC && load_le16(entry + SYM_SHNDX) != SHN_UNDEF) {
            symbol_list_add(list, (struct symbol){.address = load_le32(entry + SYM_VALUE),
                                                  .name = list->text + name,
                                                  .size = load_le32(entry + SYM_SIZE),
                                                  .rank = rank_of(info)});
        }
    }
    return status_ok();
}
