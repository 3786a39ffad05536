/* Guest calls as calls of the host, so that the host predicts where guest returns lead.
 *
 * A translated CALL pushes the guest's return address on the guest's stack as ever, and leaves its block by a
 * host CALL, which pushes the address of its *landing* on a stack that only translated code has, the return
 * stack:
 *
 *     call target; landing: lea ecx, [r10 - return EIP]; jrcxz here; jmp indirect; here: jmp return block
 *
 * A translated RET takes the EIP from the guest's stack into r10d and executes a host RET. Mostly that is the
 * landing of the CALL that belongs to it. Where it is another one, because the guest switched stacks or left
 * functions otherwise, the landing sees it and looks r10d up. So the return stack is a guess and never wrong.
 *
 * Where far transfers keep the context (MODE_PARAGRAPH), a landing compares the place instead of EIP alone:
 *
 *     lea ecx, [r10 + r12 - return place]
 *
 * A landing is as good as the jump cache's entries: in the context in which it was pushed, while its block
 * lives. So the stack is emptied when the context changes, or a block died. At its bottom stands the
 * address of a stub that stays there and looks r10d up. It cannot overflow: a call retires an instruction, of
 * which there are BUDGET_MAX at most between two looks at the room left. */
#include "translator/context.h"

#define NEEDED ((uint64_t)BUDGET_MAX * sizeof(uint64_t))
#define SLACK  (64 * KIB) /* for frames of the host's signals */

struct status translator_make_return_stack(struct translator *t, const uint8_t *underflow)
{
    struct status status = host_memory_allocate(2 * NEEDED + SLACK, &t->return_stack);
    if (status_is_ok(&status)) {
        t->return_bottom = t->return_stack.bytes + t->return_stack.length - 16;
        memcpy(t->return_bottom, &underflow, sizeof underflow);
        t->code_sp = t->return_bottom;
    }
    return status;
}

void translator_check_return_stack(struct translator *t)
{
    uint64_t epoch = code_cache_epoch(t->cache);
    bool is_good = t->context_base == t->return_context && epoch == t->return_epoch;
    if (!is_good || (uint64_t)(t->return_bottom - t->code_sp) > NEEDED) {
        t->code_sp = t->return_bottom;
        t->return_context = t->context_base;
        t->return_epoch = epoch;
    }
}
