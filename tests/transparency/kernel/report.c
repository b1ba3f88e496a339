#include "report.h"

#include <stdarg.h>

#define COM1 0x3f8
#define COLUMNS 80
#define ROWS 25

static u16 *const screen = (u16 *)0xb8000;
static u32 column, row;
static const char *group_name = "";

static void screen_put(char c) {
    if (c != '\n') screen[row * COLUMNS + column++] = 0x0700 | (u8)c;
    if (c != '\n' && column < COLUMNS) return;
    column = 0;
    if (++row < ROWS) return;
    row = ROWS - 1;
    memcpy(screen, screen + COLUMNS, (ROWS - 1) * COLUMNS * 2);
    for (u32 i = 0; i < COLUMNS; i++)
        screen[row * COLUMNS + i] = 0x0720;
}

static void put(char c) {
    while (!(in8(COM1 + 5) & 0x20))
        ;
    out8(COM1, (u8)c);
    screen_put(c);
}

static char line[512];
static u32 length;
static enum { PLAIN, FIRST_PASS, LATER_PASS } pass;
static u32 sums[2048], sum_count, equal_lines;

struct sink {
    char *to; // null: the line
    u32 room;
};

static void sink_put(struct sink *s, char c) {
    if (!s->to) {
        if (length < sizeof line - 1) line[length++] = c;
    } else if (s->room > 1) {
        *s->to++ = c;
        s->room--;
    }
}

static void put_number(struct sink *s, u32 v, u32 base, int width, char fill) {
    char digits[16];
    int n = 0;
    do
        digits[n++] = "0123456789abcdef"[v % base];
    while (v /= base);
    while (width-- > n)
        sink_put(s, fill);
    while (n)
        sink_put(s, digits[--n]);
}

static void format_to(struct sink *s, const char *f, va_list arguments) {
    for (; *f; f++) {
        if (*f != '%') {
            sink_put(s, *f);
            continue;
        }
        char fill = ' ';
        int width = 0;
        if (*++f == '0') fill = '0';
        for (; *f >= '0' && *f <= '9'; f++)
            width = width * 10 + *f - '0';
        if (*f == 's') {
            for (const char *t = va_arg(arguments, const char *); *t; t++)
                sink_put(s, *t);
        } else if (*f == 'c') {
            sink_put(s, (char)va_arg(arguments, int));
        } else if (*f == 'd' || *f == 'u' || *f == 'x') {
            u32 v = va_arg(arguments, u32);
            if (*f == 'd' && (int)v < 0) {
                sink_put(s, '-');
                v = -v;
            }
            put_number(s, v, *f == 'x' ? 16 : 10, width, fill);
        } else
            sink_put(s, *f);
    }
}

#define FORMAT(sink, format)                                                                                           \
    do {                                                                                                               \
        va_list arguments;                                                                                             \
        va_start(arguments, format);                                                                                   \
        format_to(sink, format, arguments);                                                                            \
        va_end(arguments);                                                                                             \
    } while (0)

void print(const char *format, ...) {
    struct sink s = {0, 0};
    FORMAT(&s, format);
}

void format_text(char *to, u32 size, const char *format, ...) {
    struct sink s = {to, size};
    FORMAT(&s, format);
    *s.to = 0;
}

void group(const char *name) { group_name = name; }

void report_begin(const char *name) { print("%s: %s:", group_name, name); }

static void show_line(void) {
    for (u32 i = 0; i < length; i++)
        put(line[i]);
    put('\n');
    length = 0;
}

static u32 checksum(void) { // FNV-1a
    u32 sum = 2166136261u;
    for (u32 i = 0; i < length; i++)
        sum = (sum ^ (u8)line[i]) * 16777619u;
    return sum;
}

void report_end(void) {
    if (pass != PLAIN) {
        if (sum_count == COUNT(sums)) fatal("too many lines in a pass");
        const u32 sum = checksum();
        if (pass == FIRST_PASS)
            sums[sum_count++] = sum;
        else if (sums[sum_count++] == sum) {
            equal_lines++;
            length = 0;
            return;
        }
    }
    show_line();
}

void report_first_pass(void) {
    pass = FIRST_PASS;
    sum_count = 0;
}

void report_later_pass(const char *name) {
    pass = PLAIN;
    report("later pass", "%s, what differs", name);
    pass = LATER_PASS;
    sum_count = equal_lines = 0;
}

void report_passes_done(void) {
    if (pass == LATER_PASS) {
        pass = PLAIN;
        report("pass", "%u of %u lines as before", equal_lines, sum_count);
    }
    pass = PLAIN;
}

void report(const char *name, const char *format, ...) {
    struct sink s = {0, 0};
    print("%s: %s: ", group_name, name);
    FORMAT(&s, format);
    report_end();
}

void report_drain(void) {
    while (!(in8(COM1 + 5) & 0x40))
        ;
}

void fatal(const char *format, ...) {
    struct sink s = {0, 0};
    if (length) show_line();
    print("FATAL: %s: ", group_name);
    FORMAT(&s, format);
    show_line();
    report_drain();
    static const struct __attribute__((packed)) {
        u16 limit;
        u32 base;
    } none = {0, 0};
    for (;;)
        asm volatile("lidt %0; int3" ::"m"(none));
}

void report_start(void) {
    static const u8 setup[][2] = {{3, 0x80}, {0, 1}, {1, 0}, {3, 3}, {1, 0}, {2, 7}, {4, 3}}; // 115200 8N1
    for (u32 i = 0; i < COUNT(setup); i++)
        out8(COM1 + setup[i][0], setup[i][1]);
    for (u32 i = 0; i < ROWS * COLUMNS; i++)
        screen[i] = 0x0720;
}
