/*
 * The shell's commands, one function each: words[0] is the command's name, words[count] is NULL. What they
 * are for and how they are called is in shell.c's table.
 */
#ifndef DEMO_COMMANDS_H
#define DEMO_COMMANDS_H

/* command_info.c */
void command_mem(int count, char **words);
void command_cpu(int count, char **words);
void command_time(int count, char **words);
void command_date(int count, char **words);
void command_ticks(int count, char **words);

/* command_keys.c */
void command_keys(int count, char **words);

/* command_colors.c */
void command_colors(int count, char **words);

/* command_bench.c */
void command_bench(int count, char **words);

/* command_fault.c */
void command_fault(int count, char **words);

/* command_power.c */
void command_reboot(int count, char **words);
void command_off(int count, char **words);

#endif
