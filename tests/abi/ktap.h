/* SPDX-License-Identifier: GPL-2.0 */
/* KTAP output (Documentation/dev-tools/ktap.rst) in the manner of kselftest.h. */
#ifndef KTAP_H
#define KTAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned int ktap_number, ktap_failures;

static inline void ktap_plan(unsigned int tests)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", tests);
}

/* A line for a human; it belongs to the result that follows. */
__attribute__((format(printf, 1, 2))) static inline void ktap_diag(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("# ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

/* One result; returns `ok`. */
__attribute__((format(printf, 2, 3))) static inline bool ktap_result(bool ok, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("%sok %u ", ok ? "" : "not ", ++ktap_number);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	if (!ok)
		ktap_failures++;
	return ok;
}

static inline void ktap_skip(const char *name, const char *why)
{
	printf("ok %u %s # SKIP %s\n", ++ktap_number, name, why);
}

__attribute__((noreturn)) static inline void ktap_bail(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

static inline int ktap_finish(void)
{
	return ktap_failures ? 1 : 0;
}

#endif
