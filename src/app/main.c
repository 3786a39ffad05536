/* main(): from the command line to a session and an exit status. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/lockstep_session.h"
#include "app/options.h"
#include "app/options_engine.h"
#include "app/session.h"
#include "machine/machine.h"

enum { EXIT_RUNTIME = 1, EXIT_USAGE = 2 };

static int fail(const struct status *status, int exit_status)
{
    fprintf(stderr, "doppel: %s\n", status->message);
    return exit_status;
}

/* Output that did not arrive is a failure, unless there is one already. */
static int finish(int exit_status)
{
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (failed && exit_status == 0) {
        fputs("doppel: standard output could not be written\n", stderr);
        return EXIT_RUNTIME;
    }
    return exit_status;
}

/* Where standard input, output or errors are closed, the next file that is opened would be them, and a disk
 * image get what is printed. In their place comes one that fails, as a closed one would. */
static void occupy_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int main(int argc, char **argv)
{
    occupy_closed_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of that file, and told as one */
    struct options options;
    struct status status = options_parse(argc, argv, &options);
    if (!status_is_ok(&status)) {
        return fail(&status, EXIT_USAGE);
    }
    switch (options.action) {
    case OPTIONS_HELP: options_print_help(stdout); return finish(0);
    case OPTIONS_VERSION: printf("doppel %s\n", DOPPEL_VERSION); return finish(0);
    case OPTIONS_CPU_HELP: options_print_cpus(stdout); return finish(0);
    case OPTIONS_ENGINE_HELP: options_print_choices(options.help_axis, stdout); return finish(0);
    case OPTIONS_LOG_HELP: options_print_log_categories(stdout); return finish(0);
    case OPTIONS_RUN: break;
    }
    status = machine_config_check(&options.machine);
    if (!status_is_ok(&status)) {
        return fail(&status, EXIT_USAGE);
    }
    int exit_status = 0;
    status = options.check.lockstep ? lockstep_session_run(&options, &exit_status)
                                    : session_run(&options, &exit_status);
    if (!status_is_ok(&status)) {
        return fail(&status, EXIT_RUNTIME);
    }
    return finish(exit_status);
}
