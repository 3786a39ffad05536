/* The options that choose an engine and its strategies: -engine, -mmu, -sensitive, -chain, -tb-size,
 * -tb-warm, -check.
 */
#ifndef DOPPEL_APP_OPTIONS_ENGINE_H
#define DOPPEL_APP_OPTIONS_ENGINE_H

#include "app/options.h"
#include "base/status.h"
#include "machine/engine_factory.h"

struct status options_set_engine(struct engine_config *config, const char *value) STATUS_MUST_CHECK;
struct status options_set_mmu(struct engine_config *config, const char *value) STATUS_MUST_CHECK;
struct status options_set_sensitive(struct engine_config *config, const char *value) STATUS_MUST_CHECK;
struct status options_set_chain(struct engine_config *config, const char *value) STATUS_MUST_CHECK;
struct status options_set_check(struct options_check *check, char *value) STATUS_MUST_CHECK;
struct status options_set_tb_size(struct engine_config *config, const char *value) STATUS_MUST_CHECK;
struct status options_set_tb_warm(struct engine_config *config, const char *value) STATUS_MUST_CHECK;

/* The values of -engine, -mmu or -sensitive (ENGINE_AXIS_COUNT: of -chain) that this build has, a line each.
 */
void options_print_choices(enum engine_axis axis, FILE *out);

#endif
