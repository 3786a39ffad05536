/* Ring 3 for workloads: runs a function there and comes back by a software interrupt. */
#include "guest.h"

#define RETURN_VECTOR   0x81u
#define USER_STACK_SIZE 16384u

uint32_t guest_saved_esp;
static uint8_t user_stack[USER_STACK_SIZE] __attribute__((aligned(16)));

uint32_t guest_enter_user(uint32_t (*function)(uint32_t), uint32_t argument, uint32_t eflags,
                          void *stack_top);
void guest_leave_user(void);
extern const uint8_t guest_user_done[];

/* guest_enter_user() leaves its registers on the stack and the stack pointer in guest_saved_esp; user code
 * returns to guest_user_done, whose interrupt ends up in guest_leave_user(). ESP0 lies below what was saved,
 * so that interrupts from ring 3 keep clear of it. */
__asm__(".text\n"
        ".globl guest_enter_user\n"
        "guest_enter_user:\n"
        "    pushl %ebp\n"
        "    pushl %ebx\n"
        "    pushl %esi\n"
        "    pushl %edi\n"
        "    movl 20(%esp), %eax\n"
        "    movl 24(%esp), %edx\n"
        "    movl 28(%esp), %ebx\n"
        "    movl 32(%esp), %ecx\n"
        "    movl %esp, guest_saved_esp\n"
        "    movl %esp, guest_tss + 4\n"
        "    subl $8, %ecx\n"
        "    movl $guest_user_done, (%ecx)\n"
        "    movl %edx, 4(%ecx)\n"
        "    pushl $0x23\n"
        "    pushl %ecx\n"
        "    pushl %ebx\n"
        "    pushl $0x1b\n"
        "    pushl %eax\n"
        "    movw $0x23, %ax\n"
        "    movw %ax, %ds\n"
        "    movw %ax, %es\n"
        "    iret\n"
        ".globl guest_user_done\n"
        "guest_user_done:\n"
        "    int $0x81\n"
        ".globl guest_leave_user\n"
        "guest_leave_user:\n"
        "    movw $0x10, %cx\n"
        "    movw %cx, %ds\n"
        "    movw %cx, %es\n"
        "    movl guest_saved_esp, %esp\n"
        "    popl %edi\n"
        "    popl %esi\n"
        "    popl %ebx\n"
        "    popl %ebp\n"
        "    ret\n");

uint32_t guest_run_user(uint32_t (*function)(uint32_t), uint32_t argument, uint32_t eflags)
{
    guest_set_gate(RETURN_VECTOR, guest_leave_user, 3);
    return guest_enter_user(function, argument, eflags | 2u, user_stack + sizeof user_stack);
}
