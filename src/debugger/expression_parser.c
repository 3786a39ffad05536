/* From text to the steps of an expression; see expression.h. Precedence climbing over one table of operators.
 *
 * The nesting of parentheses, prefixes and right-hand sides is bounded, and so is the stack that the steps
 * need: no input can exhaust ours. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/expression_internal.h"
#include "debugger/symbols.h"

#define NESTING_MAX 100
#define QUOTED_MAX  24 /* bytes of the input that messages show */

struct parser {
    const char *at;
    const struct symbols *symbols;
    struct expression *expression;
    struct status status; /* the first thing that was wrong */
    unsigned nesting;
    unsigned depth; /* of the stack behind the last step */
};

static const struct binary_operator {
    const char *text;
    uint8_t precedence; /* the higher the tighter */
    uint8_t op;
} binary_operators[] = {
    // clang-format off
    {"||", 1, EXPRESSION_KEEP_UNLESS_ZERO}, {"&&", 2, EXPRESSION_KEEP_IF_ZERO},
    {"==", 6, EXPRESSION_EQUAL}, {"!=", 6, EXPRESSION_NOT_EQUAL},
    {"<<", 8, EXPRESSION_SHIFT_LEFT}, {">>", 8, EXPRESSION_SHIFT_RIGHT},
    {"<=", 7, EXPRESSION_LESS_EQUAL}, {">=", 7, EXPRESSION_GREATER_EQUAL},
    {"<", 7, EXPRESSION_LESS}, {">", 7, EXPRESSION_GREATER},
    {"|", 3, EXPRESSION_OR}, {"^", 4, EXPRESSION_XOR}, {"&", 5, EXPRESSION_AND},
    {"+", 9, EXPRESSION_ADD}, {"-", 9, EXPRESSION_SUBTRACT},
    {"*", 10, EXPRESSION_MULTIPLY}, {"/", 10, EXPRESSION_DIVIDE}, {"%", 10, EXPRESSION_REMAINDER},
    // clang-format on
};

static const struct memory_function {
    const char *name;
    uint8_t width;
    bool sign, physical;
} memory_functions[] = {
    {"u8", 1, false, false}, {"u16", 2, false, false}, {"u32", 4, false, false}, {"u64", 8, false, false},
    {"i8", 1, true, false},  {"i16", 2, true, false},  {"i32", 4, true, false},  {"i64", 8, true, false},
    {"pu8", 1, false, true}, {"pu16", 2, false, true}, {"pu32", 4, false, true}, {"pu64", 8, false, true},
};

static void parse_choice(struct parser *parser);

/* ---- messages and steps */

static bool is_fine(const struct parser *parser)
{
    return status_is_ok(&parser->status);
}

static void complain(struct parser *parser, struct status status)
{
    if (is_fine(parser)) {
        parser->status = status;
    }
}

/* "a value is expected at ..." */
static void complain_here(struct parser *parser, const char *what)
{
    char quoted[QUOTED_MAX + 1];
    size_t length = 0;
    while (length < QUOTED_MAX && parser->at[length] != '\0') {
        quoted[length] = isprint((unsigned char)parser->at[length]) ? parser->at[length] : '?';
        length++;
    }
    quoted[length] = '\0';
    if (length == 0) {
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "%s at the end of the expression", what));
    } else {
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "%s at \"%s\"", what, quoted));
    }
}

static void *grown(struct parser *parser, void *memory, size_t size)
{
    void *larger = realloc(memory, size);
    if (larger == NULL) {
        complain(parser, status_error(STATUS_NO_MEMORY, "out of memory"));
    }
    return larger;
}

/* Appends a step behind which the stack has `change` values more, and returns its number. */
static size_t emit(struct parser *parser, struct expression_step step, int change)
{
    struct expression *expression = parser->expression;
    if (!is_fine(parser)) {
        return 0;
    }
    if (expression->count == expression->capacity) {
        size_t capacity = 2 * expression->capacity + 8;
        struct expression_step *steps =
            grown(parser, expression->steps, capacity * sizeof expression->steps[0]);
        if (steps == NULL) {
            return 0;
        }
        expression->steps = steps;
        expression->capacity = capacity;
    }
    parser->depth = (unsigned)((int)parser->depth + change);
    if (parser->depth > EXPRESSION_STACK) {
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "the expression is nested too deeply"));
        return 0;
    }
    expression->steps[expression->count] = step;
    return expression->count++;
}

static size_t emit_op(struct parser *parser, enum expression_op op, uint64_t value, int change)
{
    return emit(parser, (struct expression_step){.op = (uint8_t)op, .value = value}, change);
}

/* The jump at step `jump` goes to what comes next. */
static void land(struct parser *parser, size_t jump)
{
    if (is_fine(parser)) {
        parser->expression->steps[jump].value = parser->expression->count;
    }
}

/* ---- words */

static void skip_blanks(struct parser *parser)
{
    while (isspace((unsigned char)*parser->at)) {
        parser->at++;
    }
}

static bool accept(struct parser *parser, const char *text)
{
    skip_blanks(parser);
    if (strncmp(parser->at, text, strlen(text)) != 0) {
        return false;
    }
    parser->at += strlen(text);
    return true;
}

static void expect(struct parser *parser, const char *text)
{
    if (is_fine(parser) && !accept(parser, text)) {
        char what[32];
        snprintf(what, sizeof what, "\"%s\" is expected", text);
        complain_here(parser, what);
    }
}

static bool is_word_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '@' || c == '$';
}

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (is_word_character(at[length])) {
        length++;
    }
    return length;
}

static bool word_is(const char *word, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(word, text, length) == 0;
}

/* All digits of `word` in `base`. ERANGE in *error when they do not fit, EINVAL when they are none. */
static uint64_t parse_digits(const char *word, size_t length, unsigned base, int *error)
{
    uint64_t value = 0;
    *error = length == 0 ? EINVAL : 0;
    for (size_t i = 0; i < length; i++) {
        int c = tolower((unsigned char)word[i]);
        unsigned digit = isdigit(c) ? (unsigned)c - '0' : isalpha(c) ? (unsigned)c - 'a' + 10 : 99;
        if (digit >= base) {
            *error = EINVAL;
            return 0;
        }
        if (value > (UINT64_MAX - digit) / base) {
            *error = ERANGE;
            return 0;
        }
        value = value * base + digit;
    }
    return value;
}

/* A number in C's notation, or hexadecimal without a prefix if `hexadecimal`. */
static uint64_t parse_number(struct parser *parser, const char *word, size_t length, bool hexadecimal)
{
    static const char prefixes[] = "xXbBoO";
    static const uint8_t bases[] = {16, 16, 2, 2, 8, 8};
    unsigned base = hexadecimal ? 16 : word[0] == '0' && length > 1 ? 8 : 10;
    size_t prefix = 0;
    const char *letter = word[0] == '0' && length > 2 ? strchr(prefixes, word[1]) : NULL;
    if (letter != NULL && !(hexadecimal && tolower((unsigned char)*letter) == 'b')) {
        base = bases[letter - prefixes];
        prefix = 2;
    }
    int error;
    uint64_t value = parse_digits(word + prefix, length - prefix, base, &error);
    if (error == ERANGE) {
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "%.*s is beyond 64 bits", (int)length, word));
    } else if (error != 0) {
        bool hint = base == 10 || base == 8;
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "\"%.*s\" is not a number%s", (int)length,
                                      word, hint ? " (hexadecimal ones begin with 0x)" : ""));
    }
    return value;
}

/* 'c', with C's escapes; *at behind the first quotation mark. */
static uint64_t parse_character(struct parser *parser)
{
    static const char names[] = "nrtbe0\\'\"", values[] = "\n\r\t\b\033\0\\'\"";
    char c = *parser->at;
    if (c != '\0') {
        parser->at++;
    }
    if (c == '\\') {
        const char *found = *parser->at != '\0' ? strchr(names, *parser->at) : NULL;
        if (found == NULL) {
            complain_here(parser, "an unknown escape");
            return 0;
        }
        c = values[found - names];
        parser->at++;
    }
    if (*parser->at != '\'') {
        complain_here(parser, "the second ' of a character is expected");
    } else {
        parser->at++;
    }
    return (uint8_t)c;
}

/* A string literal; returns where it lies in expression->text. */
static uint64_t parse_text(struct parser *parser)
{
    struct expression *expression = parser->expression;
    const size_t start = expression->text_length;
    if (!accept(parser, "\"")) {
        complain_here(parser, "a \"text\" is expected");
        return 0;
    }
    char *text = grown(parser, expression->text, start + strlen(parser->at) + 1);
    if (text == NULL) {
        return 0;
    }
    expression->text = text;
    size_t length = start;
    while (*parser->at != '"' && *parser->at != '\0') {
        bool escaped = parser->at[0] == '\\' && (parser->at[1] == '"' || parser->at[1] == '\\');
        parser->at += escaped;
        text[length++] = *parser->at++;
    }
    text[length++] = '\0';
    expression->text_length = length;
    expect(parser, "\"");
    return start;
}

/* ---- values */

static void emit_number(struct parser *parser, uint64_t value)
{
    emit_op(parser, EXPRESSION_NUMBER, value, 1);
}

static bool emit_register(struct parser *parser, const char *word, size_t length)
{
    struct register_ref reg;
    bool found = register_find(word, length, &reg);
    if (found) {
        emit(parser, (struct expression_step){.op = EXPRESSION_REGISTER, .reg = reg}, 1);
    }
    return found;
}

static bool emit_symbol(struct parser *parser, const char *word, size_t length)
{
    uint64_t address;
    bool found = parser->symbols != NULL && symbols_find_name(parser->symbols, word, length, &address);
    if (found) {
        emit_number(parser, address);
    }
    return found;
}

static void complain_unknown(struct parser *parser, const char *word, size_t length)
{
    complain(parser, status_error(STATUS_INVALID_ARGUMENT, "\"%.*s\" is neither a register nor a symbol",
                                  (int)(length < 100 ? length : 100), word));
}

static void parse_group(struct parser *parser)
{
    expect(parser, "(");
    parse_choice(parser);
    expect(parser, ")");
}

static bool looks_hexadecimal(const char *word, size_t length)
{
    if (length > 2 && word[0] == '0' && (word[1] | 0x20) == 'x') {
        return true;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)word[i])) {
            return false;
        }
    }
    return length > 0;
}

/* One side of SEGMENT:OFFSET. */
static void parse_far_part(struct parser *parser, const char *word, size_t length)
{
    size_t dollar = length > 1 && word[0] == '$' ? 1 : 0;
    if (emit_register(parser, word + dollar, length - dollar)) {
        return;
    }
    if (looks_hexadecimal(word, length)) {
        emit_number(parser, parse_number(parser, word, length, true));
    } else if (!emit_symbol(parser, word, length)) {
        complain_unknown(parser, word, length);
    }
}

static bool is_far(const char *word, size_t length)
{
    const char *colon = word + length;
    return length > 0 && *colon == ':' && (is_word_character(colon[1]) || colon[1] == '(');
}

/* SEGMENT:OFFSET, at its beginning. */
static void parse_far(struct parser *parser, size_t length)
{
    const char *word = parser->at;
    size_t dollar = word[0] == '$' ? 1 : 0;
    enum cpu_segment segment;
    bool by_register = register_find_segment(word + dollar, length - dollar, &segment);
    if (!by_register) {
        parse_far_part(parser, word, length);
    }
    parser->at += length + 1;
    if (*parser->at == '(') {
        parse_group(parser);
    } else {
        size_t offset_length = word_length(parser->at);
        parse_far_part(parser, parser->at, offset_length);
        parser->at += offset_length;
    }
    if (by_register) {
        emit_op(parser, EXPRESSION_IN_SEGMENT, segment, 0);
    } else {
        emit_op(parser, EXPRESSION_IN_SELECTOR, 0, -1);
    }
}

/* str(A) == "text", behind the word. */
static void parse_text_comparison(struct parser *parser)
{
    parse_group(parser);
    if (!is_fine(parser)) {
        return;
    }
    bool differs = accept(parser, "!=");
    if (!differs && !accept(parser, "==")) {
        complain_here(parser, "== or != and a \"text\" are expected behind str()");
        return;
    }
    uint64_t text = parse_text(parser);
    emit_op(parser, EXPRESSION_TEXT_IS, text, 0);
    if (differs) {
        emit_op(parser, EXPRESSION_NOT, 0, 0);
    }
}

/* A function's argument and the function, when `word` is the name of one. */
static bool parse_function(struct parser *parser, const char *word, size_t length)
{
    for (size_t i = 0; i < ARRAY_COUNT(memory_functions); i++) {
        const struct memory_function *function = &memory_functions[i];
        if (word_is(word, length, function->name)) {
            parse_group(parser);
            emit(parser,
                 (struct expression_step){.op = EXPRESSION_MEMORY,
                                          .width = function->width,
                                          .sign = function->sign,
                                          .physical = function->physical},
                 0);
            return true;
        }
    }
    if (word_is(word, length, "str")) {
        parse_text_comparison(parser);
    } else if (word_is(word, length, "phys") || word_is(word, length, "msr")) {
        parse_group(parser);
        emit_op(parser, word[0] == 'p' ? EXPRESSION_PHYS : EXPRESSION_MSR, 0, 0);
    } else {
        return false;
    }
    return true;
}

static void parse_word(struct parser *parser)
{
    size_t length = word_length(parser->at);
    const char *word = parser->at;
    if (is_far(word, length)) {
        parse_far(parser, length);
        return;
    }
    parser->at += length;
    if (isdigit((unsigned char)word[0])) {
        emit_number(parser, parse_number(parser, word, length, false));
        return;
    }
    size_t dollar = word[0] == '$' && length > 1 ? 1 : 0;
    skip_blanks(parser);
    if (*parser->at == '(' && parse_function(parser, word, length)) {
        return;
    }
    if (!emit_register(parser, word + dollar, length - dollar) && !emit_symbol(parser, word, length)) {
        complain_unknown(parser, word, length);
    }
}

/* &name: the symbol, whatever register is called the same. */
static void parse_symbol(struct parser *parser)
{
    skip_blanks(parser);
    size_t length = word_length(parser->at);
    if (length == 0) {
        complain_here(parser, "a symbol is expected");
    } else if (!emit_symbol(parser, parser->at, length)) {
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "there is no symbol \"%.*s\"",
                                      (int)(length < 100 ? length : 100), parser->at));
    }
    parser->at += length;
}

static void parse_prefixed(struct parser *parser);

/* What follows a prefix operator, and the step it becomes. */
static void parse_operand_of(struct parser *parser, struct expression_step step)
{
    parse_prefixed(parser);
    emit(parser, step, 0);
}

static void parse_value(struct parser *parser)
{
    if (accept(parser, "-")) {
        parse_operand_of(parser, (struct expression_step){.op = EXPRESSION_NEGATE});
    } else if (accept(parser, "+")) {
        parse_prefixed(parser);
    } else if (accept(parser, "~")) {
        parse_operand_of(parser, (struct expression_step){.op = EXPRESSION_INVERT});
    } else if (accept(parser, "!")) {
        parse_operand_of(parser, (struct expression_step){.op = EXPRESSION_NOT});
    } else if (accept(parser, "*")) {
        parse_operand_of(parser, (struct expression_step){.op = EXPRESSION_MEMORY, .width = 4});
    } else if (accept(parser, "&")) {
        parse_symbol(parser);
    } else if (accept(parser, "'")) {
        emit_number(parser, parse_character(parser));
    } else if (*parser->at == '(') {
        parse_group(parser);
    } else if (is_word_character(*parser->at)) {
        parse_word(parser);
    } else {
        complain_here(parser, "a value is expected");
    }
}

/* Counts one level of nesting; false, with a complaint, when there are too many. */
static bool enter(struct parser *parser)
{
    if (++parser->nesting > NESTING_MAX) {
        complain(parser, status_error(STATUS_INVALID_ARGUMENT, "the expression is nested too deeply"));
    }
    return is_fine(parser);
}

static void leave(struct parser *parser)
{
    parser->nesting--;
}

static void parse_prefixed(struct parser *parser)
{
    if (enter(parser)) {
        parse_value(parser);
    }
    leave(parser);
}

/* ---- operators */

static const struct binary_operator *next_operator(struct parser *parser)
{
    skip_blanks(parser);
    for (size_t i = 0; i < ARRAY_COUNT(binary_operators); i++) {
        const struct binary_operator *operator= & binary_operators[i];
        if (strncmp(parser->at, operator->text, strlen(operator->text)) == 0) {
            return operator;
        }
    }
    return NULL;
}

/* A value and what operators of at least this precedence make of it. */
static void parse_operation(struct parser *parser, unsigned precedence)
{
    if (enter(parser)) {
        parse_prefixed(parser);
    }
    while (is_fine(parser)) {
        const struct binary_operator *operator= next_operator(parser);
        if (operator== NULL || operator->precedence<precedence) {
            break;
        }
        parser->at += strlen(operator->text);
        if (operator->op >= EXPRESSION_JUMP) {
            emit_op(parser, EXPRESSION_TRUTH, 0, 0);
            size_t jump = emit_op(parser, (enum expression_op) operator->op, 0, -1);
            parse_operation(parser, operator->precedence + 1u);
            emit_op(parser, EXPRESSION_TRUTH, 0, 0);
            land(parser, jump);
        } else {
            parse_operation(parser, operator->precedence + 1u);
            emit_op(parser, (enum expression_op) operator->op, 0, -1);
        }
    }
    leave(parser);
}

/* A whole expression: A, or A ? B : C. */
static void parse_choice(struct parser *parser)
{
    if (!enter(parser)) {
        leave(parser);
        return;
    }
    parse_operation(parser, 1);
    if (is_fine(parser) && accept(parser, "?")) {
        size_t to_second = emit_op(parser, EXPRESSION_JUMP_IF_ZERO, 0, -1);
        parse_choice(parser);
        size_t to_end = emit_op(parser, EXPRESSION_JUMP, 0, -1);
        if (is_fine(parser) && !accept(parser, ":")) {
            complain_here(parser, "the colon of ?:, with a blank beside it, is expected");
        }
        land(parser, to_second);
        parse_choice(parser);
        land(parser, to_end);
    }
    leave(parser);
}

struct status expression_parse(const char *text, const struct expression_scope *scope,
                               struct expression **out)
{
    struct parser parser = {.at = text,
                            .symbols = scope != NULL ? scope->symbols : NULL,
                            .expression = calloc(1, sizeof(struct expression)),
                            .status = status_ok()};
    *out = NULL;
    if (parser.expression == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    parse_choice(&parser);
    skip_blanks(&parser);
    if (is_fine(&parser) && *parser.at != '\0') {
        complain_here(&parser, "an operator is expected");
    }
    if (is_fine(&parser)) {
        *out = parser.expression;
    } else {
        expression_destroy(parser.expression);
    }
    return parser.status;
}
