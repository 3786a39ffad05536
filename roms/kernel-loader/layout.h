/* Numbers that entry.S and loader.c share. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define MEMORY_RANGE_SIZE 24 /* bytes: a size and an E820h descriptor */
#define MEMORY_RANGES     64

#define STACK_SIZE 2048

#define MULTIBOOT_BOOTED 0x2badb002 /* what EAX holds when a multiboot kernel is entered */

#endif
