/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the benchmark guest's program share. */
#ifndef BTVM_BENCH_H
#define BTVM_BENCH_H

#include <stdint.h>

/*
 * The line to whoever measures. Three bytes have a meaning of their own there, in the guest's output; in its input any byte
 * answers a mark. Between MARK_READY and its answer, and between MARK_END and its answer, the guest does nothing: counters can
 * be read in peace.
 */
#define MARK_READY 0x01
#define MARK_BEGIN 0x02
#define MARK_END 0x03

/* Around what is measured. They take the guest's own time too; measured_ns() is that of the newest pair, in nanoseconds. */
void measure_begin(void);
void measure_end(void);
uint64_t measured_ns(void);

/* Ends the benchmark with a line that says what was wrong: it has no result. */
__attribute__((noreturn, format(printf, 1, 2))) void wrong(const char *format, ...);

struct micro {
	const char *name;
	/* Does what it measures `count` times (at least once) between measure_begin() and measure_end(), checks it, or wrong(). */
	void (*run)(uint32_t count);
};

/* Ends with an entry without a name. */
extern const struct micro micros[];

#endif
