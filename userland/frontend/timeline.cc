#include "userland/frontend/timeline.hh"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "userland/frontend/overlay_box.hh"

namespace btvm {

namespace {

constexpr std::size_t kNameRoom = 28; ///< Columns of graph and name at most.
constexpr auto kFresh = std::chrono::seconds(1);
constexpr const char* kHelp = "Enter: go back   c: checkpoint   d: delete   n: name   Esc: close";

std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(std::string text, std::size_t width) {
    text = first_characters(text, width);
    text.append(width - width_of(text), ' ');
    return text;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    while (!lines.empty() && lines.back().empty())
        lines.pop_back();
    return lines;
}

} // namespace

std::string size_text(std::uint64_t bytes) {
    const char* const units[] = {"B", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    for (; bytes >= 10000 && unit + 1 < std::size(units); unit++)
        bytes = (bytes + 512) / 1024;
    return std::to_string(bytes) + " " + units[unit];
}

std::string time_text(GuestTime time) {
    const auto tenths = time / std::chrono::milliseconds(100);
    char text[40];
    if (tenths >= 36000)
        std::snprintf(text, sizeof text, "%lld:%02lld:%02lld.%lld", static_cast<long long>(tenths / 36000),
                      static_cast<long long>(tenths / 600 % 60), static_cast<long long>(tenths / 10 % 60),
                      static_cast<long long>(tenths % 10));
    else
        std::snprintf(text, sizeof text, "%lld:%02lld.%lld", static_cast<long long>(tenths / 600),
                      static_cast<long long>(tenths / 10 % 60), static_cast<long long>(tenths % 10));
    return text;
}

void Timeline::refresh() {
    list_ = actions_.list();
    due_ = std::chrono::steady_clock::now() + kFresh;
    name_width_ = 0;
    bool there = false;
    for (const CheckpointList::Line& line : list_.lines) {
        name_width_ = std::max(name_width_, width_of(line.graph + line.node.name));
        there = there || line.node.id == chosen_;
    }
    name_width_ = std::min(name_width_, kNameRoom);
    if (there) return;
    chosen_ = 0;
    for (const CheckpointList::Line& line : list_.lines)
        if (line.present) chosen_ = line.node.id;
}

std::string Timeline::line_text(const CheckpointList::Line& line) const {
    const std::string time = time_text(line.node.guest_time), size = size_text(line.node.changed_bytes);
    return (line.present ? "* " : "  ") + padded(line.graph + line.node.name, name_width_) + "  " +
           std::string(time.size() < 9 ? 9 - time.size() : 0, ' ') + time + "  " +
           std::string(size.size() < 8 ? 8 - size.size() : 0, ' ') + size;
}

void Timeline::draw(int rows, int columns) {
    if (std::chrono::steady_clock::now() >= due_) refresh();
    const Box box("Timeline", rows, columns, rows, columns);
    if (list_.lines.empty()) box.line(0, "No checkpoints yet: c takes one.");
    box.line(box.height - 1, kHelp);
    const auto shown = static_cast<std::size_t>(std::max(1, box.height - 2));
    const std::size_t list_width = name_width_ + 23;
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < list_.lines.size(); i++)
        if (list_.lines[i].node.id == chosen_) chosen = i;
    first_ = std::min(first_, chosen);
    if (chosen >= first_ + shown) first_ = chosen - shown + 1;

    // The screen's last rows, as far as there is room: what has happened last is there.
    std::vector<std::string> preview;
    if (chosen < list_.lines.size()) preview = lines_of(list_.lines[chosen].node.screen);
    const std::size_t skipped = preview.size() > shown ? preview.size() - shown : 0;
    for (std::size_t i = 0; i < shown; i++) {
        const bool listed = first_ + i < list_.lines.size();
        if (listed) box.line(static_cast<int>(i), line_text(list_.lines[first_ + i]), first_ + i == chosen);
        if (skipped + i < preview.size() && list_width + 12 < static_cast<std::size_t>(box.width))
            box.text(static_cast<int>(i), static_cast<int>(list_width), "| " + preview[skipped + i]);
    }
    ::curs_set(0);
}

bool Timeline::handle(const TerminalInput& input) {
    if (is_char(input, kEscape)) return false;
    if (due_ == std::chrono::steady_clock::time_point()) refresh(); // typed ahead of the first picture
    std::size_t at = 0;
    for (std::size_t i = 0; i < list_.lines.size(); i++)
        if (list_.lines[i].node.id == chosen_) at = i;
    if (is_char(input, 'c')) {
        actions_.take();
        chosen_ = 0;
        due_ = {};
        return true;
    }
    if (list_.lines.empty()) return true;
    const std::string name = list_.lines[at].node.name;
    if (is_code(input, KEY_UP) && at > 0) {
        chosen_ = list_.lines[at - 1].node.id;
    } else if (is_code(input, KEY_DOWN) && at + 1 < list_.lines.size()) {
        chosen_ = list_.lines[at + 1].node.id;
    } else if (is_enter(input)) {
        actions_.go_back(name);
        return false;
    } else if (is_char(input, 'n')) {
        actions_.rename(name);
        return false;
    } else if (is_char(input, 'd')) {
        actions_.remove(name);
        due_ = {};
    }
    return true;
}

} // namespace btvm
