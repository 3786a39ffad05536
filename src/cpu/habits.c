/* Which habits a model has: those of the host's processor where its code can be translated, and what is known
 * of the model itself. */
#include "cpu/habits.h"

#include "cpu/flags.h"
#include "cpu/model.h"

_Static_assert((unsigned)HABIT_SHIFT_SETS_AF == LAZY_AF, "shifts add the one to the other");

uint32_t cpu_habits_of(const struct cpu_model *model)
{
    uint32_t habits = model->generation >= CPU_80386 ? cpu_habits_of_host() : 0;
    return model->shift_overflow_of_last_step ? habits | HABIT_SHIFT_OVERFLOW_OF_LAST_STEP : habits;
}
