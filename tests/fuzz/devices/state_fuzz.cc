// The reader of saved states: whatever the bytes are, it throws StateError or gives a section that is written
// back to the very same bytes and can be printed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "userland/devices/state_section.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::uint8_t> rest(data, size);
    try {
        const btvm::StateSection section = btvm::take_section(rest);
        std::vector<std::uint8_t> bytes;
        btvm::append_bytes(section, bytes);
        const std::span<const std::uint8_t> read(data, size - rest.size());
        if (!std::equal(bytes.begin(), bytes.end(), read.begin(), read.end())) {
            std::fprintf(stderr, "a section is not written as it was read\n");
            std::abort();
        }
        (void)btvm::to_text(section);
        (void)btvm::to_json(section);
        (void)btvm::differences(section, btvm::StateSection{});
    } catch (const btvm::StateError&) {
    }
    return 0;
}
