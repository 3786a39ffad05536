/* One run of doppel: the machine, what it is connected to, and the loop that drives them until somebody wants
 * to stop.
 *
 * The loop runs on the machine's thread, which is the only one unless the front end needs the main thread for
 * its window. All waiting happens in one place (wait_for_something()), on descriptors and with a limit, so
 * that an idle guest costs no host time. */
#ifndef DOPPEL_APP_SESSION_H
#define DOPPEL_APP_SESSION_H

#include "app/options.h"
#include "base/status.h"

/* Builds everything `options` asks for, runs it to the end and takes it down. *exit_status is what the
 * process is to exit with when the result is STATUS_OK. Call from the main thread. */
struct status session_run(const struct options *options, int *exit_status) STATUS_MUST_CHECK;

#endif
