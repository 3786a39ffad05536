/* `info blocks`: what the engine made of the guest's code, in sum, and block by block beside the guest's.
 *
 * Without a disassembler both sides are bytes in hexadecimal. */
#include <stdlib.h>
#include <string.h>

#include "cpu/engine_block.h"
#include "debugger/disassembly.h"
#include "debugger/monitor_internal.h"
#include "decoder/decoder.h"

#define HOTTEST     10u
#define HEX_BYTES   8u /* on a line */
#define TEXT_SIZE   224u
#define GUEST_WIDTH 54

/* ---- all blocks */

struct summary {
    uint64_t count, guest_bytes, insns, host_bytes, table_bytes, links, samples;
    struct engine_block hottest[HOTTEST];
    unsigned hot;
};

/* Keeps the hottest ones in order. */
static void note_hot(struct summary *summary, const struct engine_block *block)
{
    unsigned at = summary->hot;
    while (at > 0 && summary->hottest[at - 1].samples < block->samples) {
        at--;
    }
    if (block->samples == 0 || at == HOTTEST) {
        return;
    }
    unsigned moved = summary->hot < HOTTEST ? summary->hot++ - at : HOTTEST - 1 - at;
    memmove(&summary->hottest[at + 1], &summary->hottest[at], moved * sizeof summary->hottest[0]);
    summary->hottest[at] = *block;
}

static bool add_up(void *opaque, const struct engine_block *block)
{
    struct summary *summary = opaque;
    summary->count++;
    summary->guest_bytes += block->guest_size;
    summary->insns += block->insn_count;
    summary->host_bytes += block->host_size;
    summary->table_bytes += block->tables_size;
    summary->links += block->links;
    summary->samples += block->samples;
    note_hot(summary, block);
    return true;
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole != 0 ? (double)part / (double)whole : 0;
}

static void print_hottest(const struct summary *summary, FILE *out)
{
    fprintf(out, "hottest, by where budgets of the engine ended:\n");
    for (unsigned i = 0; i < summary->hot; i++) {
        const struct engine_block *block = &summary->hottest[i];
        fprintf(out, "%5.1f%%  eip %08x, physical %08llx: %u instructions, %u bytes to %u; %s\n",
                100 * ratio(block->samples, summary->samples), (unsigned)block->eip,
                (unsigned long long)block->phys, block->insn_count, block->guest_size, block->host_size,
                block->assumes);
    }
}

static struct status print_summary(struct monitor *monitor, FILE *out)
{
    struct summary summary = {0};
    if (!machine_for_each_block(monitor->machine, add_up, &summary)) {
        return status_error(STATUS_UNSUPPORTED, "the engine makes no host code (-engine dbt does)");
    }
    const uint64_t *counters = machine_counters(monitor->machine)->value;
    fprintf(out, "blocks: %llu, of %llu that were translated; %llu were evicted\n",
            (unsigned long long)summary.count, (unsigned long long)counters[COUNTER_BLOCKS_TRANSLATED],
            (unsigned long long)counters[COUNTER_BLOCKS_EVICTED]);
    fprintf(out, "guest code: %llu bytes, per block %.1f bytes and %.1f instructions\n",
            (unsigned long long)summary.guest_bytes, ratio(summary.guest_bytes, summary.count),
            ratio(summary.insns, summary.count));
    fprintf(out, "host code: %llu bytes, per block %.1f, per guest instruction %.1f; tables: %.1f\n",
            (unsigned long long)summary.host_bytes, ratio(summary.host_bytes, summary.count),
            ratio(summary.host_bytes, summary.insns), ratio(summary.table_bytes, summary.insns));
    fprintf(out, "links: %llu, per block %.1f\n", (unsigned long long)summary.links,
            ratio(summary.links, summary.count));
    if (summary.hot != 0) {
        print_hottest(&summary, out);
    }
    return status_ok();
}

/* ---- one block */

/* The instruction at `bytes` as text; returns how many bytes it shows. */
static unsigned format_code(unsigned bits, uint64_t address, const uint8_t *bytes, size_t length,
                            char text[TEXT_SIZE])
{
    if (disassembly_is_there()) {
        const struct disassembly code = disassembly_of(DISASSEMBLY_INTEL, bits, address, bytes, length);
        snprintf(text, TEXT_SIZE, "%s%s%s", code.mnemonic, code.operands[0] != '\0' ? " " : "",
                 code.operands);
        return code.length;
    }
    unsigned shown = 0;
    for (; shown < length && shown < HEX_BYTES; shown++) {
        snprintf(text + 3 * shown, TEXT_SIZE - 3 * shown, "%02x ", bytes[shown]);
    }
    return shown;
}

/* What is to be said about an instruction, "" for nothing. */
static const char *mark_of(const struct engine_block *block, const struct engine_piece *piece,
                           const uint8_t *bytes)
{
    static const char *const sensitive_marks[] = {[PIECE_TRANSLATED] = "  sensitive: inline",
                                                  [PIECE_CALLOUT] = "  sensitive: callout",
                                                  [PIECE_TRAP] = "  sensitive: trap"};
    static const char *const marks[] = {
        [PIECE_TRANSLATED] = "", [PIECE_CALLOUT] = "  callout", [PIECE_TRAP] = "  trap"};
    const struct decode_mode mode = {.code_size = (uint8_t)(block->code_bits / 8)};
    struct insn insn;
    bool sensitive = decoder_decode(&mode, bytes, piece->guest_size, &insn) == DECODE_OK &&
                     (insn_info((enum insn_id)insn.id)->properties & INSN_SENSITIVE) != 0;
    return sensitive ? sensitive_marks[piece->kind] : marks[piece->kind];
}

/* Host code at the right of the guest's text: first `left`, then `mark`, then nothing. */
static void print_beside(FILE *out, const char *left, const char *mark, const uint8_t *code, size_t size)
{
    size_t at = 0;
    for (unsigned line = 0; at < size || (line == 0 && *left != '\0') || (line == 1 && *mark != '\0');
         line++) {
        fprintf(out, "%-*.*s |", GUEST_WIDTH, GUEST_WIDTH, line == 0 ? left : line == 1 ? mark : "");
        if (at < size) {
            char text[TEXT_SIZE];
            uint64_t address = (uintptr_t)(code + at);
            at += format_code(64, address, code + at, size - at, text);
            fprintf(out, " %012llx  %s", (unsigned long long)address, text);
        }
        fputc('\n', out);
    }
}

static void print_pieces(const struct engine_block *block, const uint8_t *code, FILE *out)
{
    const uint8_t *host = block->host;
    unsigned offset = 0;
    print_beside(out, "(the budget)", "", host, block->notes->prologue);
    host += block->notes->prologue;
    for (unsigned i = 0; i < block->insn_count; i++) {
        const struct engine_piece piece = engine_block_piece(block, i);
        offset = i % block->notes->round == 0 ? 0 : offset;
        const uint8_t *guest = code + offset;
        uint32_t eip = block->eip + offset;
        char text[TEXT_SIZE], left[TEXT_SIZE + 16];
        format_code(block->code_bits, eip, guest, piece.guest_size, text);
        snprintf(left, sizeof left, "%08x  %s", (unsigned)eip, text);
        print_beside(out, left, mark_of(block, &piece, guest), host, piece.host_size);
        offset += piece.guest_size;
        host += piece.host_size;
    }
    print_beside(out, "(out of line)", "", host, (size_t)(block->host + block->host_size - host));
}

struct search {
    struct monitor *monitor;
    FILE *out;
    uint64_t phys;
    unsigned found;
};

/* A block's guest bytes on its first page. */
static unsigned head_size(const struct engine_block *block)
{
    unsigned room = PAGE_SIZE - (unsigned)(block->phys & PAGE_MASK);
    return block->guest_size < room ? block->guest_size : room;
}

static bool has_code_at(const struct engine_block *block, uint64_t phys)
{
    return phys - block->phys < head_size(block) || phys - block->tail < block->guest_size - head_size(block);
}

/* Copies a block's guest bytes, PAGE_SIZE + INSN_MAX_LENGTH at most; false: they are not in memory. */
static bool copy_guest_code(const struct engine_block *block, struct memory_bus *bus, uint8_t *code)
{
    unsigned head = head_size(block);
    const struct memory_page *page = memory_bus_page(bus, block->phys);
    if (page->read == NULL) {
        return false;
    }
    memcpy(code, page->read + (block->phys & PAGE_MASK), head);
    if (head < block->guest_size) {
        const struct memory_page *tail = memory_bus_page(bus, block->tail);
        if (tail->read == NULL) {
            return false;
        }
        memcpy(code + head, tail->read, block->guest_size - head);
    }
    return true;
}

static bool print_if_there(void *opaque, const struct engine_block *block)
{
    struct search *search = opaque;
    uint8_t code[PAGE_SIZE + INSN_MAX_LENGTH];
    if (!has_code_at(block, search->phys)) {
        return true;
    }
    search->found++;
    fprintf(search->out,
            "block at eip %08x, physical %08llx: %u-bit code, %s\n"
            "%u instructions, %u bytes; host code: %u bytes, tables: %u; %u links, %u samples\n",
            (unsigned)block->eip, (unsigned long long)block->phys, block->code_bits, block->assumes,
            block->insn_count, block->guest_size, block->host_size, block->tables_size, block->links,
            block->samples);
    if (copy_guest_code(block, machine_memory(search->monitor->machine), code)) {
        print_pieces(block, code, search->out);
    }
    return true;
}

/* The blocks with code at a linear address, or else at that physical one. */
static struct status print_blocks_at(struct monitor *monitor, uint64_t address, FILE *out)
{
    struct machine *machine = monitor->machine;
    struct search search = {.monitor = monitor, .out = out};
    bool makes_code = true;
    if (mmu_probe(machine_mmu(machine), address & UINT32_MAX, &search.phys)) {
        search.phys = memory_bus_effective(machine_memory(machine), search.phys);
        makes_code = machine_for_each_block(machine, print_if_there, &search);
    }
    if (search.found == 0 && search.phys != address) {
        search.phys = address;
        makes_code = machine_for_each_block(machine, print_if_there, &search);
    }
    if (!makes_code) {
        return status_error(STATUS_UNSUPPORTED, "the engine makes no host code (-engine dbt does)");
    }
    if (search.found == 0) {
        return status_error(STATUS_NOT_FOUND, "no block has code at 0x%llx", (unsigned long long)address);
    }
    return status_ok();
}

struct status monitor_info_blocks(struct monitor *monitor, const char *expression, FILE *out)
{
    uint64_t address = 0;
    if (expression == NULL) {
        return print_summary(monitor, out);
    }
    struct status status = monitor_evaluate(monitor, expression, &address);
    return status_is_ok(&status) ? print_blocks_at(monitor, address, out) : status;
}
