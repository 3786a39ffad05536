/* Names, kinds and layout of streams; see stream.h. */
#include "stream.h"

#include <string.h>

#include "base/bits.h"
#include "insn_bytes.h"

static const char *const focus_names[FOCUS_COUNT] = {"integer", "memory", "stack", "branch",    "string",
                                                     "x87",     "mmx",    "sse",   "sensitive", "selfmod"};

static const struct stream_kind kinds[] = {
    {.name = "flat0", .cpl = 0, .code_size = 4},
    {.name = "flat3", .cpl = 3, .code_size = 4},
    {.name = "seg0", .based = true, .cpl = 0, .code_size = 4},
    {.name = "seg3", .based = true, .cpl = 3, .code_size = 4},
    {.name = "seg16-0", .based = true, .cpl = 0, .code_size = 2},
    {.name = "seg16-3", .based = true, .cpl = 3, .code_size = 2},
    {.name = "real", .based = true, .real = true, .cpl = 0, .code_size = 2},
    {.name = "v86", .based = true, .v86 = true, .cpl = 3, .code_size = 2},
    {.name = "flat1", .needs_events = true, .cpl = 1, .code_size = 4},
};

const char *stream_focus_name(enum stream_focus focus)
{
    return focus_names[focus];
}

const struct stream_kind *stream_kind_at(unsigned index)
{
    return index < ARRAY_COUNT(kinds) ? &kinds[index] : NULL;
}

/* The item that a short branch of item `from` can reach, as near to its target as possible. */
static uint32_t reachable(const struct stream *stream, uint32_t from, uint32_t target)
{
    uint32_t end = stream->offset[from + 1];
    while (target > from + 1 && stream->offset[target] - end > 127) {
        target--;
    }
    while (target <= from && end - stream->offset[target] > 128) {
        target++;
    }
    return target;
}

static void patch_item(struct stream *stream, uint32_t number)
{
    const struct stream_item *item = &stream->items[number];
    const struct stream_patch *patch = &item->patch;
    uint8_t *at = stream->bytes + (stream->offset[number] - stream->start) + patch->at;
    uint32_t target = patch->target;
    if (patch->kind == PATCH_RELATIVE) {
        target = patch->size == 1 ? reachable(stream, number, target) : target;
        insn_put_bytes(at, stream->offset[target] - stream->offset[number + 1], patch->size);
    } else if (patch->kind == PATCH_ADDRESS) {
        uint32_t address =
            patch->back == 0 ? stream->offset[target] : stream->offset[target + 1] - patch->back;
        insn_put_bytes(at, address + patch->moved, patch->size);
    }
}

void stream_lay_out(struct stream *stream)
{
    uint32_t at = 0;
    for (unsigned i = 0; i < STREAM_ITEMS; i++) {
        const struct stream_item *item = &stream->items[i];
        stream->offset[i] = stream->start + at;
        if (!item->dropped) {
            memcpy(stream->bytes + at, item->bytes, item->length);
            at += item->length;
        }
    }
    stream->offset[STREAM_ITEMS] = stream->start + at;
    for (unsigned i = 0; i < STREAM_ITEMS; i++) {
        if (!stream->items[i].dropped) {
            patch_item(stream, i);
        }
    }
    uint8_t *jump = stream->bytes + at; /* back to the beginning */
    unsigned size = stream->kind->code_size;
    jump[0] = 0xe9;
    insn_put_bytes(jump + 1, 0u - at - 1 - size, size);
    stream->length = at + 1 + size;
}
