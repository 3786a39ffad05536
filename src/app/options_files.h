/* What the files of a command line have to do with each other. */
#ifndef DOPPEL_APP_OPTIONS_FILES_H
#define DOPPEL_APP_OPTIONS_FILES_H

#include "app/options.h"

/* Whether everything that doppel writes has a file of its own: a log or a recording in the place of a disk
 * image, a kernel or another log would destroy it. Files are looked at, but not opened. */
struct status options_check_files(const struct options *options) STATUS_MUST_CHECK;

#endif
