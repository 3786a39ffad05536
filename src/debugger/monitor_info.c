/* `info`: topics of the machine as a whole (info_topic.def), and every device by its name. */
#include <string.h>

#include "bus/event_clock.h"
#include "cpu/x87.h"
#include "debugger/monitor_internal.h"
#include "mmu/view.h"

#define TOPIC(symbol, name, help) static void info_##symbol(struct monitor *monitor, FILE *out);
#define TOPIC_AT(symbol, name, argument, help)
#include "debugger/info_topic.def"
#undef TOPIC_AT
#undef TOPIC

static const struct info_topic {
    const char *name, *argument, *help;
    void (*print)(struct monitor *monitor, FILE *out);
    struct status (*print_at)(struct monitor *monitor, const char *argument, FILE *out);
} info_topics[] = {
#define TOPIC(symbol, name, help)              {name, "", help, info_##symbol, NULL},
#define TOPIC_AT(symbol, name, argument, help) {name, argument, help, NULL, monitor_info_##symbol},
#include "debugger/info_topic.def"
#undef TOPIC_AT
#undef TOPIC
};

static void info_status(struct monitor *monitor, FILE *out)
{
    struct machine *machine = monitor->machine;
    uint64_t now = machine_now(machine);
    const char *state = monitor->power_off != NULL   ? "off"
                        : machine_is_paused(machine) ? "paused"
                                                     : "running";
    fprintf(out, "machine: %s\nguest time: %llu.%09llu s\ninstructions: %llu\n", state,
            (unsigned long long)(now / NS_PER_SECOND), (unsigned long long)(now % NS_PER_SECOND),
            (unsigned long long)machine_cpu(machine)->retired);
}

static void info_registers(struct monitor *monitor, FILE *out)
{
    cpu_describe(machine_cpu(monitor->machine), out);
    cpu_describe_floating_point(machine_cpu(monitor->machine), out);
}

static void info_cpus(struct monitor *monitor, FILE *out)
{
    static const char *const modes[] = {[CPU_MODE_REAL] = "real mode",
                                        [CPU_MODE_V86] = "virtual-8086 mode",
                                        [CPU_MODE_PROTECTED] = "protected mode"};
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    char model[CPU_MODEL_TEXT];
    cpu_model_print(cpu->model, model, sizeof model);
    fprintf(out, "cpu 0: %s (%s), %s, ring %u, %u-bit code, %s\n", model, cpu->model->description,
            modes[cpu->mode], cpu->cpl, cpu->code_size * 8u, cpu->halted ? "halted" : "executing");
}

static void info_engine(struct monitor *monitor, FILE *out)
{
    const struct engine_config *config = machine_engine_config(monitor->machine);
    const unsigned choices[ENGINE_AXIS_COUNT] = {[ENGINE_AXIS_ENGINE] = config->kind,
                                                 [ENGINE_AXIS_MMU] = config->mmu,
                                                 [ENGINE_AXIS_SENSITIVE] = config->sensitive};
    for (enum engine_axis axis = 0; axis < ENGINE_AXIS_COUNT; axis++) {
        if (axis != ENGINE_AXIS_SENSITIVE || config->kind == ENGINE_DBT) {
            fprintf(out, "%-10s %-8s %s\n", engine_axis_name(axis), engine_choice_name(axis, choices[axis]),
                    engine_choice_text(axis, choices[axis]));
        }
    }
    if (config->kind == ENGINE_DBT) {
        fprintf(out, "%-10s %s\n%-10s %u MiB\n%-10s %u\n", "chain", config->unchained ? "off" : "on",
                "tb-size", config->tb_size_mib != 0 ? config->tb_size_mib : ENGINE_TB_SIZE_DEFAULT, "tb-warm",
                config->tb_warm);
    }
}

static void info_sensitive(struct monitor *monitor, FILE *out)
{
    monitor_print_sensitive(monitor, out);
}

static void info_callouts(struct monitor *monitor, FILE *out)
{
    monitor_print_callouts(monitor, out);
}

static void print_memory_run(void *opaque, uint64_t first, uint64_t last, const char *kind)
{
    fprintf(opaque, "%010llx-%010llx %10llu KiB  %s\n", (unsigned long long)first, (unsigned long long)last,
            (unsigned long long)((last - first + 1) / KIB), kind);
}

static void info_mem(struct monitor *monitor, FILE *out)
{
    const struct memory_bus *memory = machine_memory(monitor->machine);
    fprintf(out, "ram: %llu MiB, A20 %s\n", (unsigned long long)(memory_bus_ram_size(memory) / MIB),
            memory_bus_a20(memory) ? "on" : "off");
    memory_bus_for_each(memory, print_memory_run, out);
}

static void print_port_region(void *opaque, const struct io_region *region)
{
    fprintf(opaque, "%04llx-%04llx  %s\n", (unsigned long long)region->base,
            (unsigned long long)(region->base + region->length - 1), region->name);
}

static void info_io(struct monitor *monitor, FILE *out)
{
    port_bus_for_each(machine_ports(monitor->machine), print_port_region, out);
}

static void info_block(struct monitor *monitor, FILE *out)
{
    machine_describe_floppies(monitor->machine, out);
    machine_describe_ide(monitor->machine, out);
}

static void info_post(struct monitor *monitor, FILE *out)
{
    machine_describe_post_codes(monitor->machine, out);
}

static void info_display(struct monitor *monitor, FILE *out)
{
    const struct display_frame *frame = monitor_render(monitor);
    fprintf(out, "picture: %u x %u pixels\n", frame->width, frame->height);
    if (frame->text.active) {
        fprintf(out, "text: %u x %u, cursor %s at column %u row %u\n", frame->text.columns, frame->text.rows,
                frame->text.cursor_visible ? "on" : "off", frame->text.cursor_column, frame->text.cursor_row);
    }
}

static void print_view(void *opaque, const struct mmu_view_info *view)
{
    FILE *out = opaque;
    char root[24] = "no paging";
    if (view->shared) {
        snprintf(root, sizeof root, "global pages");
    } else if (view->paged) {
        snprintf(root, sizeof root, "cr3 %08llx", (unsigned long long)view->root);
    }
    fprintf(out, "%s, %s%s: %u pages, %u writable, %u pieces; %llu fills, %llu instructions\n", root,
            view->user ? "user" : "supervisor", view->current ? " (current)" : "", view->pages,
            view->writable, view->pieces, (unsigned long long)view->fills,
            (unsigned long long)view->executed);
}

static void print_counters(const struct monitor *monitor, const enum counter *shown, size_t count, FILE *out)
{
    const struct counters *counters = machine_counters(monitor->machine);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-20s %14llu  %s\n", counter_name(shown[i]),
                (unsigned long long)counters->value[shown[i]], counter_text(shown[i]));
    }
}

struct view_totals {
    unsigned views, pages, pieces;
};

static void add_view(void *opaque, const struct mmu_view_info *view)
{
    struct view_totals *totals = opaque;
    totals->views++;
    totals->pages += view->pages;
    totals->pieces += view->pieces;
}

static void info_mmu(struct monitor *monitor, FILE *out)
{
    static const enum counter shown[] = {COUNTER_PAGE_WALKS,  COUNTER_TLB_FILLS,  COUNTER_FAST_TLB_FILLS,
                                         COUNTER_TLB_FLUSHES, COUNTER_VIEW_FILLS, COUNTER_VIEW_FAULTS};
    struct mmu *mmu = machine_mmu(monitor->machine);
    const struct cpu_state *cpu = mmu->cpu;
    struct view_totals totals = {0};
    if (cpu->cr0 & CR0_PG) {
        fprintf(out, "paging: cr3 %08llx%s%s%s%s%s\n", (unsigned long long)cpu->cr3,
                cpu->cr4 & CR4_PAE ? ", PAE" : "", cpu->cr4 & CR4_PSE ? ", PSE" : "",
                cpu->cr4 & CR4_PGE ? ", PGE" : "", cpu->cr0 & CR0_WP ? ", WP" : "",
                cpu->efer & EFER_NXE ? ", NX" : "");
    } else {
        fprintf(out, "paging: off\n");
    }
    mmu_for_each_view(mmu, add_view, &totals);
    fprintf(out, "views: %u of %u; %u pages of %u, %u pieces of %u\n", totals.views, VIEWS_MAX, totals.pages,
            VIEW_PAGES_MAX, totals.pieces, VIEW_PIECES_MAX);
    print_counters(monitor, shown, ARRAY_COUNT(shown), out);
}

static void info_views(struct monitor *monitor, FILE *out)
{
    static const enum counter shown[] = {
        COUNTER_VIEWS_CREATED, COUNTER_VIEWS_EVICTED,  COUNTER_VIEW_RECLAIMS, COUNTER_VIEWS_REFUSED,
        COUNTER_VIEWS_DEMOTED, COUNTER_VIEWS_COMPARED, COUNTER_VIEW_FILLS,    COUNTER_VIEW_PAGES,
        COUNTER_VIEW_FAULTS,   COUNTER_VIEW_REFUSALS,  COUNTER_INSNS_DEMOTED, COUNTER_CODE_PAGES_DROPPED};
    mmu_for_each_view(machine_mmu(monitor->machine), print_view, out);
    print_counters(monitor, shown, ARRAY_COUNT(shown), out);
}

static void info_counters(struct monitor *monitor, FILE *out)
{
    const struct counters *counters = machine_counters(monitor->machine);
    for (enum counter counter = 0; counter < COUNTER_COUNT; counter++) {
        fprintf(out, "%-20s %14llu  %s\n", counter_name(counter),
                (unsigned long long)counters->value[counter], counter_text(counter));
    }
}

static void info_version(struct monitor *monitor, FILE *out)
{
    (void)monitor;
    fprintf(out, "doppel %s\n", DOPPEL_VERSION);
}

const char *monitor_topic_name(size_t n)
{
    return n < ARRAY_COUNT(info_topics) ? info_topics[n].name : NULL;
}

const char *monitor_topic_arguments(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(info_topics); i++) {
        if (strcmp(info_topics[i].name, name) == 0) {
            return info_topics[i].argument;
        }
    }
    return "";
}

static void list_topics(struct monitor *monitor, FILE *out)
{
    for (size_t i = 0; i < ARRAY_COUNT(info_topics); i++) {
        char words[32];
        snprintf(words, sizeof words, "%s %s", info_topics[i].name, info_topics[i].argument);
        fprintf(out, "info %-16s %s\n", words, info_topics[i].help);
    }
    fputs("devices:", out);
    const char *name;
    for (size_t i = 0; (name = machine_device_name(monitor->machine, i)) != NULL; i++) {
        fprintf(out, " %s", name);
    }
    fputc('\n', out);
}

static struct status print_topic(struct monitor_session *session, const struct info_topic *topic,
                                 const char *argument)
{
    if (topic->print_at != NULL) {
        return topic->print_at(session->monitor, argument, session->out);
    }
    topic->print(session->monitor, session->out);
    return status_ok();
}

struct status command_info(struct monitor_session *session, int argc, char **argv)
{
    struct monitor *monitor = session->monitor;
    if (argc < 2) {
        list_topics(monitor, session->out);
        return status_ok();
    }
    for (size_t i = 0; i < ARRAY_COUNT(info_topics); i++) {
        if (strcmp(argv[1], info_topics[i].name) == 0) {
            return print_topic(session, &info_topics[i], argc > 2 ? monitor_rest(session, 2) : NULL);
        }
    }
    if (machine_describe_device(monitor->machine, argv[1], session->out)) {
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT, "there is no topic or device \"%s\" (info lists them)",
                        argv[1]);
}
