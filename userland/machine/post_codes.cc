#include "userland/machine/post_codes.hh"

#include <cstdio>
#include <map>

namespace btvm {

std::string to_string(const std::vector<PostCode>& codes) {
    std::map<std::uint16_t, std::string> by_port;
    for (const PostCode& each : codes) {
        char code[4];
        std::snprintf(code, sizeof code, " %02X", each.code);
        by_port[each.port] += code;
    }
    std::string out;
    for (const auto& [port, text] : by_port) {
        char name[8];
        std::snprintf(name, sizeof name, "%Xh:", port);
        out += (out.empty() ? "" : ", ") + std::string(name) + text;
    }
    return out;
}

} // namespace btvm
