#include "tests/unit/decode/objdump_oracle.hh"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <unistd.h>

namespace btvm::test {

namespace {

/// Encodings lie this far apart, NOPs between them, so that the disassembler is in step again at each.
constexpr unsigned kSlot = 32;

struct CloseFile {
    void operator()(FILE* file) const { pclose(file); }
};

std::string read_command(const std::string& command) {
    const std::unique_ptr<FILE, CloseFile> pipe(popen(command.c_str(), "r"));
    std::string out;
    if (!pipe) return out;
    char buffer[65536];
    while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe.get()))
        out.append(buffer, got);
    return out;
}

/// Reads one line of `objdump -w`: an address, a colon, the bytes in hex, the text. False for other lines.
bool parse_line(const std::string& line, unsigned long& address, ObjdumpView& view) {
    const size_t colon = line.find(":\t");
    if (colon == std::string::npos) return false;
    address = std::strtoul(line.c_str(), nullptr, 16);
    const size_t bytes = colon + 2;
    const size_t tab = line.find('\t', bytes);
    if (tab == std::string::npos) return false;
    unsigned digits = 0;
    for (size_t n = bytes; n < tab; ++n)
        if (std::isxdigit(static_cast<unsigned char>(line[n]))) ++digits;
    view.text = line.substr(tab + 1);
    // objdump marks bad fields with "(bad)" or "{bad}", the latter sometimes with the mnemonic's tail in the
    // middle.
    const bool bad =
        view.text.find("(bad") != std::string::npos || view.text.find("{ba") != std::string::npos;
    view.length = bad ? 0 : digits / 2;
    return true;
}

const char* machine(CodeSize size) {
    switch (size) {
    case CodeSize::Bits16: return "i8086";
    case CodeSize::Bits32: return "i386";
    default: return "i386:x86-64";
    }
}

} // namespace

bool objdump_available() { return std::system("objdump --version >/dev/null 2>&1") == 0; }

std::vector<ObjdumpView> objdump(CodeSize size, const std::vector<Encoding>& encodings) {
    char path[] = "/tmp/btvm-decode-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0) return {};
    close(fd);
    {
        std::ofstream file(path, std::ios::binary);
        for (const Encoding& e : encodings) {
            char slot[kSlot];
            std::fill(std::begin(slot), std::end(slot), '\x90');
            std::copy(e.begin(), e.end(), slot);
            file.write(slot, sizeof slot);
        }
    }
    const std::string text =
        read_command(std::string("objdump -D -b binary -w --insn-width=16 -m ") + machine(size) + " " + path);
    unlink(path);

    std::vector<ObjdumpView> views(encodings.size());
    size_t seen = 0;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        unsigned long address = 0;
        ObjdumpView view;
        if (parse_line(text.substr(at, end - at), address, view) && address % kSlot == 0) {
            views.at(address / kSlot) = view;
            ++seen;
        }
        at = end + 1;
    }
    if (seen != encodings.size()) views.clear();
    return views;
}

} // namespace btvm::test
