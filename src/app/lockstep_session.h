/* -check lockstep: a run of two machines that must not differ (machine/lockstep.h), with the same script on
 * both. When they do, the run is repeated to find the first instruction that makes a difference. */
#ifndef DOPPEL_APP_LOCKSTEP_SESSION_H
#define DOPPEL_APP_LOCKSTEP_SESSION_H

#include "app/options.h"
#include "base/status.h"

/* *exit_status: 1 when the engines differ, otherwise what a run without the check would give. */
struct status lockstep_session_run(const struct options *options, int *exit_status) STATUS_MUST_CHECK;

#endif
