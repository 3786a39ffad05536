/* The strategy `trap`: sensitive instructions replaced by one that traps, the classic way of a monitor on a
 * processor that cannot be virtualized.
 *
 * UD2 stands in the instruction's place, followed by the jump to the site's out-of-line code. The host raises
 * SIGILL there; the handler recognises an address in the code cache with a UD2, which nothing else plants,
 * and goes on at the jump. Any other fault is not ours. */
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "host/fault_signal.h"
#include "translator/sensitive.h"

static const uint8_t ud2[] = {0x0f, 0x0b};

uint8_t *sensitive_emit_trap(struct emitter *e)
{
    emit_u8(e, ud2[0]);
    emit_u8(e, ud2[1]);
    return emit_jmp(e);
}

bool sensitive_handle_trap(void *opaque, struct fault_context *context)
{
    struct translator *t = opaque;
    if (context->signal != SIGILL) {
        return false;
    }
    const uint8_t *at = (const uint8_t *)(uintptr_t)context->registers[REG_RIP];
    if (code_cache_at(t->cache, at) == NULL || memcmp(at, ud2, sizeof ud2) != 0) {
        return false;
    }
    context->registers[REG_RIP] += (int)sizeof ud2;
    return true;
}
