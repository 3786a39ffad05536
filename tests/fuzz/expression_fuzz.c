/* Fuzzes the debugger's expressions: half of the inputs are any bytes, half are made of words that
 * expressions know. Whatever is accepted can be evaluated and assigned to; whatever is not has a message of
 * one line. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/fake_machine.h"
#include "debugger/expression.h"
#include "debugger/symbols.h"
#include "fuzz_input.h"

#define TEXT_MAX 600

static const char *const words[] = {"0",        "1",       "7",       "0x7c00", "0xffffffffffffffff",
                                    "63",       "64",      "-",       "~",      "!",
                                    "*",        "/",       "%",       "+",      "<<",
                                    ">>",       "<",       "<=",      "==",     "!=",
                                    "&",        "^",       "|",       "&&",     "||",
                                    "?",        " : ",     "(",       ")",      "(",
                                    ")",        "eax",     "al",      "cs",     "cs:ip",
                                    "f000:",    "es:",     "u8(",     "i16(",   "u32(",
                                    "pu64(",    "phys(",   "msr(",    "str(",   "\"a\"",
                                    "flags.zf", "ds.base", "xmm1.d3", "st0",    " ",
                                    "'a'",      "start",   "&",       ".",      "$",
                                    "0x277"};

static void make_text(struct fuzz_input *input, char text[TEXT_MAX + 16])
{
    size_t length = 0;
    bool of_words = fuzz_byte(input) & 1;
    unsigned most = of_words ? 1u + fuzz_byte(input) % 20 : TEXT_MAX;
    for (unsigned n = 0; n < most && input->left > 0 && length < TEXT_MAX; n++) {
        uint8_t byte = fuzz_byte(input);
        const char *word = words[byte % ARRAY_COUNT(words)];
        if (of_words) {
            strcpy(text + length, word);
            length += strlen(word);
        } else if (byte != 0) {
            text[length++] = (char)byte;
        }
    }
    text[length] = '\0';
}

static void check_message(const struct status *status)
{
    assert(status_is_ok(status) == (status->message[0] == '\0'));
    assert(strchr(status->message, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char map[] = "7c00 T start\n";
    struct fuzz_input input = {.bytes = data, .left = size};
    char text[TEXT_MAX + 16];
    size_t count;
    make_text(&input, text);
    struct machine *machine = fake_machine_create();
    struct symbols *symbols = symbols_create();
    const struct expression_scope scope = {.symbols = symbols};
    struct expression *expression;
    uint64_t value;
    struct status status = symbols_parse(symbols, "map", (const uint8_t *)map, sizeof map - 1, 0, &count);
    assert(status_is_ok(&status));
    status = expression_parse(text, &scope, &expression);
    check_message(&status);
    assert(status_is_ok(&status) == (expression != NULL));
    if (expression != NULL) {
        status = expression_evaluate(expression, machine, &value);
        check_message(&status);
        status = expression_assign(expression, machine, value);
        check_message(&status);
        expression_destroy(expression);
    }
    symbols_destroy(symbols);
    fake_machine_destroy(machine);
    return 0;
}
