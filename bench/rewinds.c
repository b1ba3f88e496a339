// SPDX-License-Identifier: GPL-2.0
/*
 * Rewinds one after the other, by one connection to btvm-run's control socket: a key is pressed, upon which the guest of
 * guest-images/bootsectors/dirty_pages.S writes pages, and when it shows that it has, it is taken back, again and again.
 *
 *   rewinds SOCKET CHECKPOINT KEY TEXT COUNT
 *
 * TEXT: what the screen shows then, and does not before. Prints one JSON object: how many rewinds, the seconds from their
 * requests to the replies, and the seconds of it all.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int machine;

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "rewinds: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One request and its reply; returns the seconds between them. */
static double ask(const char *format, const char *word)
{
	static char line[65536];
	const int size = snprintf(line, sizeof(line), format, word);
	const double begin = now();
	size_t length = 0;

	if (send(machine, line, (size_t)size, MSG_NOSIGNAL) != size)
		fail("the machine is gone");
	do {
		const ssize_t got = recv(machine, line + length, sizeof(line) - 1 - length, 0);

		if (got <= 0)
			fail("the machine is gone");
		length += (size_t)got;
	} while (line[length - 1] != '\n');
	line[length] = 0;
	if (!strstr(line, "\"ok\":true"))
		fail(line);
	return now() - begin;
}

int main(int argc, char **argv)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	double rewinds = 0, begin;
	int count, i;

	if (argc != 6 || strlen(argv[1]) >= sizeof(where.sun_path) || (count = atoi(argv[5])) < 1)
		fail("rewinds SOCKET CHECKPOINT KEY TEXT COUNT");
	strcpy(where.sun_path, argv[1]);
	machine = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(machine, (struct sockaddr *)&where, sizeof(where)))
		fail("no machine");
	begin = now();
	for (i = 0; i < count; i++) {
		ask("{\"id\":1,\"command\":\"key\",\"chord\":\"%s\"}\n", argv[3]);
		ask("{\"id\":1,\"command\":\"wait-for\",\"text\":\"%s\",\"timeout\":60}\n", argv[4]);
		rewinds += ask("{\"id\":1,\"command\":\"rewind\",\"name\":\"%s\"}\n", argv[2]);
	}
	printf("{\"rewinds\": %d, \"rewind_seconds\": %.6f, \"seconds\": %.6f}\n", count, rewinds, now() - begin);
	return 0;
}
