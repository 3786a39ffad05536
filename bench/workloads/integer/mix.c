/* The four things that small embedded benchmarks are made of, one after the other in many small rounds: lists
 * (search, reversal, merge sort), matrices of 16-bit numbers, a state machine that recognises numbers in
 * text, and a bitwise CRC over what they all computed. */
#include "workload.h"

#define ROUNDS     65u
#define NODES      400u
#define DIMENSION  24u
#define TEXT_BYTES 2048u

struct node {
    struct node *next;
    uint16_t key, order;
};

static struct node nodes[NODES];
static int16_t left[DIMENSION][DIMENSION];
static int16_t right[DIMENSION][DIMENSION];
static int32_t product[DIMENSION][DIMENSION];
static char text[TEXT_BYTES];

static uint16_t crc_add(uint16_t crc, uint32_t value)
{
    for (unsigned i = 0; i < 32; i++, value >>= 1) {
        bool feedback = ((crc ^ value) & 1) != 0;
        crc = (uint16_t)(crc >> 1);
        if (feedback) {
            crc ^= 0xa001;
        }
    }
    return crc;
}

/* ---- lists */

static struct node *list_make(uint32_t *random)
{
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t value = workload_random(random);
        nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : NULL, (uint16_t)value, (uint16_t)i};
    }
    return nodes;
}

static struct node *list_reverse(struct node *list)
{
    struct node *reversed = NULL;
    while (list != NULL) {
        struct node *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

static const struct node *list_find(const struct node *list, uint16_t key)
{
    while (list != NULL && (list->key & 0xff) != key) {
        list = list->next;
    }
    return list;
}

static int compare_keys(const struct node *a, const struct node *b)
{
    return (int)a->key - (int)b->key;
}

static int compare_orders(const struct node *a, const struct node *b)
{
    return (int)a->order - (int)b->order;
}

/* Bottom-up merge sort: runs of `width` nodes are merged until there is only one. */
static struct node *list_sort(struct node *list, int (*compare)(const struct node *, const struct node *))
{
    for (uint32_t width = 1;; width *= 2) {
        struct node *from = list;
        struct node **end = &list;
        uint32_t merges = 0;
        while (from != NULL) {
            struct node *other = from;
            uint32_t from_left = 0;
            while (from_left < width && other != NULL) {
                other = other->next;
                from_left++;
            }
            uint32_t other_left = width;
            while (from_left > 0 || (other_left > 0 && other != NULL)) {
                bool take_from =
                    from_left > 0 && (other_left == 0 || other == NULL || compare(from, other) <= 0);
                struct node **source = take_from ? &from : &other;
                from_left -= take_from;
                other_left -= !take_from;
                *end = *source;
                *source = (*source)->next;
                end = &(*end)->next;
            }
            from = other;
            merges++;
        }
        *end = NULL;
        if (merges <= 1) {
            return list;
        }
    }
}

static uint16_t run_lists(uint16_t crc, uint32_t *random)
{
    struct node *list = list_make(random);
    for (uint16_t key = 0; key < 64; key++) {
        const struct node *found = list_find(list, key);
        crc = crc_add(crc, found != NULL ? found->order : NODES);
        list = list_reverse(list);
    }
    list = list_sort(list, compare_keys);
    for (const struct node *node = list; node != NULL; node = node->next) {
        crc = crc_add(crc, node->key);
    }
    list = list_sort(list, compare_orders);
    return crc_add(crc, list->key);
}

/* ---- matrices */

static uint16_t run_matrices(uint16_t crc, uint32_t *random)
{
    for (uint32_t i = 0; i < DIMENSION; i++) {
        for (uint32_t j = 0; j < DIMENSION; j++) {
            left[i][j] = (int16_t)workload_random(random);
            right[i][j] = (int16_t)(workload_random(random) >> 8);
        }
    }
    for (uint32_t i = 0; i < DIMENSION; i++) {
        for (uint32_t j = 0; j < DIMENSION; j++) {
            uint32_t sum = 0;
            for (uint32_t k = 0; k < DIMENSION; k++) {
                sum += (uint32_t)((int32_t)left[i][k] * right[k][j]);
            }
            product[i][j] = (int32_t)sum;
        }
    }
    for (uint32_t i = 0; i < DIMENSION; i++) {
        uint32_t bits = 0;
        int32_t greatest = INT32_MIN;
        for (uint32_t j = 0; j < DIMENSION; j++) {
            bits += (uint32_t)product[i][j] >> 2 & 0xfff;
            greatest = product[i][j] > greatest ? product[i][j] : greatest;
        }
        crc = crc_add(crc, bits ^ (uint32_t)greatest);
    }
    return crc;
}

/* ---- the state machine */

enum state { START, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, EXPONENT_DIGITS, INVALID, STATES };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum state next_state(enum state state, char c)
{
    switch (state) {
    case START: return is_digit(c) ? INTEGER : c == '.' ? POINT : c == '+' || c == '-' ? START : INVALID;
    case INTEGER: return is_digit(c) ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case POINT: return is_digit(c) ? FRACTION : INVALID;
    case FRACTION: return is_digit(c) ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return is_digit(c) ? EXPONENT_DIGITS : c == '+' || c == '-' ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN:
    case EXPONENT_DIGITS: return is_digit(c) ? EXPONENT_DIGITS : INVALID;
    default: return INVALID;
    }
}

static uint16_t run_states(uint16_t crc, uint32_t *random)
{
    static const char alphabet[] = "0123456789012345678901234567890123456789,,,,,,,,....eeee++--xz,,";
    for (uint32_t i = 0; i < TEXT_BYTES; i++) {
        text[i] = alphabet[workload_random(random) >> 13 & 63];
    }
    uint32_t ended_in[STATES] = {0};
    uint32_t transitions[STATES] = {0};
    enum state state = START;
    for (uint32_t i = 0; i < TEXT_BYTES; i++) {
        if (text[i] == ',') {
            ended_in[state]++;
            state = START;
            continue;
        }
        enum state next = next_state(state, text[i]);
        transitions[next] += next != state;
        state = next;
    }
    for (uint32_t i = 0; i < STATES; i++) {
        crc = crc_add(crc, ended_in[i] << 16 | transitions[i]);
    }
    return crc;
}

uint32_t workload_run(void)
{
    uint32_t random = 0x2545f491;
    uint32_t hash = WORKLOAD_HASH_START;
    uint16_t crc = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        crc = run_lists(crc, &random);
        crc = run_matrices(crc, &random);
        crc = run_states(crc, &random);
        hash = workload_hash(hash, crc);
    }
    return hash;
}
