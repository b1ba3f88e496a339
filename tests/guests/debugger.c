/*
 * A debugger with hardware breakpoints, for a Linux guest: it watches a variable of its child and breaks on a function of
 * it, and prints what it is told of each. Before that it counts the writes of itself and the kernel. No C library is used: an
 * amd64 machine's compiler has none for i386 unless asked for. System calls go through int 80h; the numbers are those of
 * arch/x86/entry/syscalls/syscall_32.tbl.
 */

enum { kExit = 1, kFork = 2, kRead = 3, kWrite = 4, kClose = 6, kWaitpid = 7, kGetpid = 20, kPtrace = 26, kKill = 37,
       kPipe = 42, kGetppid = 64, kPerfEventOpen = 336 };
enum { kTraceMe = 0, kPeekData = 2, kPeekUser = 3, kPokeUser = 6, kContinue = 7 };
enum { kSigtrap = 5, kSigstop = 19 };
enum { kEip = 12 * 4, kDebugRegisters = 252 }; /* in struct user */
enum { kSystemCalls = 3000, kRounds = 200000 };

static volatile int watched;

static long call(long number, long a, long b, long c, long d)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(0) : "memory");
	return result;
}

static void print(const char *text)
{
	unsigned length = 0;

	while (text[length])
		length++;
	call(kWrite, 1, (long)text, length, 0);
}

static void print_number(unsigned long value)
{
	char text[12];
	char *at = text + sizeof(text) - 1;

	*at = 0;
	do
		*--at = '0' + value % 10;
	while (value /= 10);
	print(at);
}

/* What is broken on. */
void target(void);
__asm__(".globl target\ntarget: ret");

/* What a watchpoint must not slow down: system calls, and work. */
static void work(void)
{
	volatile unsigned sum = 0;

	for (int i = 0; i < kSystemCalls; i++)
		call(kGetppid, 0, 0, 0, 0);
	for (int i = 0; i < kRounds; i++)
		sum += i;
}

/* Has the kernel write a value to `watched`. */
static void read_watched(int value)
{
	int ends[2];

	call(kPipe, (long)ends, 0, 0, 0);
	call(kWrite, ends[1], (long)&value, sizeof(value), 0);
	call(kRead, ends[0], (long)&watched, sizeof(watched), 0);
}

/* A watchpoint that counts, in the kernel too. */
static void count_writes(void)
{
	const struct {
		unsigned type, size;
		unsigned long long config, sample_period, sample_type, read_format, flags;
		unsigned wakeup, bp_type;
		unsigned long long bp_addr, bp_len;
	} attributes = { .type = 5, .size = sizeof(attributes), .bp_type = 2, .bp_addr = (unsigned long)&watched, .bp_len = 4 };
	const int counter = call(kPerfEventOpen, (long)&attributes, 0, -1, -1);
	unsigned long long count = 0;

	watched = 1;
	watched = 2;
	read_watched(3);
	read_watched(4);
	call(kRead, counter, (long)&count, sizeof(count), 0);
	print("count ");
	print_number(count);
	print("\n");
	call(kClose, counter, 0, 0, 0);
}

static void child(void)
{
	const long self = call(kGetpid, 0, 0, 0, 0);

	call(kPtrace, kTraceMe, 0, 0, 0);
	call(kKill, self, kSigstop, 0, 0);
	for (int i = 1; i <= 3; i++)
		watched = i;
	watched += 10;
	/* Linux does not tell a debugger of what the kernel writes. */
	read_watched(55);
	call(kKill, self, kSigstop, 0, 0);
	work();
	watched = 99;
	target();
	target();
	call(kExit, 7, 0, 0, 0);
}

static void set_debug_register(long process, unsigned n, unsigned long value)
{
	if (call(kPtrace, kPokeUser, process, kDebugRegisters + 4 * n, value) < 0)
		print("debugger: no debug registers\n");
}

static unsigned long peek(long request, long process, unsigned long at)
{
	unsigned long value = 0;

	/* The system call stores what it finds. */
	call(kPtrace, request, process, at, (long)&value);
	return value;
}

void _start(void)
{
	int status, stops = 0;

	count_writes();
	const long process = call(kFork, 0, 0, 0, 0);

	if (process == 0)
		child();
	while (call(kWaitpid, process, (long)&status, 0, 0) == process && (status & 0xff) == 0x7f) {
		const unsigned long dr6 = peek(kPeekUser, process, kDebugRegisters + 4 * 6);

		if (stops++ == 0) {
			set_debug_register(process, 0, (unsigned long)&watched);
			set_debug_register(process, 1, (unsigned long)target);
			set_debug_register(process, 7, 1 | 4 | 0xd0000); /* L0: a write of 4 bytes; L1: an instruction */
		} else {
			print(status >> 8 == kSigtrap ? "trap " : "stop ");
			print_number(dr6 & 0xf);
			print(peek(kPeekUser, process, kEip) == (unsigned long)target ? " target " : " value ");
			print_number(peek(kPeekData, process, (unsigned long)&watched));
			print("\n");
		}
		set_debug_register(process, 6, 0);
		call(kPtrace, kContinue, process, 1, 0);
	}
	print("exit ");
	print_number(status >> 8);
	print("\n");
	call(kExit, 0, 0, 0, 0);
}
