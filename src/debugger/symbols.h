/* Names for addresses of the guest, from files: what a linker or a kernel wrote down.
 *
 * Formats, recognized by their content:
 *   ELF      32-bit little-endian i386 with a symbol table (.symtab, else .dynsym): vmlinux, multiboot
 * kernels text     lines of `nm`, System.map and /proc/kallsyms (ADDRESS TYPE NAME, nm -S with a size
 * between), plain ADDRESS NAME, and of linkers' MAP files for real mode (SEGMENT:OFFSET NAME, the word Abs
 * between); other lines are passed over Addresses are linear; those beyond 32 bits are left out. Every file
 * may be moved by an offset.
 *
 * NOT IMPLEMENTED: debug information (DWARF, CodeView): no lines, no types. */
#ifndef DOPPEL_DEBUGGER_SYMBOLS_H
#define DOPPEL_DEBUGGER_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct symbols;

struct symbol {
    uint64_t address;
    const char *name;
    uint32_t size; /* in bytes; 0: unknown */
    uint16_t file; /* which load it came by */
    uint8_t rank;  /* among those of one address the lowest is shown */
};

/* Beyond this, an address does not belong to a symbol of unknown size any more. */
#define SYMBOLS_REACH 0x10000u

/* NULL when out of memory. */
struct symbols *symbols_create(void);
void symbols_destroy(struct symbols *symbols);

/* Adds the symbols of the file `path`, `offset` added to their addresses; *count is how many. Errors: the
 * file cannot be read, contradicts itself or holds no symbols; nothing has changed then. */
struct status symbols_load(struct symbols *symbols, const char *path, uint64_t offset,
                           size_t *count) STATUS_MUST_CHECK;

/* The same with the contents of a file; `path` is what it is called. */
struct status symbols_parse(struct symbols *symbols, const char *path, const uint8_t *bytes, size_t length,
                            uint64_t offset, size_t *count) STATUS_MUST_CHECK;

/* Whether a file that begins with these bytes is an ELF file. */
bool symbols_is_elf(const uint8_t *bytes, size_t length);

/* Forgets what `path` brought; NULL: everything. False: there was nothing of the kind. */
bool symbols_unload(struct symbols *symbols, const char *path);

/* The address of the symbol with exactly this name; of several the one with the lowest address. */
bool symbols_find_name(const struct symbols *symbols, const char *name, size_t length, uint64_t *address);

/* The symbol that `address` lies in, NULL: none. `symbols` may be NULL. */
const struct symbol *symbols_find_address(const struct symbols *symbols, uint64_t address);

/* "name", "name+0x12", or "" into `text`, which is returned. */
const char *symbols_describe(const struct symbols *symbols, uint64_t address, char *text, size_t size);

size_t symbols_count(const struct symbols *symbols);
/* The n-th symbol by address, and by name (for completion: all that begin alike stand together). */
const struct symbol *symbols_at(const struct symbols *symbols, size_t n);
const struct symbol *symbols_by_name(const struct symbols *symbols, size_t n);
/* The first n of symbols_by_name() whose name is not below `prefix`. */
size_t symbols_first_by_name(const struct symbols *symbols, const char *prefix);

/* The n-th file with its number of symbols; NULL past the end. */
const char *symbols_file(const struct symbols *symbols, size_t n, size_t *count, uint64_t *offset);

#endif
