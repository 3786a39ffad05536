/* What gdb is told about the target: its registers (target description, "Debugging with GDB" appendix G) and
 * its memory (appendix E.15).
 *
 * The architecture is i8086 or i386, by the size of the code the CPU executes when gdb connects, since gdb
 * asks only then; docs/gdbinit follows the guest's changes afterwards. Registers are those of gdb's i386
 * features, core and sse, and those of a feature of our own for what systems programs have.
 *
 * The memory map has all of the linear address space as RAM: gdb's addresses are linear ones, what lies
 * behind them changes with the guest's page tables, and gdb touches nothing that the map does not have. */
#ifndef DOPPEL_DEBUGGER_GDB_TARGET_XML_H
#define DOPPEL_DEBUGGER_GDB_TARGET_XML_H

#include <stddef.h>

#define GDB_TARGET_XML_MAX 16384u

/* Writes the description of a target whose code has 2 or 4 bytes of operand size into `to`
 * (GDB_TARGET_XML_MAX bytes); returns its length. */
size_t gdb_target_xml_write(unsigned code_size, char *to);

/* The memory map. */
const char *gdb_memory_map_xml(void);

#endif
