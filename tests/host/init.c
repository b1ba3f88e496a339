/*
 * Process 1 of the test host: it runs one command and relays it to tests/host/btvm-host over a virtio serial
 * port.
 *
 * Both directions of the port carry frames: one byte of type, four bytes of length (little endian), then the
 * payload. to the tool:    'O' standard output   'E' standard error   'T' a piece of the tar of /out   'K'
 * the kernel's log 'B' a heartbeat, once a second   'R' the command is about to start 'X' the end: wait
 * status of the command (4 bytes), new taint bits of the kernel (8 bytes) from the tool:  'I' standard input
 * (empty: end of file)   'W' terminal size (rows, columns: 2 bytes each)
 *
 * What to run stands in /btvm-host, put there by the tool: argv and env (strings ended by NUL), cwd, modules
 * (the modules to load first, one path a line), and tty (rows and columns), which is only there for an
 * interactive run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { kMaxWords = 4096, kChunk = 32768 };

static int port = -1;

/* Says why the test host cannot work, on the kernel's console, and ends it: the tool shows the console. */
static void die(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    FILE* console = fopen("/dev/console", "w");
    if (console) {
        fprintf(console, "btvm-host init: ");
        vfprintf(console, format, arguments);
        fprintf(console, ": %s\n", strerror(errno));
        fclose(console);
    }
    va_end(arguments);
    reboot(RB_AUTOBOOT);
    _exit(1);
}

static void write_fully(int fd, const void* data, size_t size) {
    const char* at = data;
    while (size > 0) {
        ssize_t done = write(fd, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) die("writing to the port");
        at += done;
        size -= (size_t)done;
    }
}

static void send_frame(char type, const void* payload, uint32_t size) {
    /* One write a frame: the port is a packet interface underneath, and a second write is a second exit to
     * QEMU. */
    static char frame[5 + kChunk];
    frame[0] = type;
    memcpy(frame + 1, &size, 4);
    memcpy(frame + 5, payload, size);
    write_fully(port, frame, 5 + size);
}

/* The contents of a file of /btvm-host with a NUL behind it, or a null pointer. */
static char* read_request(const char* name, size_t* size) {
    char path[64];
    snprintf(path, sizeof path, "/btvm-host/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    struct stat status;
    if (fstat(fd, &status) != 0) die("%s", path);
    char* text = calloc(1, (size_t)status.st_size + 1);
    if (!text || read(fd, text, (size_t)status.st_size) != status.st_size) die("%s", path);
    close(fd);
    if (size) *size = (size_t)status.st_size;
    return text;
}

/* Splits strings ended by NUL into a vector ended by a null pointer. */
static char** read_words(const char* name) {
    size_t size = 0;
    char* text = read_request(name, &size);
    if (!text) die("/btvm-host/%s", name);
    char** words = calloc(kMaxWords, sizeof *words);
    size_t count = 0;
    for (char* word = text; word < text + size && count < kMaxWords - 1; word += strlen(word) + 1)
        words[count++] = word;
    return words;
}

static void load_modules(void) {
    char* list = read_request("modules", NULL);
    if (!list) die("/btvm-host/modules");
    for (char* path = strtok(list, "\n"); path; path = strtok(NULL, "\n")) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) die("%s", path);
        close(fd);
    }
}

/* The port appears some milliseconds after its driver: the two shake hands through a queue of their own. */
static void open_port(void) {
    for (int tries = 0; tries < 2000; ++tries) {
        port = open("/dev/vport0p1", O_RDWR | O_CLOEXEC);
        if (port >= 0) return;
        usleep(5000);
    }
    die("/dev/vport0p1");
}

static uint64_t kernel_taint(void) {
    FILE* file = fopen("/proc/sys/kernel/tainted", "re");
    unsigned long long bits = 0;
    if (!file || fscanf(file, "%llu", &bits) != 1) bits = 0;
    if (file) fclose(file);
    return bits;
}

static void prepare_filesystems(void) {
    umask(0);
    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/tmp", 01777);
    mkdir("/run", 0755);
    mkdir("/out", 01777);
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0 && errno != EBUSY) die("/dev");
    if (mount("proc", "/proc", "proc", 0, NULL) != 0) die("/proc");
    if (mount("sysfs", "/sys", "sysfs", 0, NULL) != 0) die("/sys");
    sethostname("btvm-host", 9);
    mkdir("/dev/pts", 0755);
    mkdir("/dev/shm", 01777);
    if (mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666") != 0) die("/dev/pts");
    if (mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL) != 0) die("/dev/shm");
    mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL); /* nice to have */
    if (symlink("/proc/self/fd", "/dev/fd") != 0 && errno != EEXIST) die("/dev/fd");
    static const char* const names[] = {"stdin", "stdout", "stderr"};
    for (int fd = 0; fd < 3; ++fd) {
        char link[32], target[32];
        snprintf(link, sizeof link, "/dev/%s", names[fd]);
        snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
        if (symlink(target, link) != 0 && errno != EEXIST) die("%s", link);
    }
}

/* The running command and our ends of its streams; -1 is a stream that is closed or does not exist. */
struct command {
    pid_t pid;
    int input, output, errors; /* interactive: input and output are the terminal, errors is -1 */
    int terminal;              /* whether they are */
};

static void exec_command(char** argv, char** environment) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char* directory = read_request("cwd", NULL);
    if (directory && chdir(directory) != 0) {
        fprintf(stderr, "btvm-host: %s: %s\n", directory, strerror(errno));
        _exit(125);
    }
    environ = environment;
    execvpe(argv[0], argv, environment);
    int error = errno;
    fprintf(stderr, "btvm-host: %s: %s (inside the test host)\n", argv[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static struct command start_command(char** argv, char** environment) {
    struct command command = {.errors = -1};
    char* size = read_request("tty", NULL);
    if (size) {
        struct winsize window = {0};
        sscanf(size, "%hu %hu", &window.ws_row, &window.ws_col);
        int master;
        command.pid = forkpty(&master, NULL, NULL, &window);
        if (command.pid == 0) exec_command(argv, environment);
        if (command.pid < 0) die("forkpty");
        fcntl(master, F_SETFD, FD_CLOEXEC);
        command.terminal = 1;
        command.input = command.output = master;
    } else {
        int input[2], output[2], errors[2];
        if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC)) die("pipe");
        command.pid = fork();
        if (command.pid == 0) {
            setsid();
            dup2(input[0], 0);
            dup2(output[1], 1);
            dup2(errors[1], 2);
            exec_command(argv, environment);
        }
        if (command.pid < 0) die("fork");
        close(input[0]);
        close(output[1]);
        close(errors[1]);
        command.input = input[1];
        command.output = output[0];
        command.errors = errors[0];
    }
    fcntl(command.input, F_SETFL, O_NONBLOCK);
    fcntl(command.output, F_SETFL, O_NONBLOCK);
    if (command.errors >= 0) fcntl(command.errors, F_SETFL, O_NONBLOCK);
    return command;
}

/* Relays what is there to read now. Returns -1 for good when the stream has ended. */
static int relay_stream(int fd, char type) {
    char data[kChunk];
    for (;;) {
        ssize_t size = read(fd, data, sizeof data);
        if (size > 0) {
            send_frame(type, data, (uint32_t)size);
            continue;
        }
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return fd;
        return -1; /* end of file; a terminal says EIO */
    }
}

/* Input that the command has not taken yet. While there is some, the port is not read: the tool waits. */
static char pending[kChunk];
static size_t pending_size, pending_done;
static int pending_end;

static void close_input(struct command* command) {
    if (command->input >= 0 && !command->terminal) close(command->input);
    command->input = -1;
}

static void feed_input(struct command* command) {
    while (command->input >= 0 && pending_done < pending_size) {
        ssize_t done = write(command->input, pending + pending_done, pending_size - pending_done);
        if (done > 0) {
            pending_done += (size_t)done;
        } else if (done < 0 && errno == EAGAIN) {
            return;
        } else if (!(done < 0 && errno == EINTR)) {
            close_input(command);
        }
    }
    pending_size = pending_done = 0;
    if (pending_end) close_input(command);
}

static void read_fully(void* data, size_t size) {
    char* at = data;
    while (size > 0) {
        ssize_t done = read(port, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) die("reading from the port");
        at += done;
        size -= (size_t)done;
    }
}

static void receive_frame(struct command* command) {
    char type;
    uint32_t size;
    read_fully(&type, 1);
    read_fully(&size, 4);
    if (size > kChunk) die("a frame of %u bytes", size);
    if (type == 'I') {
        read_fully(pending, size);
        pending_size = size;
        pending_done = 0;
        pending_end |= size == 0;
        feed_input(command);
    } else if (type == 'W' && size == 4) {
        uint16_t rows_columns[2];
        read_fully(rows_columns, 4);
        struct winsize window = {.ws_row = rows_columns[0], .ws_col = rows_columns[1]};
        if (command->terminal) ioctl(command->output, TIOCSWINSZ, &window);
    } else {
        die("a frame of type %d", type);
    }
}

/* Serves the command until it has ended; returns its wait status. */
static int serve(struct command* command, int signals) {
    struct timespec now;
    time_t last_beat = 0;
    for (;;) {
        struct pollfd polled[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = command->output, .events = POLLIN},
            {.fd = command->errors, .events = POLLIN},
            {.fd = pending_size ? -1 : port, .events = POLLIN},
            {.fd = pending_size ? command->input : -1, .events = POLLOUT},
        };
        if (poll(polled, 5, 1000) < 0 && errno != EINTR) die("poll");
        if (polled[1].revents) command->output = relay_stream(command->output, 'O');
        if (polled[2].revents) command->errors = relay_stream(command->errors, 'E');
        if (polled[3].revents & POLLIN) receive_frame(command);
        if (polled[4].revents) feed_input(command);
        if (polled[0].revents) {
            struct signalfd_siginfo ignored;
            if (read(signals, &ignored, sizeof ignored) < 0 && errno != EAGAIN) die("signalfd");
            int status;
            for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
                if (pid != command->pid) continue;
                /* What the command wrote is in the pipes; what its children may yet write is not waited for.
                 */
                if (command->output >= 0) relay_stream(command->output, 'O');
                if (command->errors >= 0) relay_stream(command->errors, 'E');
                return status;
            }
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec != last_beat) send_frame('B', "", 0);
        last_beat = now.tv_sec;
    }
}

static void send_results(void) {
    if (rmdir("/out") == 0) return; /* empty */
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl("/bin/busybox", "tar", "-C", "/out", "-cf", "-", ".", (char*)NULL);
        _exit(127);
    }
    close(fds[1]);
    relay_stream(fds[0], 'T');
    close(fds[0]);
    waitpid(pid, NULL, 0);
}

static void send_kernel_log(void) {
    enum { kReadAll = 3, kSizeBuffer = 10 };
    int size = klogctl(kSizeBuffer, NULL, 0);
    char* log = malloc((size_t)size);
    size = log ? klogctl(kReadAll, log, size) : 0;
    for (int at = 0; at < size; at += kChunk)
        send_frame('K', log + at, (uint32_t)(size - at < kChunk ? size - at : kChunk));
    free(log);
}

int main(void) {
    prepare_filesystems();
    load_modules();
    open_port();
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    umask(022);
    int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);

    uint64_t taint_before = kernel_taint();
    char** argv = read_words("argv");
    char** environment = read_words("env");
    send_frame('R', "", 0);
    struct command command = start_command(argv, environment);
    int32_t status = serve(&command, signals);
    send_results();
    uint64_t taint = kernel_taint() & ~taint_before;
    send_kernel_log();

    char result[12];
    memcpy(result, &status, 4);
    memcpy(result + 4, &taint, 8);
    send_frame('X', result, sizeof result);
    for (;;)
        pause(); /* the tool ends the machine */
}
