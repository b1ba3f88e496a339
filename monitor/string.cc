// What the compiler calls by itself; the monitor has no library.
#include <cstddef>

extern "C" void* memcpy(void* to, const void* from, std::size_t count) {
    void* const result = to;
    std::size_t words = count / 8;
    asm volatile("rep movsq; mov %3, %%rcx; rep movsb"
                 : "+D"(to), "+S"(from), "+c"(words)
                 : "r"(count % 8)
                 : "memory");
    return result;
}

extern "C" void* memset(void* to, int value, std::size_t count) {
    void* const result = to;
    const std::size_t pattern = 0x0101010101010101 * static_cast<unsigned char>(value);
    std::size_t words = count / 8;
    asm volatile("rep stosq; mov %3, %%rcx; rep stosb"
                 : "+D"(to), "+c"(words)
                 : "a"(pattern), "r"(count % 8)
                 : "memory");
    return result;
}

extern "C" void* memmove(void* to, const void* from, std::size_t count) {
    if (static_cast<char*>(to) <= static_cast<const char*>(from)) return memcpy(to, from, count);
    void* const result = to;
    to = static_cast<char*>(to) + count - 1;
    from = static_cast<const char*>(from) + count - 1;
    asm volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    return result;
}

extern "C" int memcmp(const void* a, const void* b, std::size_t count) {
    const auto* x = static_cast<const unsigned char*>(a);
    const auto* y = static_cast<const unsigned char*>(b);
    for (; count; count--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}
