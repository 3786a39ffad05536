# cmake -DSOURCE=DIR -DOUTPUT=FILE -P commit.cmake
# Writes a header with the commit that the sources are at, and whether they differ from it. Leaves a header alone that
# says so already, so that nothing is compiled anew.
execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "/* Which sources doppel-bench was built from. */\n#define DOPPEL_COMMIT \"${commit}\"\n")
