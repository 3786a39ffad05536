/* See gdb_target_xml.h. */
#include "debugger/gdb_target_xml.h"

#include <assert.h>
#include <stdio.h>

#include "debugger/gdb_packet.h"
#include "debugger/gdb_registers.h"

static const char core_types[] = //
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"\" start=\"22\" end=\"31\"/>"
    "<field name=\"CF\" start=\"0\" end=\"0\"/>"
    "<field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/>"
    "<field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/>"
    "<field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/>"
    "<field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/>"
    "<field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"IOPL\" start=\"12\" end=\"13\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/>"
    "<field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/>"
    "<field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"VIF\" start=\"19\" end=\"19\"/>"
    "<field name=\"VIP\" start=\"20\" end=\"20\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/>"
    "</flags>\n";

static const char sse_types[] = //
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
    "<union id=\"vec128\">"
    "<field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/>"
    "</union>\n"
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/>"
    "<field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/>"
    "<field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/>"
    "<field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/>"
    "<field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/>"
    "<field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/>"
    "<field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/>"
    "<field name=\"FZ\" start=\"15\" end=\"15\"/>"
    "</flags>\n";

static const char system_types[] = //
    "<flags id=\"x86_cr0\" size=\"4\">"
    "<field name=\"PE\" start=\"0\" end=\"0\"/>"
    "<field name=\"MP\" start=\"1\" end=\"1\"/>"
    "<field name=\"EM\" start=\"2\" end=\"2\"/>"
    "<field name=\"TS\" start=\"3\" end=\"3\"/>"
    "<field name=\"ET\" start=\"4\" end=\"4\"/>"
    "<field name=\"NE\" start=\"5\" end=\"5\"/>"
    "<field name=\"WP\" start=\"16\" end=\"16\"/>"
    "<field name=\"AM\" start=\"18\" end=\"18\"/>"
    "<field name=\"NW\" start=\"29\" end=\"29\"/>"
    "<field name=\"CD\" start=\"30\" end=\"30\"/>"
    "<field name=\"PG\" start=\"31\" end=\"31\"/>"
    "</flags>\n"
    "<flags id=\"x86_cr4\" size=\"4\">"
    "<field name=\"VME\" start=\"0\" end=\"0\"/>"
    "<field name=\"PVI\" start=\"1\" end=\"1\"/>"
    "<field name=\"TSD\" start=\"2\" end=\"2\"/>"
    "<field name=\"DE\" start=\"3\" end=\"3\"/>"
    "<field name=\"PSE\" start=\"4\" end=\"4\"/>"
    "<field name=\"PAE\" start=\"5\" end=\"5\"/>"
    "<field name=\"MCE\" start=\"6\" end=\"6\"/>"
    "<field name=\"PGE\" start=\"7\" end=\"7\"/>"
    "<field name=\"PCE\" start=\"8\" end=\"8\"/>"
    "<field name=\"OSFXSR\" start=\"9\" end=\"9\"/>"
    "<field name=\"OSXMMEXCPT\" start=\"10\" end=\"10\"/>"
    "</flags>\n";

static const struct {
    const char *name, *types;
} features[GDB_FEATURES] = {
    [GDB_FEATURE_CORE] = {"org.gnu.gdb.i386.core", core_types},
    [GDB_FEATURE_SSE] = {"org.gnu.gdb.i386.sse", sse_types},
    [GDB_FEATURE_SYSTEM] = {"doppel.x86.system", system_types},
};

static void add_register(struct gdb_text *text, const struct gdb_register *which)
{
    char line[160], group[32] = "";
    if (which->group[0] != '\0') {
        snprintf(group, sizeof group, " group=\"%s\"", which->group);
    }
    snprintf(line, sizeof line, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"%s/>\n", which->name,
             8 * which->bytes, which->type, group);
    gdb_text_add(text, line);
}

static uint64_t add_feature(struct gdb_text *text, uint64_t number)
{
    const enum gdb_feature feature = gdb_register_at(number)->feature;
    const struct gdb_register *which;
    gdb_text_add(text, "<feature name=\"");
    gdb_text_add(text, features[feature].name);
    gdb_text_add(text, "\">\n");
    gdb_text_add(text, features[feature].types);
    while ((which = gdb_register_at(number)) != NULL && which->feature == feature) {
        add_register(text, which);
        number++;
    }
    gdb_text_add(text, "</feature>\n");
    return number;
}

size_t gdb_target_xml_write(unsigned code_size, char *to)
{
    struct gdb_text text = {.data = to, .size = GDB_TARGET_XML_MAX};
    gdb_text_add(&text, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n");
    gdb_text_add(&text, code_size == 2 ? "<architecture>i8086</architecture>\n"
                                       : "<architecture>i386</architecture>\n");
    gdb_text_add(&text, "<osabi>none</osabi>\n");
    for (uint64_t number = 0; gdb_register_at(number) != NULL;) {
        number = add_feature(&text, number);
    }
    gdb_text_add(&text, "</target>\n");
    assert(!text.full);
    return text.length;
}

const char *gdb_memory_map_xml(void)
{
    return "<?xml version=\"1.0\"?>\n"
           "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
           "\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
           "<memory-map>\n"
           "<memory type=\"ram\" start=\"0x0\" length=\"0x100000000\"/>\n"
           "</memory-map>\n";
}
