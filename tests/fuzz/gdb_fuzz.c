/* Fuzzes the gdb server: bytes as they come, and packets with right checksums around names that it knows and
 * words that may follow them, between instructions of the guest. Whatever comes, all that is sent in answer
 * is packets and acknowledgements. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../gdb/gdb_bench.h"
#include "base/bits.h"
#include "debugger/gdb_packet.h"
#include "fuzz_input.h"

#define TEXT_MAX 600

/* The last ones are monitor commands: they touch no files. */
static const char *const words[] = {"?",
                                    "g",
                                    "G",
                                    "p",
                                    "P",
                                    "m",
                                    "M",
                                    "X",
                                    "c",
                                    "C05",
                                    "s",
                                    "S05;",
                                    "vCont?",
                                    "vCont;",
                                    "vMustReplyEmpty",
                                    "Z",
                                    "z",
                                    "Z0,7c00,1",
                                    "z0,7c00,1",
                                    "Z2,",
                                    "D",
                                    "H",
                                    "Hg",
                                    "T",
                                    "bs",
                                    "bc",
                                    "qSupported:",
                                    "swbreak+;",
                                    "hwbreak+;",
                                    "qXfer:features:read:target.xml:",
                                    "qXfer:memory-map:read::",
                                    "qXfer:",
                                    "QStartNoAckMode",
                                    "qAttached",
                                    "qfThreadInfo",
                                    "qC",
                                    "qThreadExtraInfo,1",
                                    "0",
                                    "1",
                                    "4",
                                    "8",
                                    "10",
                                    "7c00",
                                    "fff",
                                    "ffffffff",
                                    "ffffffffffffffff",
                                    "-1",
                                    "=",
                                    "P43=",
                                    "P0a=",
                                    "33000000",
                                    "ffffff80",
                                    ",",
                                    ":",
                                    ";",
                                    "00000000",
                                    "0fff0000",
                                    "qRcmd,68656c70",                       /* help */
                                    "qRcmd,696e666f20726567697374657273",   /* info registers */
                                    "qRcmd,73746570",                       /* step */
                                    "qRcmd,636f6e74",                       /* cont */
                                    "qRcmd,736c6565702031",                 /* sleep 1 */
                                    "qRcmd,627265616b2030783763303020300a", /* break 0x7c00 0 */
                                    "qRcmd,"};

static void send_words(struct gdb_bench *bench, struct fuzz_input *input)
{
    char text[TEXT_MAX + 64];
    size_t length = 0;
    for (unsigned left = 1u + fuzz_byte(input) % 6; left > 0 && length < TEXT_MAX; left--) {
        const char *word = words[fuzz_byte(input) % ARRAY_COUNT(words)];
        memcpy(text + length, word, strlen(word));
        length += strlen(word);
    }
    gdb_bench_send(bench, text, length);
}

static void send_bytes(struct gdb_bench *bench, struct fuzz_input *input)
{
    uint8_t bytes[64];
    const unsigned length = fuzz_byte(input) % sizeof bytes;
    for (unsigned i = 0; i < length; i++) {
        bytes[i] = fuzz_byte(input);
    }
    gdb_server_receive(bench->server, bytes, length);
}

/* A packet with any bytes. */
static void send_packet(struct gdb_bench *bench, struct fuzz_input *input)
{
    char bytes[64];
    const unsigned length = fuzz_byte(input) % sizeof bytes;
    for (unsigned i = 0; i < length; i++) {
        bytes[i] = (char)fuzz_byte(input);
    }
    if (length < 2 || memcmp(bytes, "qR", 2) != 0) { /* no monitor commands that nobody has chosen */
        gdb_bench_send(bench, bytes, length);
    }
}

static void meet_data(struct gdb_bench *bench, struct fuzz_input *input)
{
    struct machine *machine = bench->machine;
    if (!machine->paused && machine->has_probe && machine->probe.cpu.watch_count > 0) {
        const uint32_t at = machine->probe.cpu.watch[0].first - 1 + fuzz_byte(input) % 4;
        machine->probe.cpu.at_data(machine->probe.cpu.opaque, at, 2, fuzz_byte(input) & 1);
    }
}

static void check_sent(struct gdb_bench *bench, struct gdb_packet_reader *reader)
{
    for (size_t i = 0; i < bench->length && bench->length < GDB_BENCH_SENT - 1; i++) {
        const enum gdb_packet_event event = gdb_packet_read(reader, (uint8_t)bench->sent[i]);
        assert(event != GDB_PACKET_DAMAGED && event != GDB_PACKET_TOO_LONG && event != GDB_PACKET_INTERRUPT);
        assert(event != GDB_PACKET_NOTHING || reader->state != GDB_READER_OUTSIDE);
    }
    memset(reader, 0, sizeof *reader);
    bench->length = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.bytes = data, .left = size};
    struct gdb_bench *bench = gdb_bench_create();
    struct gdb_packet_reader *reader = calloc(1, sizeof *reader);
    bench->machine->has_history = fuzz_byte(&input) & 1;
    while (input.left > 0) {
        switch (fuzz_byte(&input) % 12) {
        case 0: send_bytes(bench, &input); break;
        case 1: send_packet(bench, &input); break;
        case 2: gdb_server_receive(bench->server, (const uint8_t *)"\x03", 1); break;
        case 3: gdb_server_receive(bench->server, (const uint8_t *)"-", 1); break;
        case 4: meet_data(bench, &input); break;
        case 5: bench->busy = !bench->busy; break;
        case 6:
            if (fuzz_byte(&input) % 8 == 0) {
                gdb_server_disconnect(bench->server);
                gdb_server_connect(bench->server);
            }
            break;
        default: send_words(bench, &input); break;
        }
        gdb_bench_run(bench);
        monitor_poll(bench->monitor);
        gdb_server_poll(bench->server);
        check_sent(bench, reader);
    }
    gdb_server_note_power_off(bench->server, 3);
    check_sent(bench, reader);
    free(reader);
    gdb_bench_destroy(bench);
    return 0;
}
