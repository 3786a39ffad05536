/* Sixteen-bit code that keeps loading segment registers, in real mode (variant real_mode) and in virtual-8086
 * mode (variant v86_mode): the same routine, copied below 1 MiB.
 *
 * It adds up long numbers in two data segments through far pointers, calls through two code segments, saves
 * and restores segment registers, and moves strings between segments, as programs of the memory models
 * "large" and "huge" do. */
#include "guest.h"

/* Where things are below 1 MiB; the assembly below has the same numbers. */
#define ROUTINE   ((uint8_t *)0x20000)
#define REAL_STUB ((uint8_t *)0x20200)
#define V86_STUB  ((uint8_t *)0x20300)
#define DATA      ((uint8_t *)0x30000)
#define OTHER     ((uint8_t *)0x40000)
#define DATA_SIZE 0x300u

#define V86_END_VECTOR 0x82u

/* A 16-bit code segment at 2000:0000. */
#define CODE16_DESCRIPTOR 0x00009a020000ffffull

extern const uint8_t legacy_start[], legacy_end[];
extern const uint8_t legacy_stub[], legacy_stub_end[], legacy_v86_stub[], legacy_v86_stub_end[];
void legacy_run_real_mode(void);
void legacy_run_v86_mode(void);
void legacy_v86_end(void);
uint32_t legacy_saved_esp;

/* The routine is position-independent within its segment: everything is relative to legacy_start at offset 0.
 * In: CX repetitions. It returns by RETF. */
__asm__(
    ".section .rodata\n"
    ".code16\n"
    "legacy_start:\n"
    "    jmp legacy_routine\n"
    /* 10h: a far routine, called as 2000:0010 and as 2001:0000. DX:AX += DS:[SI] dword, ES:[DI] likewise. */
    ".org legacy_start + 16\n"
    "    push %bp\n"
    "    mov %sp, %bp\n"
    "    push %ds\n"
    "    push %es\n"
    "    add (%si), %ax\n"
    "    adc 2(%si), %dx\n"
    "    add %es:(%di), %ax\n"
    "    adc %es:2(%di), %dx\n"
    "    pop %es\n"
    "    pop %ds\n"
    "    pop %bp\n"
    "    lret\n"
    "legacy_routine:\n"
    "    cld\n"
    "    xor %ax, %ax\n"
    "    xor %dx, %dx\n"
    "1:  push %cx\n"
    "    mov $0x3000, %bx\n"
    "    mov %bx, %ds\n"
    "    lds 0, %si\n" /* at 3000:0000 a far pointer into 3000 */
    "    mov $0x3000, %bx\n"
    "    mov %bx, %es\n"
    "    les %es:4, %di\n" /* at 3000:0004 one into 4000 */
    "    lcall $0x2000, $0x10\n"
    "    lcall $0x2001, $0x00\n"
    "    mov %ax, %es:(%di)\n"
    "    mov %dx, %es:2(%di)\n"
    "    mov $16, %cx\n"
    "    push %si\n"
    "    push %di\n"
    "    push %ds\n"
    "    push %es\n"
    "    pop %ds\n"
    "    pop %es\n" /* DS and ES exchanged */
    "    rep movsw\n"
    "    pop %di\n"
    "    pop %si\n"
    "    pop %cx\n"
    "    loop 1b\n"
    "    lret\n"
    "legacy_end:\n"
    ".code32\n"
    ".text\n");

/* To real mode by way of a 16-bit code segment (30h, base 0), and back. The stubs are copied behind the
 * routine, to 2000:0200. */
__asm__(".section .rodata\n"
        ".globl legacy_stub\n"
        "legacy_stub:\n"
        ".code16\n"
        "    mov %cr0, %eax\n"
        "    and $0xfe, %al\n"
        "    mov %eax, %cr0\n"
        "    ljmp $0x2000, $(0x200 + 2f - legacy_stub)\n"
        "2:  mov $0x5000, %ax\n"
        "    mov %ax, %ss\n"
        "    mov $0xfff0, %sp\n"
        "    mov $20000, %cx\n"
        "    lcall $0x2000, $0\n"
        "    mov %cr0, %eax\n"
        "    or $1, %al\n"
        "    mov %eax, %cr0\n"
        "    ljmpl $8, $legacy_back\n"
        ".globl legacy_stub_end\n"
        "legacy_stub_end:\n"
        ".code32\n"
        ".text\n"
        ".globl legacy_run_real_mode\n"
        "legacy_run_real_mode:\n"
        "    pushal\n"
        "    movl %esp, legacy_saved_esp\n"
        "    ljmp $0x30, $0x200\n"
        "legacy_back:\n"
        "    movw $0x10, %ax\n"
        "    movw %ax, %ds\n"
        "    movw %ax, %es\n"
        "    movw %ax, %ss\n"
        "    movl legacy_saved_esp, %esp\n"
        "    popal\n"
        "    ret\n"
        ".globl legacy_run_v86_mode\n"
        "legacy_run_v86_mode:\n"
        "    pushal\n"
        "    movl %esp, legacy_saved_esp\n"
        "    movl %esp, guest_tss + 4\n"
        "    pushl $0\n"      /* GS */
        "    pushl $0\n"      /* FS */
        "    pushl $0x3000\n" /* DS */
        "    pushl $0x3000\n" /* ES */
        "    pushl $0x5000\n" /* SS */
        "    pushl $0xfff0\n"
        "    pushl $0x23002\n" /* VM, IOPL 3 */
        "    pushl $0x2000\n"
        "    pushl $0x300\n"
        "    iret\n"
        /* At 2000:0300: the call, and the way out. */
        ".globl legacy_v86_stub\n"
        "legacy_v86_stub:\n"
        ".code16\n"
        "    mov $20000, %cx\n"
        "    lcall $0x2000, $0\n"
        "    int $0x82\n"
        ".globl legacy_v86_stub_end\n"
        "legacy_v86_stub_end:\n"
        ".code32\n"
        ".globl legacy_v86_end\n"
        "legacy_v86_end:\n"
        "    movw $0x10, %ax\n"
        "    movw %ax, %ds\n"
        "    movw %ax, %es\n"
        "    movl legacy_saved_esp, %esp\n"
        "    popal\n"
        "    ret\n");

static void prepare_data(void)
{
    static const uint16_t pointers[4] = {0x100, 0x3000, 0x200, 0x4000};
    for (uint32_t i = 0; i < DATA_SIZE; i++) {
        DATA[i] = (uint8_t)(i * 7);
        OTHER[i] = (uint8_t)(i * 13 + 5);
    }
    memcpy(DATA, pointers, sizeof pointers);
}

static uint32_t hash_data(void)
{
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t i = 0; i < DATA_SIZE; i++) {
        hash = workload_hash(hash, DATA[i] | (uint32_t)OTHER[i] << 8);
    }
    return hash;
}

void workload_prepare(void)
{
    memcpy(ROUTINE, legacy_start, (size_t)(legacy_end - legacy_start));
    memcpy(REAL_STUB, legacy_stub, (size_t)(legacy_stub_end - legacy_stub));
    memcpy(V86_STUB, legacy_v86_stub, (size_t)(legacy_v86_stub_end - legacy_v86_stub));
    guest_gdt[GUEST_FREE / 8] = CODE16_DESCRIPTOR;
    guest_set_gate(V86_END_VECTOR, legacy_v86_end, 3);
}

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

uint32_t workload_run(void)
{
    prepare_data();
    PASTE(legacy_run_, WORKLOAD_VARIANT)();
    return hash_data();
}
