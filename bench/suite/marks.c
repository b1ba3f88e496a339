// SPDX-License-Identifier: GPL-2.0
/*
 * The watch of the benchmark suite: sits at the other end of the benchmark guest's serial line, beside the machine that runs
 * the guest, takes the time of its marks (guest-images/bench-disk/programs/bench.h), and reads btvm's counters around what is
 * measured, while the guest waits for the answer to its mark.
 *
 *   marks unix:PATH|tcp:PORT [CONTROL-SOCKET]
 *
 * It connects, trying for a minute. Standard input, a line each: "say TEXT" sends the line to the guest, "stop" Ctrl-C.
 * Standard output, a line each:
 *   connected
 *   guest TEXT          a line of the guest
 *   ready               the guest waits to be told to begin
 *   before JSON         the reply of btvm's control socket to "stats"; only with a control socket
 *   begin NS            the marks, by this machine's clock (CLOCK_MONOTONIC); both lines come at the end, because to write one
 *   end NS              takes the CPU away from the guest
 *   after JSON
 *   gone                the guest's end of the line is closed; the program ends
 * A mark's way here is the same at the beginning and at the end, so it is not part of the difference.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../guest-images/bench-disk/programs/bench.h"

#define CTRL_C 0x03
#define TRIES 600 /* a tenth of a second each */

static const char *control_path;
static int guest_line = -1, control = -1;

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "marks: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int connect_to(const char *where)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in internet = { .sin_family = AF_INET };
	int i;

	for (i = 0; i < TRIES; i++) {
		int fd, failed;

		if (!strncmp(where, "tcp:", 4)) {
			internet.sin_port = htons((uint16_t)atoi(where + 4));
			internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			failed = connect(fd, (struct sockaddr *)&internet, sizeof(internet));
		} else {
			const char *path = strncmp(where, "unix:", 5) ? where : where + 5;

			if (strlen(path) >= sizeof(local.sun_path)) {
				errno = ENAMETOOLONG;
				fail(path);
			}
			strcpy(local.sun_path, path);
			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			failed = connect(fd, (struct sockaddr *)&local, sizeof(local));
		}
		if (!failed)
			return fd;
		close(fd);
		usleep(100000);
	}
	fail(where);
}

static void to_guest(const char *text, size_t length)
{
	if (send(guest_line, text, length, MSG_NOSIGNAL) != (ssize_t)length)
		fail("the guest's line");
}

static void print_counters(const char *when)
{
	static const char request[] = "{\"id\": 1, \"command\": \"stats\"}\n";
	static char reply[65536];
	size_t length = 0;

	if (!control_path)
		return;
	if (control < 0)
		control = connect_to(control_path);
	if (send(control, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1)
		fail("the control socket");
	while (!length || reply[length - 1] != '\n') {
		const ssize_t got = recv(control, reply + length, sizeof(reply) - length, 0);

		if (got <= 0)
			fail("the control socket");
		length += (size_t)got;
	}
	printf("%s %.*s", when, (int)length, reply);
}

static void take_byte(char byte, uint64_t now)
{
	static char line[1024];
	static size_t length;
	static uint64_t begun;

	switch (byte) {
	case MARK_READY:
		printf("ready\n");
		print_counters("before");
		fflush(stdout);
		to_guest("g", 1);
		break;
	case MARK_BEGIN:
		begun = now;
		return;
	case MARK_END:
		printf("begin %llu\nend %llu\n", (unsigned long long)begun, (unsigned long long)now);
		print_counters("after");
		to_guest("g", 1);
		break;
	case '\n':
		printf("guest %.*s\n", (int)length, line);
		length = 0;
		break;
	default:
		if (byte != '\r' && length < sizeof(line))
			line[length++] = byte;
	}
	fflush(stdout);
}

static void take_order(char *line, size_t length)
{
	if (length >= 4 && !strncmp(line, "say ", 4)) {
		to_guest(line + 4, length - 4);
	} else if (!strncmp(line, "stop\n", length)) {
		const char ctrl_c = CTRL_C;

		to_guest(&ctrl_c, 1);
	} else {
		fprintf(stderr, "marks: no such order: %.*s", (int)length, line);
	}
}

int main(int argc, char **argv)
{
	char order[1024];
	size_t length = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: marks unix:PATH|tcp:PORT [CONTROL-SOCKET]\n");
		return 2;
	}
	control_path = argc > 2 ? argv[2] : NULL;
	guest_line = connect_to(argv[1]);
	printf("connected\n");
	fflush(stdout);
	for (;;) {
		struct pollfd ready[] = { { .fd = guest_line, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
		char bytes[512];

		if (poll(ready, 2, -1) < 0)
			continue;
		if (ready[0].revents) {
			const ssize_t got = recv(guest_line, bytes, sizeof(bytes), 0);
			const uint64_t now = now_ns();
			ssize_t i;

			for (i = 0; i < got; i++)
				take_byte(bytes[i], now);
			if (got <= 0) {
				printf("gone\n");
				return 0;
			}
		}
		if (ready[1].revents) {
			if (length == sizeof(order))
				length = 0;
			if (read(0, order + length, 1) != 1)
				return 0;
			if (order[length++] == '\n') {
				take_order(order, length);
				length = 0;
			}
		}
	}
}
