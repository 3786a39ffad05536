/* What the readers of symbol files fill. Private to symbols*.c. */
#ifndef DOPPEL_DEBUGGER_SYMBOLS_INTERNAL_H
#define DOPPEL_DEBUGGER_SYMBOLS_INTERNAL_H

#include "debugger/symbols.h"

/* Symbols whose names point into `text`. */
struct symbol_list {
    struct symbol *items;
    size_t count, capacity;
    char *text; /* allocated; what the names point into */
    uint64_t offset;
    bool out_of_memory;
};

/* Adds one; left out are empty names, and addresses beyond 32 bits (before or after `offset` is added). */
void symbol_list_add(struct symbol_list *list, struct symbol symbol);

/* The symbols of an ELF file. */
struct status symbols_read_elf(const uint8_t *bytes, size_t length, struct symbol_list *list);

/* The symbols of a text; it is never wrong, at worst it has none. */
void symbols_read_text(const uint8_t *bytes, size_t length, struct symbol_list *list);

#endif
