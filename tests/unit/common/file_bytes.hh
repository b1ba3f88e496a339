// A file as bytes.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace btvm::test {

/// Nothing if the file cannot be read. In one piece: byte by byte takes most of a test's time in a build that
/// does not optimise.
inline std::vector<std::uint8_t> file_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return {};
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file.tellg()));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

} // namespace btvm::test
