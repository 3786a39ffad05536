/*
 * What happens when the kernel itself does something wrong: a report on a red screen, and, if somebody
 * prepared for it, a way back.
 */
#ifndef DEMO_EXCEPTIONS_H
#define DEMO_EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "interrupts.h"

/* Where recovery_save was called: the registers a C function must keep (System V i386 ABI). */
struct recovery_point {
    uint32_t ebx, esi, edi, ebp, esp, eip;
};

/* Defined in entry.S, where the contract is. */
int recovery_save(struct recovery_point *point) __attribute__((returns_twice));
void recovery_resume(const struct recovery_point *point) __attribute__((noreturn));

/* Runs function(argument); false if an exception ended it. May be nested: the innermost guard is resumed. */
bool exceptions_guard(void (*function)(void *argument), void *argument);

/* Called for vectors 0 to 31. Returns never: resumes the guard, or stops the machine. */
void exceptions_report(const struct interrupt_frame *frame) __attribute__((noreturn));

/* "#DE", "divide error" */
const char *exceptions_mnemonic(unsigned vector);
const char *exceptions_name(unsigned vector);

#endif
