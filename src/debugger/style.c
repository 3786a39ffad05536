/* See style.h. */
#include "debugger/style.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *style_of(FILE *out, enum style style)
{
    static const char *const sequences[] = {[STYLE_PLAIN] = "\033[0m",
                                            [STYLE_LABEL] = "\033[36m",
                                            [STYLE_HERE] = "\033[1m",
                                            [STYLE_REMARK] = "\033[32m",
                                            [STYLE_ERROR] = "\033[31m"};
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if ((refused != NULL && refused[0] != '\0') || terminal == NULL || strcmp(terminal, "dumb") == 0 ||
        !isatty(fileno(out))) {
        return "";
    }
    return sequences[style];
}
