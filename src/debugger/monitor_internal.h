/* What the monitor's files share. Private to this module. */
#ifndef DOPPEL_DEBUGGER_MONITOR_INTERNAL_H
#define DOPPEL_DEBUGGER_MONITOR_INTERNAL_H

#include "debugger/debugger.h"
#include "debugger/disassembly.h"
#include "debugger/displays.h"
#include "debugger/expression.h"
#include "debugger/line_editor.h"
#include "debugger/monitor.h"
#include "debugger/symbols.h"
#include "machine/machine.h"
#include "ui/display.h"
#include "ui/input.h"

#define MONITOR_LINE_MAX 4096 /* bytes of one command line with its terminator */
#define MONITOR_WORDS    16   /* words of one command line */
#define MONITOR_KEYS     8    /* keys pressed together */

enum operation_result { OPERATION_PENDING, OPERATION_DONE, OPERATION_FAILED };

/* A command that takes virtual time. */
struct operation {
    /* Called in every monitor_poll(). A failure has left its message in session->failure. NULL: no operation.
     */
    enum operation_result (*poll)(struct monitor_session *session, uint64_t now);
    /* Called when the session is closed meanwhile; NULL: nothing is to be undone. */
    void (*cancel)(struct monitor_session *session);
    bool content_with_power_off;
    bool runs_while_paused; /* makes sense although the machine's time stands still */
    bool waits_in_pause; /* when the machine is paused, the session goes on, and this when the machine does */
    char text[MONITOR_LINE_MAX];
    uint64_t deadline; /* virtual ns at which it fails, or is done */
    double seconds;    /* what the deadline was made from, for messages */
    uint64_t next;     /* virtual ns before which nothing is to be done */
    size_t position;   /* of `text` (typing) */
    enum key keys[MONITOR_KEYS];
    size_t key_count;
    bool pressed;
    uint64_t hold_ns;
    uint64_t instruction;  /* run-instructions: the count to reach */
    unsigned mouse_button; /* held by a click */
};

struct monitor_session {
    struct monitor *monitor;
    struct monitor_session *next;
    FILE *out, *errors;
    char *script; /* file name; NULL for a console */
    unsigned line;
    char *input; /* not yet carried out */
    size_t input_length, input_capacity;
    struct line_editor *editor; /* what input comes through; NULL: it comes as it is */
    bool input_ended;
    bool over;
    bool prompted;
    bool has_panes;                   /* which show more of a stop than is printed */
    char raw[MONITOR_LINE_MAX];       /* the line that is being carried out, without its comment */
    size_t starts[MONITOR_WORDS + 1]; /* of its words, in `raw` */
    int words;
    struct operation operation;
    struct operation waiting; /* for the machine to go on */
    struct status failure;
};

struct monitor {
    struct machine *machine;
    struct monitor_session *sessions;
    struct debugger *debugger;
    struct display_frame frame;
    struct symbols *symbols;
    struct displays *displays;
    enum disassembly_syntax syntax;
    /* Where the last `disassemble` ended, and after how many instructions of the guest that was. */
    uint64_t listed_up_to, listed_at;
    bool listing_goes_on;
    unsigned mouse_buttons;
    uint64_t serial_seen[MACHINE_SERIALS]; /* number of the first byte wait-serial has not consumed */
    bool quit;
    int quit_status;
    const char *power_off; /* why the machine is off, NULL while it is on */
};

/* argv[0] is the command's name. STATUS_INVALID_ARGUMENT is a misuse, other failures are the host's or the
 * guest's. */
typedef struct status monitor_handler(struct monitor_session *session, int argc, char **argv);

#define COMMAND(symbol, name, alias, arguments, help) monitor_handler command_##symbol;
#include "debugger/command.def"
#undef COMMAND

struct monitor_command {
    const char *name, *alias, *arguments, *help;
    monitor_handler *run;
};

extern const struct monitor_command monitor_commands[];
extern const size_t monitor_command_count;

/* Cuts `line` into words in place (starts[] may be NULL: where in it each began): blanks separate, "…" holds
 * blanks and the escapes \n \r \t \b \e \\ \" \xHH, # at the start of a word begins a comment,
 * but for the names of exceptions (#PF). */
struct status monitor_split(char *line, int *argc, char *argv[MONITOR_WORDS], size_t starts[MONITOR_WORDS]);

const struct monitor_command *monitor_find_command(const char *name);

/* The error that tells how a command is used. */
struct status monitor_usage(const char *name);

/* Lines to be carried out before the rest of a session's input. */
void monitor_insert(struct monitor_session *session, const char *lines);

/* Prints a breakpoint as `info breakpoints` lists it. */
void breakpoint_print(struct monitor *monitor, const struct breakpoint *breakpoint, FILE *out);

/* What `display` has listed, with its values. */
void monitor_print_displays(struct monitor *monitor, FILE *out);

/* OK while the machine is paused. */
struct status monitor_need_paused(const struct monitor *monitor);

/* Executes `count` instructions; the session goes on when that is done. */
void monitor_step(struct monitor_session *session, uint64_t count);

/* To be called when a command changes the guest by other means than inputs: what was before cannot be gone
 * back to any more, which is said if it could. */
void monitor_note_change(struct monitor_session *session);

/* Whether the guest takes inputs: not while the machine is in its past (machine_history.h). */
struct status monitor_need_present(const struct monitor *monitor);

/* "int 0x21 at 0070:00001234": an event, and the instruction at which it came. */
void event_print(FILE *out, const struct cpu_event_info *event, uint16_t cs, uint32_t eip);

/* Call before something is written to a session that did not ask for it: it begins on a line of its own, and
 * the prompt comes again behind it. */
void monitor_interrupt_prompt(struct monitor_session *session);

/* The n-th topic of `info`, NULL past the end; and what a topic takes, "" for those that do not exist. */
const char *monitor_topic_name(size_t n);
const char *monitor_topic_arguments(const char *name);

/* Draws the present picture into monitor->frame. */
const struct display_frame *monitor_render(struct monitor *monitor);

/* The text screen as UTF-8 for searching: all columns of every row, '\n' after each. Allocated; "" when no
 * text mode is on, NULL when out of memory. */
char *monitor_screen_rows(struct monitor *monitor);

/* Parses a number of seconds ("2", "0.25") into ns. */
struct status monitor_parse_seconds(const char *word, uint64_t *ns);

/* Parses an unsigned number: decimal, 0x… or 0…; what names it in the message. */
struct status monitor_parse_number(const char *word, const char *what, uint64_t *value);

/* The line that is being carried out, as it was typed, from word `word` (0: the command) to its end without
 * blanks there or a comment: quotation marks are still there. "" when there are fewer words. Expressions with
 * blanks are taken from here. */
const char *monitor_rest(const struct monitor_session *session, int word);

/* What names may mean in expressions now (expression.h). */
struct expression_scope monitor_scope(const struct monitor *monitor);

/* The value of an expression, at once. */
struct status monitor_evaluate(struct monitor *monitor, const char *expression, uint64_t *value);

/* `info` topics in files of their own. `argument` is the rest of the line, NULL when there is none. */
#define TOPIC(symbol, name, help)
#define TOPIC_AT(symbol, name, words, help)                                                                  \
    struct status monitor_info_##symbol(struct monitor *monitor, const char *argument, FILE *out);
#include "debugger/info_topic.def"
#undef TOPIC_AT
#undef TOPIC

/* `info sensitive` and `info callouts` (insn_counts.c). */
void monitor_print_sensitive(struct monitor *monitor, FILE *out);
void monitor_print_callouts(struct monitor *monitor, FILE *out);

#endif
