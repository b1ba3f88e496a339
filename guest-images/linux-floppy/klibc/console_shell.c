/*
 * Process 1 of the small floppy. Runs /etc/start, then a shell on the first virtual console, again whenever it ends.
 *
 * klibc-utils has a shell but nothing that gives it a controlling terminal, without which there is no Ctrl-C. No C library
 * is used: an amd64 machine's compiler has none for i386 unless asked for. System calls go through int 80h; the numbers
 * are those of arch/x86/entry/syscalls/syscall_32.tbl.
 */

enum { kExit = 1, kFork = 2, kOpen = 5, kWaitpid = 7, kExecve = 11, kIoctl = 54, kDup2 = 63, kSetsid = 66 };
enum { kReadWrite = 2, kSetControllingTerminal = 0x540e };

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static const char *const environment[] = {
	"PATH=/bin", "HOME=/", "TERM=linux", "PS1=floppy# ", 0,
};

/* Starts a program with the terminal as its controlling one, and waits for it; orphans are waited for on the way. */
static void run(const char *terminal, const char *const *arguments)
{
	long child = call(kFork, 0, 0, 0);

	if (child == 0) {
		call(kSetsid, 0, 0, 0);
		long file = call(kOpen, (long)terminal, kReadWrite, 0);

		if (file >= 0) {
			call(kIoctl, file, kSetControllingTerminal, 1);
			for (int i = 0; i < 3; i++)
				call(kDup2, file, i, 0);
		}
		call(kExecve, (long)arguments[0], (long)arguments, (long)environment);
		call(kExit, 127, 0, 0);
	}
	while (child > 0 && call(kWaitpid, -1, 0, 0) != child)
		;
}

void _start(void)
{
	static const char *const start[] = { "/bin/sh", "/etc/start", 0 };
	static const char *const shell[] = { "/bin/sh", "-i", 0 };

	run("/dev/console", start);
	for (;;)
		run("/dev/tty1", shell);
}
