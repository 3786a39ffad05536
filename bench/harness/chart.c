/* Bar charts by gnuplot; see chart.h.
 *
 * gnuplot gets a script in a directory of its own and writes an SVG file there (its `svg` terminal, of 5.2
 * and later). Its vertical scale is the pixels of the picture, so that all places are computed here. */
#include "harness/chart.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/html_text.h"
#include "harness/memory.h"
#include "harness/process.h"

#define SCRIPT_NAME  "chart.gp"
#define PICTURE_NAME "chart.svg"
#define TIMEOUT      20 /* seconds */

/* Pixels. */
#define WIDTH        440
#define BAR_HEIGHT   12
#define ROW_GAP      8
#define TOP          6
#define BOTTOM       28
#define LABEL_LENGTH 22 /* characters; what is longer is cut */
#define LABEL_CHAR   8  /* the width of one */
#define LABEL_SPACE  14
#define RIGHT        60 /* for the texts of the longest bars */

/* The colours that gnuplot writes, as numbers 0102xx, and what becomes of them. */
enum { COLOR_LINE, COLOR_TEXT, COLOR_MUTED, COLOR_BAD, COLOR_SERIES = 16, COLOR_BASE = 0x010200 };

static const char *const color_names[] = {
    [COLOR_LINE] = "line", [COLOR_TEXT] = "text", [COLOR_MUTED] = "muted", [COLOR_BAD] = "bad"};

struct layout {
    unsigned left, height;
    double low, high; /* of the scale */
};

static bool is_bar(const struct chart_value *value)
{
    return isfinite(value->value) && value->value > 0;
}

/* Whether there is a line across the bar's end. */
static bool has_whisker(const struct chart_value *value)
{
    return value->low > 0 && value->high > value->low && isfinite(value->high);
}

/* How far the bar and its line reach. */
static double bar_low(const struct chart_value *value)
{
    return has_whisker(value) ? fmin(value->value, value->low) : value->value;
}

static double bar_high(const struct chart_value *value)
{
    return has_whisker(value) ? fmax(value->value, value->high) : value->value;
}

bool chart_has_bars(const struct chart *chart)
{
    for (size_t i = 0; i < chart->rows * chart->columns; i++) {
        if (is_bar(&chart->values[i])) {
            return true;
        }
    }
    return false;
}

static unsigned row_height(const struct chart *chart)
{
    return (unsigned)chart->columns * BAR_HEIGHT + ROW_GAP;
}

/* How many characters of the text are shown, in bytes, and how many characters these are. */
static size_t shown_length(const char *text, size_t *characters)
{
    size_t length = 0;
    *characters = 0;
    while (text[length] != '\0' && *characters < LABEL_LENGTH) {
        length++;
        while (((unsigned char)text[length] & 0xC0) == 0x80) {
            length++;
        }
        ++*characters;
    }
    return length;
}

/* The scale reaches from the shortest to the longest bar with its line, and always from 1 to 3 or from 0.3
 * to 1. */
static struct layout plan(const struct chart *chart)
{
    struct layout layout = {
        .height = TOP + (unsigned)chart->rows * row_height(chart) + BOTTOM, .low = 1, .high = 1};
    for (size_t i = 0; i < chart->rows * chart->columns; i++) {
        if (is_bar(&chart->values[i])) {
            layout.low = fmin(layout.low, bar_low(&chart->values[i]));
            layout.high = fmax(layout.high, bar_high(&chart->values[i]));
        }
    }
    if (layout.high < 3 && layout.low > 0.3) {
        layout.high = 3;
    }
    layout.high *= 1.05;
    layout.low /= layout.low < 1 ? 1.05 : 1;
    size_t longest = 0;
    for (size_t i = 0; i < chart->rows; i++) {
        size_t characters;
        shown_length(chart->labels[i], &characters);
        longest = characters > longest ? characters : longest;
    }
    layout.left = (unsigned)longest * LABEL_CHAR + LABEL_SPACE;
    return layout;
}

/* ---- the script */

static void write_scale(const struct layout *layout, FILE *script)
{
    int first = (int)floor(log10(layout->low));
    int last = (int)ceil(log10(layout->high));
    int step = 1 + (last - first) / 6;
    bool fine = layout->high / layout->low < 50;
    fputs("set xtics (", script);
    for (int decade = first; decade <= last; decade++) {
        double power = pow(10, decade);
        if (decade % step == 0) {
            fprintf(script, "%s\"%.12g×\" %.12g", decade == first ? "" : ", ", power, power);
        } else {
            fprintf(script, "%s\"\" %.12g", decade == first ? "" : ", ", power);
        }
        if (fine) {
            fprintf(script, ", \"%.12g×\" %.12g, \"%.12g×\" %.12g", 2 * power, 2 * power, 5 * power,
                    5 * power);
        }
    }
    fputs(") scale 0\n", script);
}

static void write_frame(const struct chart *chart, const struct layout *layout, FILE *script)
{
    fprintf(script,
            "set terminal svg size %u,%u fixed noenhanced font \"sans,13\"\n"
            "set output \"" PICTURE_NAME "\"\n"
            "set encoding utf8\n"
            "unset key\n"
            "set border 0\n"
            "set logscale x 10\n"
            "set lmargin at screen %.6f\n"
            "set rmargin at screen %.6f\n"
            "set tmargin at screen %.6f\n"
            "set bmargin at screen %.6f\n"
            "set xrange [%.12g:%.12g]\n"
            "set yrange [%u:%u]\n"
            "set grid xtics lt 1 lc rgb \"#%06x\"\n"
            "set arrow from 1,graph 0 to 1,graph 1 nohead back lc rgb \"#%06x\"\n"
            "set style fill solid 1 noborder\n",
            (unsigned)WIDTH, layout->height, (double)layout->left / WIDTH, 1 - (double)RIGHT / WIDTH,
            1 - (double)TOP / layout->height, (double)BOTTOM / layout->height, layout->low, layout->high,
            layout->height - BOTTOM, (unsigned)TOP, (unsigned)(COLOR_BASE + COLOR_LINE),
            (unsigned)(COLOR_BASE + COLOR_MUTED));
    fputs("set ytics (", script);
    for (size_t row = 0; row < chart->rows; row++) {
        fprintf(script, "%s\"@%zu@\" %.1f", row == 0 ? "" : ", ", row,
                TOP + row_height(chart) * ((double)row + 0.5));
    }
    fputs(") scale 0\n", script);
}

static double bar_middle(const struct chart *chart, size_t row, size_t column)
{
    return TOP + (double)row * row_height(chart) + ROW_GAP / 2.0 + ((double)column + 0.5) * BAR_HEIGHT;
}

static void write_bars(const struct chart *chart, FILE *script)
{
    fputs("$bars << END\n", script);
    for (size_t row = 0; row < chart->rows; row++) {
        for (size_t column = 0; column < chart->columns; column++) {
            const struct chart_value *value = &chart->values[row * chart->columns + column];
            double y = bar_middle(chart, row, column);
            if (is_bar(value)) {
                fprintf(script, "%.12g %.1f %.12g %.12g %.1f %.1f %u\n", value->value, y,
                        fmin(1, value->value), fmax(1, value->value), y - BAR_HEIGHT / 2.0 + 0.5,
                        y + BAR_HEIGHT / 2.0 - 0.5, COLOR_BASE + COLOR_SERIES + chart->colors[column]);
            }
        }
    }
    fputs("END\n", script);
}

/* Returns whether there are any. */
static bool write_whiskers(const struct chart *chart, FILE *script)
{
    bool any = false;
    fputs("$whiskers << END\n", script);
    for (size_t row = 0; row < chart->rows; row++) {
        for (size_t column = 0; column < chart->columns; column++) {
            const struct chart_value *value = &chart->values[row * chart->columns + column];
            if (is_bar(value) && has_whisker(value)) {
                fprintf(script, "%.12g %.1f %.12g 0\n", value->low, bar_middle(chart, row, column),
                        value->high - value->low);
                any = true;
            }
        }
    }
    fputs("END\n", script);
    return any;
}

/* Texts have the numbers behind those of the rows. */
static bool write_texts(const struct chart *chart, FILE *script)
{
    bool any = false;
    fputs("$texts << END\n", script);
    for (size_t row = 0; row < chart->rows; row++) {
        for (size_t column = 0; column < chart->columns; column++) {
            size_t index = row * chart->columns + column;
            const struct chart_value *value = &chart->values[index];
            if (value->text != NULL) {
                double end = is_bar(value) ? fmax(1, bar_high(value)) : 1;
                fprintf(script, "%.12g %.1f \"@%zu@\" %u\n", end, bar_middle(chart, row, column),
                        chart->rows + index, COLOR_BASE + (is_bar(value) ? COLOR_TEXT : COLOR_BAD));
                any = true;
            }
        }
    }
    fputs("END\n", script);
    return any;
}

static void write_script(const struct chart *chart, FILE *script)
{
    struct layout layout = plan(chart);
    write_frame(chart, &layout, script);
    write_scale(&layout, script);
    write_bars(chart, script);
    bool whiskers = write_whiskers(chart, script);
    bool texts = write_texts(chart, script);
    fputs("plot $bars using 1:2:3:4:5:6:7 with boxxyerror lc rgb variable", script);
    if (whiskers) {
        fprintf(script, ", $whiskers using 1:2:3:4 with vectors nohead lc rgb \"#%06x\"",
                (unsigned)(COLOR_BASE + COLOR_TEXT));
    }
    if (texts) {
        fputs(", $texts using 1:2:3:4 with labels left offset char 0.5,0 font \"sans,11\" tc rgb variable",
              script);
    }
    fputc('\n', script);
}

/* ---- gnuplot */

static bool ignore_line(void *opaque, const char *line, struct process_moment moment)
{
    (void)opaque;
    (void)line;
    (void)moment;
    return true;
}

static struct status run_gnuplot(const char *directory)
{
    const char *const argv[] = {"gnuplot", SCRIPT_NAME, NULL};
    struct process_request request = {
        .argv = argv, .directory = directory, .timeout_seconds = TIMEOUT, .line = ignore_line};
    struct process_result result = {0};
    struct status status = process_run(&request, &result);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (result.interrupted) {
        return status_error(STATUS_IO_ERROR, "interrupted before gnuplot was done");
    }
    if (result.timed_out) {
        return status_error(STATUS_IO_ERROR, "gnuplot did not end within %d seconds", TIMEOUT);
    }
    if (result.wait_status != 0) {
        return status_error(STATUS_IO_ERROR, "gnuplot failed: %s", result.last_words);
    }
    return status_ok();
}

static struct status read_picture(const char *path, char **text)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return status_from_errno(errno, "gnuplot drew no picture");
    }
    size_t size = 0;
    ssize_t length = getdelim(text, &size, '\0', file);
    fclose(file);
    return length > 0 ? status_ok() : status_error(STATUS_IO_ERROR, "gnuplot drew an empty picture");
}

static struct status draw(const struct chart *chart, const char *directory, char **picture)
{
    char *script_path = memory_format("%s/" SCRIPT_NAME, directory);
    char *picture_path = memory_format("%s/" PICTURE_NAME, directory);
    struct status status = status_ok();
    FILE *script = fopen(script_path, "w");
    if (script != NULL) {
        write_script(chart, script);
    }
    if (script == NULL || fclose(script) != 0) {
        status = status_from_errno(errno, "cannot write %s", script_path);
    }
    if (status_is_ok(&status)) {
        status = run_gnuplot(directory);
    }
    if (status_is_ok(&status)) {
        status = read_picture(picture_path, picture);
    }
    unlink(script_path);
    unlink(picture_path);
    free(script_path);
    free(picture_path);
    return status;
}

/* ---- from gnuplot's file to an element of the page */

static bool starts_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Behind the end of the element or attribute that begins here, if it is one that the page has no use for:
 * names that are the same in every picture, gnuplot's own fonts. Otherwise `at`. */
static const char *skip_useless(const char *at)
{
    static const struct {
        const char *begin, *end;
    } useless[] = {{"<title>", "</title>"},  {"<desc>", "</desc>"},      {"<defs>", "</defs>"},
                   {" id=\"", "\""},         {" font-family=\"", "\""},  {" color=\"black\"", ""},
                   {" color=\"white\"", ""}, {" shape-rendering='", "'"}};
    for (size_t i = 0; i < ARRAY_COUNT(useless); i++) {
        if (starts_with(at, useless[i].begin)) {
            const char *behind = at + strlen(useless[i].begin);
            const char *end = strstr(behind, useless[i].end);
            return end != NULL ? end + strlen(useless[i].end) : at;
        }
    }
    return at;
}

static const char *put_color(const char *at, FILE *out)
{
    unsigned red, green, blue;
    int length = 0;
    if (sscanf(at, "rgb(%u,%u,%u)%n", &red, &green, &blue, &length) != 3 || length == 0 ||
        (red << 16 | green << 8) != COLOR_BASE) {
        return at;
    }
    if (blue >= COLOR_SERIES) {
        fprintf(out, "var(--series-%u)", blue - COLOR_SERIES);
    } else {
        fprintf(out, "var(--%s)", blue < ARRAY_COUNT(color_names) ? color_names[blue] : "text");
    }
    return at + length;
}

static const char *put_label(const struct chart *chart, const char *at, FILE *out)
{
    char *end;
    size_t number = strtoul(at + 1, &end, 10);
    if (end == at + 1 || *end != '@' || number >= chart->rows * (1 + chart->columns)) {
        return at;
    }
    if (number < chart->rows) {
        size_t characters;
        size_t length = shown_length(chart->labels[number], &characters);
        html_put_part(chart->labels[number], length, out);
        fputs(chart->labels[number][length] != '\0' ? "…" : "", out);
    } else {
        html_put(chart->values[number - chart->rows].text, out);
    }
    return end + 1;
}

static const char *put_rest(const struct chart *chart, const char *at, FILE *out)
{
    static const char black[] = "black";
    if (starts_with(at, black)) {
        fputs("currentColor", out);
        return at + strlen(black);
    }
    if (*at == '@') {
        return put_label(chart, at, out);
    }
    return *at == 'r' ? put_color(at, out) : at;
}

static struct status adapt(const struct chart *chart, const char *picture, char **svg)
{
    const char *at = strstr(picture, "<svg");
    at = at != NULL ? strchr(at, '>') : NULL;
    if (at == NULL || strstr(at, "</svg>") == NULL) {
        return status_error(STATUS_CORRUPT, "what gnuplot drew is no SVG picture");
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return status_from_errno(errno, "cannot draw a chart");
    }
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" role=\"img\"><title>",
            (unsigned)WIDTH, plan(chart).height);
    html_put(chart->title, out);
    fputs("</title>", out);
    for (at++; *at != '\0';) {
        const char *next = skip_useless(at);
        if (next == at) {
            next = put_rest(chart, at, out);
        }
        if (next == at) {
            fputc(*next++, out);
        }
        at = next;
    }
    if (fclose(out) != 0) {
        free(text);
        return status_error(STATUS_NO_MEMORY, "no memory for a chart");
    }
    *svg = text;
    return status_ok();
}

struct status chart_draw(const struct chart *chart, char **svg)
{
    const char *parent = getenv("TMPDIR");
    char *directory =
        memory_format("%s/doppel-chart.XXXXXX", parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    char *picture = NULL;
    struct status status = status_ok();
    if (mkdtemp(directory) == NULL) {
        status = status_from_errno(errno, "cannot make the directory %s", directory);
    } else {
        status = draw(chart, directory, &picture);
        rmdir(directory);
    }
    if (status_is_ok(&status)) {
        status = adapt(chart, picture, svg);
    }
    free(picture);
    free(directory);
    return status;
}
