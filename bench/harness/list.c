/* Workloads, strategies and programs, for --list. */
#include "harness/list.h"

#include <string.h>

static void print_workloads(const struct workload_list *workloads, FILE *out)
{
    fputs("Workloads (* is part of --quick, n runs on the host itself too)\n", out);
    for (size_t i = 0; i < workloads->count; i++) {
        const struct workload *workload = &workloads->items[i];
        if (i == 0 || strcmp(workload->group, workloads->items[i - 1].group) != 0) {
            fprintf(out, "  %s\n", workload->group);
        }
        const struct workload_boot *boot = workload->boot;
        bool missing = boot != NULL && boot->image == NULL && boot->kernel == NULL;
        fprintf(out, "    %c%c %-20s %s%s\n", workload->properties & WORKLOAD_QUICK ? '*' : ' ',
                workload->properties & WORKLOAD_NATIVE ? 'n' : ' ', workload->name, workload->text,
                missing ? " (no image of it was found)" : "");
    }
}

static void print_strategies(const struct configuration_list *configurations, FILE *out)
{
    size_t count;
    const struct strategy *strategies = strategy_table(&count);
    fputs("\nEngines and strategies of doppel\n", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  --%-10s %-10s %s%s\n", strategy_axis_name(strategies[i].axis), strategies[i].name,
                strategies[i].text, configurations->built[i] ? "" : ": not built yet");
    }
}

static void print_configurations(const struct configuration_list *configurations, FILE *out)
{
    fputs("\nColumns of this run\n", out);
    for (size_t i = 0; i < configurations->count; i++) {
        const struct configuration *configuration = &configurations->items[i];
        fprintf(out, "  %-12s ", configuration->id);
        if (!configuration->available) {
            fprintf(out, "not available: %s\n", configuration->note);
        } else if (configuration->kind == CONFIGURATION_NATIVE) {
            fputs("a process of the host\n", out);
        } else {
            fprintf(out, "%s (%s)\n",
                    configuration->version[0] != '\0' ? configuration->version : "no version",
                    configuration->program);
        }
    }
}

void list_print(const struct selection *selection, FILE *out)
{
    print_workloads(&selection->workloads, out);
    print_strategies(&selection->configurations, out);
    print_configurations(&selection->configurations, out);
}
