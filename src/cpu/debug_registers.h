/* Bits of DR6 and DR7 (SDM 3B §17.2). Internal to this module, and for engines that raise #DB. */
#ifndef DOPPEL_CPU_DEBUG_REGISTERS_H
#define DOPPEL_CPU_DEBUG_REGISTERS_H

enum dr6_bit {
    DR6_BREAKPOINTS = 0xf,
    DR6_BD = 1u << 13, /* debug registers touched while DR7.GD was set */
    DR6_BS = 1u << 14, /* single step */
    DR6_BT = 1u << 15, /* task switch with the T bit */
    DR6_ONES = 0xffff0ff0u
};

enum dr7_bit {
    DR7_LOCAL = 0x155, /* L0-L3, LE: cleared by a task switch */
    DR7_ONES = 1u << 10,
    DR7_GD = 1u << 13,
    DR7_ZEROS = 0xd000
};

#endif
