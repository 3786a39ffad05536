/* Colours for what people read on a terminal. Anywhere else, and where NO_COLOR is set, there are none. */
#ifndef DOPPEL_DEBUGGER_STYLE_H
#define DOPPEL_DEBUGGER_STYLE_H

#include <stdio.h>

enum style { STYLE_PLAIN, STYLE_LABEL, STYLE_HERE, STYLE_REMARK, STYLE_ERROR };

/* The characters (ECMA-48 SGR) that switch `out` to a style; "" where there are no colours. */
const char *style_of(FILE *out, enum style style);

#endif
