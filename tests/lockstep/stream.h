/* Random streams of instructions, as data: made from a seed, laid out in memory, and made smaller by dropping
 * items, to find the few instructions that matter.
 *
 * A stream is a loop of items, each an instruction and what prepares it (a pointer or a count in a register).
 * Bytes are drawn at random and kept when the decoder finds an instruction in them that the stream's focus
 * allows. Faults are part of it: handlers (stream_guest.h) go on at one of a few items. */
#ifndef DOPPEL_TESTS_STREAM_H
#define DOPPEL_TESTS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/* What a stream's instructions may be about: the words of --only. */
enum stream_focus {
    FOCUS_INTEGER, /* registers only */
    FOCUS_MEMORY,
    FOCUS_STACK,
    FOCUS_BRANCH,
    FOCUS_STRING,
    FOCUS_X87,
    FOCUS_MMX,
    FOCUS_SSE,
    FOCUS_SENSITIVE, /* sensitive, privileged and I/O instructions, segment loads, far transfers */
    FOCUS_SELFMOD,   /* stores into the stream's own code */
    FOCUS_COUNT
};

const char *stream_focus_name(enum stream_focus focus);

/* The mode a stream runs in. */
struct stream_kind {
    const char *name;
    bool real, v86;
    bool based;        /* code and data segments have bases and limits of 64 KiB */
    bool needs_events; /* streams without are never of this kind */
    uint8_t cpl;
    uint8_t code_size;
};

/* All kinds; NULL past the end. */
const struct stream_kind *stream_kind_at(unsigned index);

/* Linear addresses. A based stream's segments begin at STREAM_CODE and STREAM_DATA; others have offsets that
 * are linear addresses. */
enum stream_layout {
    STREAM_CODE = 0x20000,
    STREAM_DATA = 0x30000,
    STREAM_SCRATCH = 0x34000, /* where most operands are */
    STREAM_SCRATCH_BYTES = 0x4000,
    STREAM_MISSING_PAGE = 0x39000,   /* with paging: not present */
    STREAM_READ_ONLY_PAGE = 0x3a000, /* with paging */
    STREAM_STACK = 0x3f000,          /* top */
    STREAM_FAULTS = 0x3f800,         /* a doubleword: how many exceptions there were */
    STREAM_RESUME = 0x3f900,         /* addresses of items, where execution goes on after an exception */
    STREAM_DEVICE = 0x70000,         /* a page of device registers */
    STREAM_RAM_BYTES = 0x80000,
    STREAM_PAGE = 0x1000,
    /* With events: */
    STREAM_SPACES = 0x800000, /* physical: tables of two address spaces */
    STREAM_SPACE_BYTES = 0x3000,
    STREAM_NEAR_DEVICE = 0x3b000, /* the same registers in the data segment */
    STREAM_ALIAS = 0x3c000,       /* with paging: the second page of code, as data */
    STREAM_ALIASES = 0x90000,     /* with paging: more places where all code is, */
    STREAM_ALIAS_BYTES = 0x8000,  /* each so long */
    STREAM_HIGH = 0x120000,       /* physical: see stream_events.h */
    STREAM_EVENTS_RAM_BYTES = 0xc6000
};

/* With events: two tasks of 32-bit code, and the LDT, which is the GDT. */
enum stream_system_selector { STREAM_TASK_A = 0x2b, STREAM_TASK_B = 0xb3, STREAM_LDT = 0xb8 };

#define STREAM_INTERRUPT 0x40 /* the vector whose handler returns at once */

#define STREAM_ALIAS_COUNT 8u
#define STREAM_ITEMS       240u
#define STREAM_ITEM_BYTES  48u
#define STREAM_RESUMES     32u
#define STREAM_CODE_BYTES  (STREAM_ITEMS * STREAM_ITEM_BYTES + 16)

/* A field that depends on where an item ends up. */
enum stream_patch_kind {
    PATCH_NONE,
    PATCH_RELATIVE, /* from the item's end to the target */
    PATCH_ADDRESS   /* offset of the target in the code segment */
};

struct stream_patch {
    uint8_t kind; /* enum stream_patch_kind */
    uint8_t at;   /* in the item */
    uint8_t size; /* 1, 2, 4 */
    uint8_t back; /* this many bytes before the end of the target; 0: its beginning */
    uint16_t target;
    uint32_t moved; /* the code segment begins this many bytes earlier, or the code is there as well */
};

struct stream_item {
    uint8_t bytes[STREAM_ITEM_BYTES];
    uint8_t length;
    bool dropped; /* takes no bytes */
    struct stream_patch patch;
};

struct stream {
    const struct stream_kind *kind;
    uint64_t state_seed; /* of registers and memory at the start */
    bool paging;
    bool events; /* stream_events.h */
    bool pae;    /* with events */
    uint8_t iopl;
    uint32_t start; /* offset of the first item in the code segment */
    struct stream_item items[STREAM_ITEMS];
    uint16_t resume[STREAM_RESUMES];
    /* By stream_lay_out(): */
    uint32_t offset[STREAM_ITEMS + 1];
    uint32_t length;
    uint8_t bytes[STREAM_CODE_BYTES];
};

/* What streams may be like. */
struct stream_choice {
    uint32_t focus; /* bit n allows enum stream_focus n */
    uint32_t kinds; /* bit n allows stream_kind_at(n) */
    bool events;    /* devices do what stream_events.h says */
};

/* Stream `number` of the sequence `seed`. */
void stream_generate(uint64_t seed, uint64_t number, const struct stream_choice *choice,
                     struct stream *stream);

/* Puts the items that are not dropped behind one another. */
void stream_lay_out(struct stream *stream);

static inline uint32_t stream_code_base(const struct stream *stream)
{
    return stream->kind->based ? STREAM_CODE : 0;
}

static inline uint32_t stream_data_base(const struct stream *stream)
{
    return stream->kind->based ? STREAM_DATA : 0;
}

#endif
