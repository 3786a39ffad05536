/* The table of all symbols: one array by address, one of pointers by name, made anew when a file comes or
 * goes. */
#include "debugger/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "debugger/symbols_internal.h"

#define FILE_MAX (GIB) /* a kernel with debug information has some hundred MiB */

#define NESTED_MAX 8 /* symbols that may lie within another one before an address behind them */

struct symbol_file {
    char *path;
    char *text; /* what names point into */
    size_t count;
    uint64_t offset;
    uint16_t id;
};

struct symbols {
    struct symbol *items; /* by address, then rank, then name */
    const struct symbol **by_name;
    size_t count;
    struct symbol_file *files;
    size_t file_count;
    uint16_t next_id;
};

struct symbols *symbols_create(void)
{
    return calloc(1, sizeof(struct symbols));
}

void symbols_destroy(struct symbols *symbols)
{
    if (symbols != NULL) {
        symbols_unload(symbols, NULL);
        free(symbols->items);
        free(symbols->by_name);
        free(symbols->files);
        free(symbols);
    }
}

/* ---- loading */

void symbol_list_add(struct symbol_list *list, struct symbol symbol)
{
    if (symbol.name[0] == '\0' || symbol.address > UINT32_MAX) {
        return;
    }
    symbol.address += list->offset;
    if (symbol.address > UINT32_MAX) {
        return;
    }
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 64;
        struct symbol *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            list->out_of_memory = true;
            return;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = symbol;
}

static int compare_addresses(const void *left, const void *right)
{
    const struct symbol *a = left, *b = right;
    if (a->address != b->address) {
        return a->address < b->address ? -1 : 1;
    }
    return a->rank != b->rank ? (a->rank < b->rank ? -1 : 1) : strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right)
{
    const struct symbol *a = *(const struct symbol *const *)left, *b = *(const struct symbol *const *)right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : a->address < b->address ? -1 : a->address > b->address;
}

/* Puts the arrays in order after their contents have changed. */
static void sort(struct symbols *symbols)
{
    if (symbols->count == 0) {
        return;
    }
    qsort(symbols->items, symbols->count, sizeof symbols->items[0], compare_addresses);
    for (size_t i = 0; i < symbols->count; i++) {
        symbols->by_name[i] = &symbols->items[i];
    }
    qsort(symbols->by_name, symbols->count, sizeof symbols->by_name[0], compare_names);
}

/* Takes over the list and its text. False: out of memory, and they are still the caller's. */
static bool add_file(struct symbols *symbols, const char *path, const struct symbol_list *list)
{
    size_t count = symbols->count + list->count;
    struct symbol *items = realloc(symbols->items, count * sizeof *items);
    symbols->items = items != NULL ? items : symbols->items;
    const struct symbol **by_name = realloc(symbols->by_name, count * sizeof *by_name);
    symbols->by_name = by_name != NULL ? by_name : symbols->by_name;
    struct symbol_file *files = realloc(symbols->files, (symbols->file_count + 1) * sizeof *files);
    symbols->files = files != NULL ? files : symbols->files;
    char *copy = strdup(path);
    if (items == NULL || by_name == NULL || files == NULL || copy == NULL) {
        sort(symbols);
        free(copy);
        return false;
    }
    const uint16_t id = symbols->next_id++;
    files[symbols->file_count++] = (struct symbol_file){
        .path = copy, .text = list->text, .count = list->count, .offset = list->offset, .id = id};
    for (size_t i = 0; i < list->count; i++) {
        items[symbols->count] = list->items[i];
        items[symbols->count++].file = id;
    }
    sort(symbols);
    return true;
}

static struct status named(struct status status, const char *path)
{
    return status_error(status.code, "%.120s: %.120s", path, status.message);
}

static bool all_are_zero(const struct symbol_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].address != list->offset) {
            return false;
        }
    }
    return true;
}

struct status symbols_parse(struct symbols *symbols, const char *path, const uint8_t *bytes, size_t length,
                            uint64_t offset, size_t *count)
{
    struct symbol_list list = {.offset = offset};
    struct status status = status_ok();
    if (symbols_is_elf(bytes, length)) {
        status = symbols_read_elf(bytes, length, &list);
    } else if (memchr(bytes, '\0', length) == NULL) {
        symbols_read_text(bytes, length, &list);
    } /* else it is no text, whatever some of it may look like */
    if (status_is_ok(&status) && !list.out_of_memory &&
        (list.count == 0 || (list.count > 1 && all_are_zero(&list)))) {
        status =
            status_error(STATUS_NOT_FOUND,
                         list.count == 0 ? "no symbols (expected ELF, System.map, nm or SEGMENT:OFFSET lines)"
                                         : "all addresses are zero");
    }
    if (status_is_ok(&status) && (list.out_of_memory || !add_file(symbols, path, &list))) {
        status = status_error(STATUS_NO_MEMORY, "out of memory");
    }
    *count = status_is_ok(&status) ? list.count : 0;
    free(list.items);
    if (!status_is_ok(&status)) {
        free(list.text);
        return named(status, path);
    }
    return status;
}

/* The whole of a file, allocated. */
static struct status read_file(FILE *file, const char *path, uint8_t **bytes, size_t *length)
{
    struct stat about;
    if (fstat(fileno(file), &about) != 0) {
        return status_from_errno(errno, "cannot read %s", path);
    }
    if (S_ISDIR(about.st_mode)) {
        return status_error(STATUS_IO_ERROR, "%s is a directory", path);
    }
    size_t capacity =
        about.st_size > 0 && (uint64_t)about.st_size < FILE_MAX ? (size_t)about.st_size + 1 : 65536;
    *bytes = NULL;
    *length = 0;
    for (;;) {
        uint8_t *larger = realloc(*bytes, capacity);
        if (larger == NULL) {
            return status_error(STATUS_NO_MEMORY, "out of memory");
        }
        *bytes = larger;
        *length += fread(*bytes + *length, 1, capacity - *length, file);
        if (ferror(file)) {
            return status_from_errno(errno, "cannot read %s", path);
        }
        if (*length < capacity) {
            return status_ok();
        }
        if (capacity > FILE_MAX) {
            return status_error(STATUS_UNSUPPORTED, "%s is larger than 1 GiB", path);
        }
        capacity *= 2;
    }
}

struct status symbols_load(struct symbols *symbols, const char *path, uint64_t offset, size_t *count)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    *count = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return status_from_errno(errno, "cannot read %s", path);
    }
    struct status status = read_file(file, path, &bytes, &length);
    fclose(file);
    if (status_is_ok(&status)) {
        status = symbols_parse(symbols, path, bytes, length, offset, count);
    }
    free(bytes);
    return status;
}

static void drop_file(struct symbols *symbols, size_t n)
{
    const struct symbol_file gone = symbols->files[n];
    size_t kept = 0;
    for (size_t i = 0; i < symbols->count; i++) {
        if (symbols->items[i].file != gone.id) {
            symbols->items[kept++] = symbols->items[i];
        }
    }
    symbols->count = kept;
    symbols->file_count--;
    memmove(&symbols->files[n], &symbols->files[n + 1], (symbols->file_count - n) * sizeof symbols->files[0]);
    free(gone.path);
    free(gone.text);
}

bool symbols_unload(struct symbols *symbols, const char *path)
{
    bool found = false;
    for (size_t n = symbols->file_count; n-- > 0;) {
        if (path == NULL || strcmp(symbols->files[n].path, path) == 0) {
            drop_file(symbols, n);
            found = true;
        }
    }
    sort(symbols);
    return found;
}

/* ---- looking up */

/* As strcmp(), for a name of `length` bytes. */
static int compare_to(const char *name, size_t length, const char *other)
{
    int order = strncmp(name, other, length);
    return order != 0 ? order : other[length] != '\0' ? -1 : 0;
}

static size_t first_by_name(const struct symbols *symbols, const char *name, size_t length)
{
    size_t low = 0, high = symbols->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_to(name, length, symbols->by_name[middle]->name) > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t symbols_first_by_name(const struct symbols *symbols, const char *prefix)
{
    return first_by_name(symbols, prefix, strlen(prefix));
}

bool symbols_find_name(const struct symbols *symbols, const char *name, size_t length, uint64_t *address)
{
    size_t n = first_by_name(symbols, name, length);
    if (n == symbols->count || compare_to(name, length, symbols->by_name[n]->name) != 0) {
        return false;
    }
    *address = symbols->by_name[n]->address;
    return true;
}

const struct symbol *symbols_find_address(const struct symbols *symbols, uint64_t address)
{
    if (symbols == NULL) {
        return NULL;
    }
    size_t low = 0, high = symbols->count; /* the first above `address` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols->items[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (unsigned tries = 0; tries < NESTED_MAX && low > 0; tries++) {
        size_t n = low - 1;
        while (n > 0 && symbols->items[n - 1].address == symbols->items[n].address) {
            n--;
        }
        const struct symbol *symbol = &symbols->items[n];
        if (address - symbol->address < (symbol->size != 0 ? symbol->size : SYMBOLS_REACH)) {
            return symbol;
        }
        low = n;
    }
    return NULL;
}

const char *symbols_describe(const struct symbols *symbols, uint64_t address, char *text, size_t size)
{
    const struct symbol *symbol = symbols_find_address(symbols, address);
    if (symbol == NULL) {
        text[0] = '\0';
    } else if (symbol->address == address) {
        snprintf(text, size, "%s", symbol->name);
    } else {
        snprintf(text, size, "%s+0x%llx", symbol->name, (unsigned long long)(address - symbol->address));
    }
    return text;
}

size_t symbols_count(const struct symbols *symbols)
{
    return symbols->count;
}

const struct symbol *symbols_at(const struct symbols *symbols, size_t n)
{
    return &symbols->items[n];
}

const struct symbol *symbols_by_name(const struct symbols *symbols, size_t n)
{
    return symbols->by_name[n];
}

const char *symbols_file(const struct symbols *symbols, size_t n, size_t *count, uint64_t *offset)
{
    if (n >= symbols->file_count) {
        return NULL;
    }
    *count = symbols->files[n].count;
    *offset = symbols->files[n].offset;
    return symbols->files[n].path;
}
