/* Bits of page-table entries (SDM 3A §4.3, table 4-6), by short names: tests of paging are full of them. */
#ifndef DOPPEL_TESTS_PAGE_ENTRY_H
#define DOPPEL_TESTS_PAGE_ENTRY_H

enum entry_bit {
    P = 1u << 0,
    W = 1u << 1,
    U = 1u << 2,
    A = 1u << 5,
    D = 1u << 6,
    LARGE = 1u << 7,
    GLOBAL = 1u << 8,
    PWU = P | W | U
};

#endif
