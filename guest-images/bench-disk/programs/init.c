// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1 of the benchmark guest: takes one benchmark a line from the first serial line and answers with one line.
 *
 *   micro NAME COUNT    what micro.c and processes.c have by that name, COUNT times
 *   task NAME [WORD]    the script /bench/tasks/NAME: "prepare", then "work", which is measured, then "check"
 *
 *   @ok COUNT NS        it was done and its result is right; NS is the guest's own measurement, in nanoseconds
 *   @wrong WHY          the result is not right, or it could not be done
 *   @stopped            ended by Ctrl-C, which may be sent at any moment
 *
 * After "@serving" the first line is waited for. Each benchmark has a process of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define CTRL_C 0x03
#define TASKS "/bench/tasks/"
#define WHY "/tmp/why" /* what a task has to say when it fails */

static struct timespec begun, ended;

static void say(const char *format, ...)
{
	char line[256];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	if (write(1, line, length) != length)
		_exit(3);
}

void wrong(const char *format, ...)
{
	char text[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say("@wrong %s", text);
	_exit(2);
}

static void mark(char kind)
{
	if (write(1, &kind, 1) != 1)
		_exit(3);
}

static void wait_for_answer(void)
{
	char byte;

	while (read(0, &byte, 1) != 1)
		if (errno != EINTR)
			_exit(3);
}

void measure_begin(void)
{
	mark(MARK_READY);
	wait_for_answer();
	mark(MARK_BEGIN);
	clock_gettime(CLOCK_MONOTONIC, &begun);
}

void measure_end(void)
{
	clock_gettime(CLOCK_MONOTONIC, &ended);
	mark(MARK_END);
	wait_for_answer();
}

uint64_t measured_ns(void)
{
	return (uint64_t)(ended.tv_sec - begun.tv_sec) * 1000000000u + (uint64_t)ended.tv_nsec - (uint64_t)begun.tv_nsec;
}

static void run_micro(const char *name, uint32_t count)
{
	const struct micro *m;

	for (m = micros; m->name; m++) {
		if (strcmp(m->name, name))
			continue;
		if (!count)
			wrong("no times of %s", name);
		m->run(count);
		say("@ok %u %llu", count, (unsigned long long)measured_ns());
		_exit(0);
	}
	wrong("no micro-benchmark %s", name);
}

/* Starts one part of a task; its output goes to WHY. */
static pid_t start_part(const char *path, const char *part, const char *word)
{
	const pid_t pid = fork();
	int nothing, out;

	if (pid)
		return pid;
	nothing = open("/dev/null", O_RDONLY);
	out = open(WHY, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(nothing, 0);
	dup2(out, 1);
	dup2(out, 2);
	execl(path, path, part, word, (char *)0);
	_exit(127);
}

static void finish_part(const char *part, pid_t pid)
{
	char why[128] = "";
	int status, fd, i;

	if (waitpid(pid, &status, 0) != pid)
		wrong("%s: %m", part);
	if (!status)
		return;
	fd = open(WHY, O_RDONLY);
	if (fd >= 0 && read(fd, why, sizeof(why) - 1) > 0)
		for (i = 0; why[i]; i++)
			if (why[i] < ' ')
				why[i] = ' ';
	wrong("%s: status %x %s", part, status, why);
}

static void run_task(const char *name, const char *word)
{
	char path[80];
	pid_t pid;
	int status;

	if (strchr(name, '/'))
		wrong("no task %s", name);
	snprintf(path, sizeof(path), TASKS "%s", name);
	finish_part("prepare", start_part(path, "prepare", word));
	measure_begin();
	pid = start_part(path, "work", word);
	/* The end is when it has ended; its status is looked at afterwards. */
	while (waitid(P_PID, pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) && errno == EINTR)
		continue;
	measure_end();
	finish_part("work", pid);
	finish_part("check", start_part(path, "check", word));
	status = chdir("/");
	say("@ok 1 %llu", (unsigned long long)measured_ns());
	_exit(status);
}

static void serve(char *line)
{
	const char *kind = strtok(line, " \r\n"), *name = strtok(NULL, " \r\n"), *word = strtok(NULL, " \r\n");
	int status;
	pid_t pid;

	if (!kind)
		return;
	pid = fork();
	if (!pid) {
		signal(SIGINT, SIG_DFL);
		if (name && !strcmp(kind, "micro"))
			run_micro(name, word ? strtoul(word, NULL, 10) : 1);
		if (name && !strcmp(kind, "task"))
			run_task(name, word ? word : "");
		wrong("no such request: %s", kind);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		say("@wrong cannot start a process: %m");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
		say("@stopped");
	else if (WIFSIGNALED(status))
		say("@wrong ended by signal %d", WTERMSIG(status));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

/* The serial line: eight bits as they are, but Ctrl-C ends what runs. */
static void open_line(const char *path)
{
	const int fd = open(path, O_RDWR);
	struct termios line;

	if (fd < 0 || tcgetattr(fd, &line))
		return;
	cfmakeraw(&line);
	cfsetspeed(&line, B115200);
	line.c_cflag |= CLOCAL;
	line.c_lflag |= ISIG;
	memset(line.c_cc, _POSIX_VDISABLE, sizeof(line.c_cc));
	line.c_cc[VINTR] = CTRL_C;
	line.c_cc[VMIN] = 1;
	line.c_cc[VTIME] = 0;
	tcsetattr(fd, TCSAFLUSH, &line);
	ioctl(fd, TIOCSCTTY, 1);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

int main(void)
{
	char line[256];
	size_t length = 0;

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	setenv("PATH", "/bin:/usr/bin:/sbin:/usr/sbin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("LC_ALL", "C", 1);
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	setenv("PYTHONHASHSEED", "0", 1);
	if (getpid() == 1 && fork())
		for (;;)
			wait(NULL);
	setsid();
	open_line("/dev/ttyS0");
	signal(SIGINT, SIG_IGN);
	say("@serving");
	for (;;) {
		char byte;
		const ssize_t got = read(0, &byte, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1)
			return 1;
		if (length < sizeof(line) - 1)
			line[length++] = byte;
		if (byte != '\n')
			continue;
		line[length] = 0;
		length = 0;
		serve(line);
	}
}
