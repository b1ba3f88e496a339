// A small state file, and a folder for it that goes with the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/common/file_bytes.hh"
#include "userland/devices/state.hh"
#include "userland/state/state_writer.hh"

namespace btvm {

using test::file_bytes;

using Bytes = std::vector<std::uint8_t>;
using state_format::Type;
inline constexpr auto kRequired = StateWriter::Need::Required;
inline constexpr auto kOptional = StateWriter::Need::Optional;

struct Chip {
    std::uint8_t a = 1;
    std::uint32_t b = 2;
    std::array<std::uint8_t, 600> bulk{};
    void describe(StateArchive& archive) {
        archive.field("a", a);
        archive.field("b", b);
        archive.field("bulk", bulk);
    }
};

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "btvm-state-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string operator/(const char* name) const { return path_ / name; }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            names.push_back(entry.path().filename());
        return names;
    }

private:
    std::filesystem::path path_;
};

inline void write_example(const std::string& path, std::uint8_t a = 7) {
    Chip chip;
    chip.a = a;
    StateWriter writer(path);
    writer.fields(save_state("chip", chip), kRequired);
    writer.text("screen", "hello\n", kOptional);
    writer.bytes("firmware", Bytes(300, 0x5a), kRequired);
    PageEncoder pages({0, 3 * 4096, 4096, PageBase::Zero});
    pages.add(1, Bytes(4096, 0x11));
    writer.pages("memory", std::move(pages), kRequired);
    writer.finish();
}

} // namespace btvm
