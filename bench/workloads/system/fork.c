/* Processes of ring 3 under a kernel as small as can be: forked, written to by copy on write, ended and
 * waited for.
 *
 * A process is a page directory, the registers it was interrupted with, and a parent. Its memory is regions:
 * the program, which is the image's own pages seen once more at USER_TEXT; data and stack, whose pages appear
 * full of zeros when they are touched. FORK copies the page tables and takes the right to write from both
 * sides; the first write of either gets a copy, and the last owner gets the page itself. There is no timer: a
 * process runs until it calls YIELD or WAIT, or ends, and the next in the table that can run follows, so that
 * every run is the same.
 *
 * The kernel's entry points leave the registers of the process in its `struct process`, which is where ESP0
 * points; the kernel has one stack, on which it starts anew each time. It never faults: it touches only the
 * identity map. */
#include "paging.h"

#define GENERATIONS 80u /* rounds of forking in one run */
#define CHILDREN    4u  /* of the first process, in each of them */
#define DATA_PAGES  32u
#define PAGE_WORDS  (GUEST_PAGE_SIZE / 4)

#define USER_TEXT       0x40000000u /* the image's byte at 1 MiB + x is at USER_TEXT + x */
#define USER_DATA       0x50000000u
#define USER_STACK      0x5fffe000u
#define USER_STACK_TOP  0x60000000u
#define USER_DATA_WORDS ((volatile uint32_t *)USER_DATA)

/* In EAX, with an argument in EBX; the result comes back in EAX. */
#define SYSTEM_CALL_VECTOR 0x80u
#define SYSTEM_CALL_FORK   1u /* 0 in the child */
#define SYSTEM_CALL_EXIT   2u /* argument: what the parent gets */
#define SYSTEM_CALL_WAIT   3u /* until a child ends; what it ended with */
#define SYSTEM_CALL_YIELD  4u

#define PAGE_FAULT_VECTOR 14u
#define COPY_ON_WRITE     GUEST_PAGE_SOFTWARE

/* The image, from image.ld. */
extern const uint8_t payload_start[];
extern const uint8_t payload_end[];

/* In the order in which the entry points push them. */
struct registers {
    uint32_t es, ds, edi, esi, ebp, unused, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags, esp, ss;
};

enum process_state { PROCESS_FREE, PROCESS_READY, PROCESS_WAITING, PROCESS_ENDED };

struct process {
    enum process_state state;
    uint32_t *space;
    struct process *parent;
    uint32_t exit_code;
    struct registers registers;
};

#define PROCESSES 16u

uint32_t fork_kernel_esp;
static uint32_t *kernel_space;
static struct process processes[PROCESSES];
static struct process *current;
static uint8_t owners[WORKLOAD_MEMORY / GUEST_PAGE_SIZE]; /* of each frame that is data or stack */
static uint32_t first_frame;
static uint32_t frames_used;
static uint32_t forks;
static uint32_t copies; /* of data pages */

void fork_system_call_entry(void);
void fork_page_fault_entry(void);
struct registers *fork_handle_trap(void);

/* fork_run(registers) goes to ring 3, and returns when fork_stop(value) is called: with the value. */
uint32_t fork_run(struct registers *registers);
_Noreturn void fork_stop(uint32_t value);

__asm__(".text\n"
        "fork_run:\n"
        "    pushl %ebp\n"
        "    pushl %ebx\n"
        "    pushl %esi\n"
        "    pushl %edi\n"
        "    movl 20(%esp), %eax\n"
        "    movl %esp, fork_kernel_esp\n"
        "    jmp resume\n"
        "fork_stop:\n"
        "    movl 4(%esp), %eax\n"
        "    movl fork_kernel_esp, %esp\n"
        "    popl %edi\n"
        "    popl %esi\n"
        "    popl %ebx\n"
        "    popl %ebp\n"
        "    ret\n"
        "fork_system_call_entry:\n"
        "    pushl $0\n"
        "    pushl $0x80\n"
        "    jmp trap\n"
        "fork_page_fault_entry:\n"
        "    pushl $14\n"
        "trap:\n"
        "    pushal\n"
        "    pushl %ds\n"
        "    pushl %es\n"
        "    movl $0x10, %eax\n"
        "    movw %ax, %ds\n"
        "    movw %ax, %es\n"
        "    movl fork_kernel_esp, %esp\n"
        "    call fork_handle_trap\n"
        "resume:\n"
        "    movl %eax, %esp\n"
        "    popl %es\n"
        "    popl %ds\n"
        "    popal\n"
        "    addl $8, %esp\n"
        "    iret\n");

/* ---- the kernel: memory */

static const struct region {
    uint32_t start, end;
} regions[] = {{USER_DATA, USER_DATA + DATA_PAGES *GUEST_PAGE_SIZE}, {USER_STACK, USER_STACK_TOP}};

#define REGIONS (sizeof regions / sizeof regions[0])

static uint8_t *frame_owners(uint32_t frame)
{
    return &owners[(frame - first_frame) / GUEST_PAGE_SIZE];
}

static uint32_t take_frame(void)
{
    uint32_t frame = guest_frame_allocate();
    *frame_owners(frame) = 1;
    frames_used++;
    return frame;
}

static void release_frame(uint32_t frame)
{
    if (--*frame_owners(frame) == 0) {
        guest_frame_free(frame);
        frames_used--;
    }
}

static uint32_t *create_space(void)
{
    uint32_t *space = guest_space_create();
    uint32_t size = (uint32_t)(payload_end - payload_start);
    for (uint32_t at = 0; at < size; at += GUEST_PAGE_SIZE) {
        guest_page_map(space, USER_TEXT + at, (uint32_t)payload_start + at, GUEST_PAGE_USER);
    }
    return space;
}

static uint32_t *copy_space(uint32_t *from)
{
    uint32_t *space = create_space();
    for (const struct region *region = regions; region < regions + REGIONS; region++) {
        for (uint32_t at = region->start; at < region->end; at += GUEST_PAGE_SIZE) {
            uint32_t *entry = guest_page_entry(from, at);
            if (!(*entry & GUEST_PAGE_PRESENT)) {
                continue;
            }
            if (*entry & GUEST_PAGE_WRITE) {
                *entry = (*entry & ~GUEST_PAGE_WRITE) | COPY_ON_WRITE;
            }
            *guest_page_entry(space, at) = *entry & ~(GUEST_PAGE_ACCESSED | GUEST_PAGE_DIRTY);
            ++*frame_owners(*entry & ~GUEST_PAGE_FLAGS);
        }
    }
    guest_space_load(from); /* the TLB may know pages as writable */
    return space;
}

static void destroy_space(uint32_t *space)
{
    guest_space_load(kernel_space);
    for (const struct region *region = regions; region < regions + REGIONS; region++) {
        for (uint32_t at = region->start; at < region->end; at += GUEST_PAGE_SIZE) {
            uint32_t entry = *guest_page_entry(space, at);
            if (entry & GUEST_PAGE_PRESENT) {
                release_frame(entry & ~GUEST_PAGE_FLAGS);
            }
        }
    }
    guest_space_destroy(space);
}

/* A page that is touched for the first time. */
static void add_page(uint32_t linear)
{
    uint32_t frame = take_frame();
    guest_frame_clear(frame);
    guest_page_map(current->space, linear, frame, GUEST_PAGE_USER | GUEST_PAGE_WRITE);
}

/* A page that is written to for the first time since a fork. */
static void unshare_page(uint32_t linear)
{
    uint32_t frame = *guest_page_entry(current->space, linear) & ~GUEST_PAGE_FLAGS;
    if (*frame_owners(frame) > 1) {
        uint32_t copy = take_frame();
        guest_frame_copy(copy, frame);
        release_frame(frame);
        frame = copy;
        copies += linear < USER_STACK; /* how often the stack is written to is the compiler's choice */
    }
    guest_page_map(current->space, linear, frame, GUEST_PAGE_USER | GUEST_PAGE_WRITE);
    guest_page_invalidate(linear);
}

static void handle_page_fault(uint32_t linear, uint32_t error)
{
    for (const struct region *region = regions; region < regions + REGIONS; region++) {
        if (linear < region->start || linear >= region->end || !(error & GUEST_FAULT_USER)) {
            continue;
        }
        linear &= ~GUEST_PAGE_FLAGS;
        if (!(error & GUEST_FAULT_PRESENT)) {
            add_page(linear);
            return;
        }
        if ((error & GUEST_FAULT_WRITE) && (*guest_page_entry(current->space, linear) & COPY_ON_WRITE)) {
            unshare_page(linear);
            return;
        }
    }
    workload_fail("a page fault that should not be");
}

/* ---- the kernel: processes */

static struct process *allocate_process(void)
{
    for (struct process *process = processes; process < processes + PROCESSES; process++) {
        if (process->state == PROCESS_FREE) {
            return process;
        }
    }
    workload_fail("too many processes");
}

/* Lets the next process in the table run that can. */
static void schedule(void)
{
    struct process *process = current;
    do {
        process = process == processes + PROCESSES - 1 ? processes : process + 1;
        if (process->state == PROCESS_READY) {
            current = process;
            guest_space_load(process->space);
            guest_tss.esp0 = (uint32_t)(&process->registers + 1);
            return;
        }
    } while (process != current);
    workload_fail("every process waits");
}

static void call_fork(void)
{
    struct process *child = allocate_process();
    child->state = PROCESS_READY;
    child->space = copy_space(current->space);
    child->parent = current;
    child->registers = current->registers;
    child->registers.eax = 0;
    current->registers.eax = (uint32_t)(child - processes) + 1;
    forks++;
}

static void call_exit(uint32_t code)
{
    struct process *parent = current->parent;
    destroy_space(current->space);
    if (parent == NULL) {
        current->state = PROCESS_FREE;
        fork_stop(code);
    }
    if (parent->state == PROCESS_WAITING) {
        parent->registers.eax = code;
        parent->state = PROCESS_READY;
        current->state = PROCESS_FREE;
    } else {
        current->exit_code = code;
        current->state = PROCESS_ENDED;
    }
    schedule();
}

static void call_wait(void)
{
    for (struct process *child = processes; child < processes + PROCESSES; child++) {
        if (child->state == PROCESS_ENDED && child->parent == current) {
            current->registers.eax = child->exit_code;
            child->state = PROCESS_FREE;
            return;
        }
    }
    current->state = PROCESS_WAITING;
    schedule();
}

/* Called by the entry points, when the registers of `current` are saved. Returns whose registers to go on
 * with. */
struct registers *fork_handle_trap(void)
{
    const struct registers *registers = &current->registers;
    if (registers->vector == PAGE_FAULT_VECTOR) {
        uint32_t linear;
        __asm__ volatile("movl %%cr2, %0" : "=r"(linear));
        handle_page_fault(linear, registers->error);
        return &current->registers;
    }
    switch (registers->eax) {
    case SYSTEM_CALL_FORK: call_fork(); break;
    case SYSTEM_CALL_EXIT: call_exit(registers->ebx); break;
    case SYSTEM_CALL_WAIT: call_wait(); break;
    case SYSTEM_CALL_YIELD: schedule(); break;
    default: workload_fail("no such system call");
    }
    return &current->registers;
}

/* ---- the program, which runs in ring 3, at USER_TEXT: it must not touch the image's data */

static inline uint32_t system_call(uint32_t number, uint32_t argument)
{
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(argument) : "memory");
    return number;
}

/* Writes to `count` pages of the data, and sums up a word of each. */
static uint32_t change_pages(uint32_t number, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t page = (number * 5 + i * 3) % DATA_PAGES;
        for (uint32_t word = i; word < PAGE_WORDS; word += 64) {
            USER_DATA_WORDS[page * PAGE_WORDS + word] += number + word;
        }
    }
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t page = 0; page < DATA_PAGES; page++) {
        hash = workload_hash(hash, USER_DATA_WORDS[page * PAGE_WORDS + number % PAGE_WORDS]);
    }
    return hash;
}

/* A child of the first process. The first of each generation has a child of its own. */
static uint32_t run_child(uint32_t number)
{
    uint32_t hash = change_pages(number, 6);
    system_call(SYSTEM_CALL_YIELD, 0);
    if (number % CHILDREN == 0) {
        if (system_call(SYSTEM_CALL_FORK, 0) == 0) {
            system_call(SYSTEM_CALL_EXIT, change_pages(number + 1, 3));
        }
        hash = workload_hash(hash, system_call(SYSTEM_CALL_WAIT, 0));
    }
    return hash ^ change_pages(number + 2, 2);
}

static void run_program(void)
{
    for (uint32_t word = 0; word < DATA_PAGES * PAGE_WORDS; word += 8) {
        USER_DATA_WORDS[word] = word * 0x9e3779b9u;
    }
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t generation = 0; generation < GENERATIONS; generation++) {
        for (uint32_t child = 0; child < CHILDREN; child++) {
            if (system_call(SYSTEM_CALL_FORK, 0) == 0) {
                system_call(SYSTEM_CALL_EXIT, run_child(generation * CHILDREN + child));
            }
        }
        hash = workload_hash(hash, change_pages(generation, 1));
        for (uint32_t child = 0; child < CHILDREN; child++) {
            hash = workload_hash(hash, system_call(SYSTEM_CALL_WAIT, 0));
        }
    }
    system_call(SYSTEM_CALL_EXIT, hash);
}

/* ---- the workload */

void workload_prepare(void)
{
    first_frame = guest_frame_allocate();
    kernel_space = guest_paging_start(GUEST_PAGE_WRITE | GUEST_PAGE_GLOBAL);
    guest_set_gate(SYSTEM_CALL_VECTOR, fork_system_call_entry, 3);
    guest_set_gate(PAGE_FAULT_VECTOR, fork_page_fault_entry, 0);
}

uint32_t workload_run(void)
{
    forks = 0;
    copies = 0;
    current = processes;
    *current = (struct process){
        .state = PROCESS_READY,
        .space = create_space(),
        .registers = {.es = GUEST_USER_DATA,
                      .ds = GUEST_USER_DATA,
                      .eip = (uint32_t)run_program - (uint32_t)payload_start + USER_TEXT,
                      .cs = GUEST_USER_CODE,
                      .eflags = 2,
                      .esp = USER_STACK_TOP,
                      .ss = GUEST_USER_DATA},
    };
    guest_space_load(current->space);
    guest_tss.esp0 = (uint32_t)(&current->registers + 1);
    uint32_t hash = fork_run(&current->registers);
    if (frames_used != 0) {
        workload_fail("pages are left when all processes have ended");
    }
    return workload_hash(workload_hash(hash, forks), copies);
}
