/* What people can see of translated code: -d in_asm and out_asm, the monitor's `info blocks`, and samples of
 * where the guest spends its time. */
#include <stdio.h>
#include <stdlib.h>

#include "cpu/engine_block.h"
#include "cpu/trace.h"
#include "translator/context.h"

/* ---- what a block assumes, in words */

struct words {
    char *text;
    size_t size, length;
};

static void add_words(struct words *words, const char *separator, const char *text)
{
    int added = snprintf(words->text + words->length, words->size - words->length, "%s%s",
                         words->length == 0 ? "" : separator, text);
    words->length += (size_t)added;
    if (words->length >= words->size) {
        words->length = words->size - 1;
    }
}

static void add_segments(struct words *words, uint32_t mode)
{
    static const char *const names[CPU_SEGMENTS] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    static const char *const classes[] = {[SEGMENT_FLAT] = "flat",
                                          [SEGMENT_BASED] = "with a base",
                                          [SEGMENT_LIMITED] = "with a limit",
                                          [SEGMENT_OTHER] = "for the fallback",
                                          [SEGMENT_64K] = "of 64 KiB"};
    for (unsigned class = SEGMENT_FLAT; class <= SEGMENT_64K; class ++) {
        bool any = false;
        for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
            if (mode_segment_class(mode, i) == (enum segment_class) class) {
                add_words(words, any ? " " : ", ", names[i]);
                any = true;
            }
        }
        if (any) {
            add_words(words, " ", classes[class]);
        }
    }
}

static void describe_mode(uint32_t mode, char *text, size_t size)
{
    struct words words = {.text = text, .size = size};
    add_words(&words, "",
              mode & MODE_V86            ? "virtual-8086 mode"
              : !(mode & MODE_PROTECTED) ? "real mode"
              : mode & MODE_USER         ? "ring 3"
                                         : "ring 0 to 2");
    if (mode & MODE_STACK32) {
        add_words(&words, ", ", "32-bit stack");
    }
    if (!(mode & MODE_CODE_OPEN)) {
        add_words(&words, ", ", "limited code");
    }
    add_segments(&words, mode);
    if (mode & MODE_SINGLE) {
        add_words(&words, ", ", "accesses one by one");
    }
}

/* ---- blocks */

static struct engine_block engine_block_of(const struct code_block *block)
{
    uint32_t mode = (uint32_t)(block->key >> 32);
    struct engine_block result = {.phys = block->phys,
                                  .tail = block->tail,
                                  .eip = translator_block_eip(block),
                                  .guest_size = block->length,
                                  .insn_count = block->insn_count,
                                  .code_bits = mode & MODE_CODE32 ? 32 : 16,
                                  .host = block->entry,
                                  .host_size = block->host_size,
                                  .tables = block->tables,
                                  .tables_size = block->tables_size,
                                  .notes = translator_notes(block),
                                  .links = code_cache_links_of(block),
                                  .samples = block->user};
    describe_mode(mode, result.assumes, sizeof result.assumes);
    return result;
}

struct visit {
    engine_block_visitor *visit;
    void *opaque;
};

static bool visit_block(void *opaque, struct code_block *block)
{
    const struct visit *visit = opaque;
    const struct engine_block shown = engine_block_of(block);
    return visit->visit(visit->opaque, &shown);
}

void translator_for_each_block(struct cpu_engine *engine, engine_block_visitor *visit, void *opaque)
{
    struct translator *t = CONTAINER_OF(engine, struct translator, engine);
    code_cache_for_each(t->cache, visit_block, &(struct visit){.visit = visit, .opaque = opaque});
}

/* ---- samples: code_block.user counts them */

static bool halve_samples(void *opaque, struct code_block *block)
{
    (void)opaque;
    block->user /= 2;
    return true;
}

void translator_count_sample(struct translator *t, struct code_block *block)
{
    if (block->user == UINT16_MAX) {
        code_cache_for_each(t->cache, halve_samples, NULL);
    }
    block->user++;
}

/* ---- the log */

static void log_host_code(const struct log *log, const uint8_t *code, size_t size)
{
    FILE *sink = log_sink(log);
    if (log->disassembler != NULL) {
        log->disassembler(sink, (uintptr_t)code, code, size, 64);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if (i % 16 == 0) {
            fprintf(sink, "%s0x%08llx: ", i == 0 ? "" : "\n", (unsigned long long)(uintptr_t)(code + i));
        }
        fprintf(sink, " %02x", code[i]);
    }
    fputs(size != 0 ? "\n" : "", sink);
}

static void log_tables(FILE *sink, const uint8_t *tables, size_t size)
{
    fprintf(sink, "  data: [size=%zu]\n", size);
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t value = 0;
        memcpy(&value, tables + i, size - i < sizeof value ? size - i : sizeof value);
        fprintf(sink, "0x%08llx:  .quad  0x%016llx\n", (unsigned long long)(uintptr_t)(tables + i),
                (unsigned long long)value);
    }
}

/* QEMU's layout (7.2, accel/tcg/translate-all.c writes it). */
static void log_out_asm(const struct log *log, const struct engine_block *block, uint32_t linear)
{
    FILE *sink = log_sink(log);
    fprintf(sink, "OUT: [size=%u]\n", block->host_size);
    const uint8_t *at = block->host;
    uint32_t guest = linear;
    for (unsigned i = 0; i < block->insn_count; i++) {
        struct engine_piece piece = engine_block_piece(block, i);
        unsigned size = piece.host_size + (i == 0 ? block->notes->prologue : 0);
        fprintf(sink, "  -- guest addr 0x%08x%s\n", (unsigned)guest, i == 0 ? " + tb prologue" : "");
        log_host_code(log, at, size);
        at += size;
        guest = (i + 1) % block->notes->round == 0 ? linear : guest + piece.guest_size;
    }
    fputs("  -- tb slow paths + alignment\n", sink);
    log_host_code(log, at, (size_t)(block->host + block->host_size - at));
    log_tables(sink, block->tables, block->tables_size);
    fputc('\n', sink);
}

void translator_log_block(const struct translator *t, const struct code_block *block, const uint8_t *bytes)
{
    const struct log *log = t->cpu->log;
    uint32_t eip = translator_block_eip(block);
    cpu_trace_code(t->cpu, eip, bytes, block->length);
    uint32_t linear = (uint32_t)(t->cpu->segment[CPU_CS].base + eip);
    if (log_is_enabled(log, LOG_OUT_ASM) && log_wants_address(log, linear)) {
        const struct engine_block shown = engine_block_of(block);
        log_out_asm(log, &shown, linear);
    }
}

const uint64_t *translator_insn_counts(struct cpu_engine *engine, enum engine_count what)
{
    const struct translator *t = CONTAINER_OF(engine, struct translator, engine);
    switch (what) {
    case ENGINE_COUNT_FALLBACK: return t->callouts;
    case ENGINE_COUNT_EMULATED: return t->emulated;
    default: return t->inlined;
    }
}
