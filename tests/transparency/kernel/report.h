// Results: one line each, "group: case: value", on the serial port and on the screen.
#pragma once

#include "base.h"

// Starts a group of lines.
void group(const char *name);
// A line of the group. The formats are %s, %c, %d (signed), %u, %x, with a width and leading zeros.
__attribute__((format(printf, 2, 3))) void report(const char *name, const char *format, ...);
// A line in pieces: the case, its value, its end.
void report_begin(const char *name);
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
void report_end(void);
// The serial line has the speed of a real one: where the same lines are made several times, under different conditions,
// the later passes print only those that are not as in the first.
void report_first_pass(void);
void report_later_pass(const char *name);
void report_passes_done(void);
// The text that print() and report() would write, into `to`, as snprintf does.
__attribute__((format(printf, 3, 4))) void format_text(char *to, u32 size, const char *format, ...);
// Says why the suite cannot go on, and ends the machine.
__attribute__((noreturn, format(printf, 1, 2))) void fatal(const char *format, ...);
void report_start(void);
// Waits until the last character has left.
void report_drain(void);
