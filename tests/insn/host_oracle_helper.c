/* The 32-bit process in which the host CPU runs the oracle's snippets; see host_oracle_shared.h.
 *
 * Freestanding: no C library, so that nothing but what is here lies in the address space the snippets see. A
 * snippet gets its registers and flags, and leaves either by a jump to oracle_end or by a signal, whose
 * handler takes the registers from the signal frame (Linux, struct sigcontext_32) and never returns to it. */
#include "host_oracle_shared.h"

enum system_call {
    CALL_EXIT = 1,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_RT_SIGACTION = 174,
    CALL_SIGALTSTACK = 186,
    CALL_MMAP2 = 192
};

enum protection { READ = 1, WRITE = 2, EXECUTE = 4 };
/* Populated: a page that was never touched would fault as absent where it is merely read-only. */
enum { MAP_SHARED_FIXED_POPULATE = 0x8011 };
enum { SIGNAL_ILL = 4, SIGNAL_TRAP = 5, SIGNAL_BUS = 7, SIGNAL_FPE = 8, SIGNAL_SEGV = 11 };
enum { ACTION_SIGINFO = 4, ACTION_ON_STACK = 0x08000000, ACTION_NO_DEFER = 0x40000000 };

#define MEMORY_ADDRESS 0x20000000u /* where the helper sees the whole memfd */

struct signal_frame_registers {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trap_number, error_code, eip, cs, eflags, esp_at_signal, ss;
    const uint8_t *fpu_state; /* FSAVE's image, followed by FXSAVE's */
    uint32_t old_mask, cr2;
};
#define FSAVE_PART 112u

struct signal_context {
    uint32_t flags, link;
    uint32_t stack[3];
    struct signal_frame_registers registers;
};

struct signal_action {
    void (*handler)(int number, void *info, struct signal_context *context);
    uint32_t flags;
    void (*restorer)(void);
    uint32_t mask[2];
};

/* Used from assembly. */
struct oracle_registers oracle_live;
uint8_t oracle_float[ORACLE_FXSAVE_BYTES] __attribute__((aligned(16)));
uint32_t oracle_stack;
void oracle_run(void);
void oracle_end(void);
void oracle_leave(void);
void _start(void);
int main(void);

static uint8_t signal_stack[65536] __attribute__((aligned(64)));

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "    call main\n"
        "    movl %eax, %ebx\n"
        "    movl $1, %eax\n"
        "    int $0x80\n"
        /* Loads oracle_live and goes to its EIP; returns when the snippet has ended. */
        ".globl oracle_run\n"
        "oracle_run:\n"
        "    pushal\n"
        "    movl %esp, oracle_stack\n"
        "    fxrstor oracle_float\n"
        "    pushl oracle_live + 36\n"
        "    popfl\n"
        "    movl oracle_live, %eax\n"
        "    movl oracle_live + 4, %ecx\n"
        "    movl oracle_live + 8, %edx\n"
        "    movl oracle_live + 12, %ebx\n"
        "    movl oracle_live + 20, %ebp\n"
        "    movl oracle_live + 24, %esi\n"
        "    movl oracle_live + 28, %edi\n"
        "    movl oracle_live + 16, %esp\n"
        "    jmp *oracle_live + 32\n"
        /* A page of its own: the emulated machine has something else here. */
        ".balign 4096\n"
        ".globl oracle_end\n"
        "oracle_end:\n"
        "    movl %eax, oracle_live\n"
        "    movl %ecx, oracle_live + 4\n"
        "    movl %edx, oracle_live + 8\n"
        "    movl %ebx, oracle_live + 12\n"
        "    movl %esp, oracle_live + 16\n"
        "    movl %ebp, oracle_live + 20\n"
        "    movl %esi, oracle_live + 24\n"
        "    movl %edi, oracle_live + 28\n"
        "    movl oracle_stack, %esp\n"
        "    pushfl\n"
        "    popl oracle_live + 36\n"
        "    movl $oracle_end, oracle_live + 32\n"
        "    movl $0xffffffff, oracle_live + 40\n"
        "    fxsave oracle_float\n"
        ".globl oracle_leave\n"
        "oracle_leave:\n"
        "    movl oracle_stack, %esp\n"
        "    pushl $0x202\n"
        "    popfl\n"
        "    popal\n"
        "    ret\n"
        ".balign 4096\n");

static int32_t system_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
    int32_t result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return result;
}

/* The sixth argument, in EBP, is the offset in pages. */
static int map(uint32_t address, uint32_t length, uint32_t protection, uint32_t offset)
{
    uint32_t arguments[6] = {address,          length,      protection, MAP_SHARED_FIXED_POPULATE,
                             ORACLE_FD_MEMORY, offset >> 12};
    uint32_t result;
    __asm__ volatile("pushl %%ebp\n\t"
                     "pushl %%ebx\n\t"
                     "movl 0(%%eax), %%ebx\n\t"
                     "movl 4(%%eax), %%ecx\n\t"
                     "movl 8(%%eax), %%edx\n\t"
                     "movl 12(%%eax), %%esi\n\t"
                     "movl 16(%%eax), %%edi\n\t"
                     "movl 20(%%eax), %%ebp\n\t"
                     "movl %[call], %%eax\n\t"
                     "int $0x80\n\t"
                     "popl %%ebx\n\t"
                     "popl %%ebp"
                     : "=a"(result)
                     : "a"(arguments), [call] "i"(CALL_MMAP2)
                     : "ecx", "edx", "esi", "edi", "memory", "cc");
    return result == address;
}

static void copy(volatile uint8_t *to, const volatile uint8_t *from, uint32_t length)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

static void handle_signal(int number, void *info, struct signal_context *context)
{
    const struct signal_frame_registers *from = &context->registers;
    (void)number;
    (void)info;
    oracle_live = (struct oracle_registers){
        .gpr = {from->eax, from->ecx, from->edx, from->ebx, from->esp, from->ebp, from->esi, from->edi},
        .eip = from->eip,
        .eflags = from->eflags,
        .vector = from->trap_number,
        .error_code = from->error_code,
        .cr2 = from->cr2};
    copy(oracle_float, from->fpu_state + FSAVE_PART, ORACLE_FXSAVE_BYTES);
    oracle_leave();
}

static int catch_signals(void)
{
    static const uint8_t signals[] = {SIGNAL_ILL, SIGNAL_TRAP, SIGNAL_BUS, SIGNAL_FPE, SIGNAL_SEGV};
    uint32_t stack[3] = {(uint32_t)signal_stack, 0, sizeof signal_stack};
    struct signal_action action = {.handler = handle_signal,
                                   .flags = ACTION_SIGINFO | ACTION_ON_STACK | ACTION_NO_DEFER};
    int failed = system_call(CALL_SIGALTSTACK, (uint32_t)stack, 0, 0, 0, 0) != 0;
    for (uint32_t i = 0; i < sizeof signals; i++) {
        failed |= system_call(CALL_RT_SIGACTION, signals[i], (uint32_t)&action, 0, 8, 0) != 0;
    }
    return !failed;
}

static void run_slot(struct oracle_slot *slot)
{
    volatile uint8_t *data = (volatile uint8_t *)ORACLE_DATA;
    copy(data + ORACLE_WINDOW1, slot->window_before, ORACLE_WINDOW1_BYTES);
    copy(data + ORACLE_WINDOW2, slot->window_before + ORACLE_WINDOW1_BYTES, ORACLE_WINDOW2_BYTES);
    copy(oracle_float, slot->float_before, ORACLE_FXSAVE_BYTES);
    oracle_live = slot->before;
    __asm__ volatile("call oracle_run" : : : "memory", "cc");
    slot->after = oracle_live;
    copy(slot->float_after, oracle_float, ORACLE_FXSAVE_BYTES);
    copy(slot->window_after, data + ORACLE_WINDOW1, ORACLE_WINDOW1_BYTES);
    copy(slot->window_after + ORACLE_WINDOW1_BYTES, data + ORACLE_WINDOW2, ORACLE_WINDOW2_BYTES);
}

static int map_everything(struct oracle_header *header)
{
    const uint32_t writable = (ORACLE_DATA_PAGES - 1) * ORACLE_PAGE;
    int mapped = map(ORACLE_CODE, ORACLE_SLOTS * ORACLE_CODE_BYTES, READ | EXECUTE, ORACLE_CODE_OFFSET) &&
                 map(ORACLE_DATA, writable, READ | WRITE, ORACLE_DATA_OFFSET) &&
                 map(ORACLE_DATA + writable, ORACLE_PAGE, READ, ORACLE_DATA_OFFSET + writable);
    header->low_pages = map(ORACLE_LOW, writable, READ | WRITE, ORACLE_DATA_OFFSET) &&
                        map(ORACLE_LOW + writable, ORACLE_PAGE, READ, ORACLE_DATA_OFFSET + writable);
    header->end_address = (uint32_t)oracle_end;
    return mapped;
}

int main(void)
{
    struct oracle_header *header = (struct oracle_header *)MEMORY_ADDRESS;
    struct oracle_slot *slots = (struct oracle_slot *)(MEMORY_ADDRESS + ORACLE_SLOT_OFFSET);
    uint8_t token = 1;
    if (!map(MEMORY_ADDRESS, ORACLE_FILE_BYTES, READ | WRITE, 0) || !map_everything(header) ||
        !catch_signals()) {
        return 1;
    }
    system_call(CALL_WRITE, ORACLE_FD_ANSWERS, (uint32_t)&token, 1, 0, 0);
    while (system_call(CALL_READ, ORACLE_FD_COMMANDS, (uint32_t)&token, 1, 0, 0) == 1) {
        for (uint32_t i = 0; i < header->count; i++) {
            header->current = i;
            run_slot(&slots[i]);
        }
        system_call(CALL_WRITE, ORACLE_FD_ANSWERS, (uint32_t)&token, 1, 0, 0);
    }
    return 0;
}
