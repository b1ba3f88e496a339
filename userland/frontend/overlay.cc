#include "userland/frontend/overlay.hh"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>

#include "userland/devices/codepage437.hh"
#include "userland/frontend/overlay_box.hh"

namespace btvm {

void Menu::draw(int rows, int columns) {
    std::size_t width = 0;
    for (const Item& item : items_)
        width = std::max(width, item.text.size() + 4);
    const Box box(title_, rows, columns, static_cast<int>(items_.size()), static_cast<int>(width));
    const auto shown = static_cast<std::size_t>(box.height);
    first_ = std::min(first_, chosen_);
    if (chosen_ >= first_ + shown) first_ = chosen_ - shown + 1;
    for (std::size_t i = 0; i < shown && first_ + i < items_.size(); i++) {
        const Item& item = items_[first_ + i];
        std::string text = std::string(1, item.letter) + "   " + item.text;
        text.resize(static_cast<std::size_t>(box.width), ' ');
        box.line(static_cast<int>(i), text, first_ + i == chosen_);
    }
    ::curs_set(0);
}

bool Menu::handle(const TerminalInput& input) {
    if (is_char(input, kEscape)) return false;
    if (is_code(input, KEY_UP)) {
        chosen_ = (chosen_ + items_.size() - 1) % items_.size();
    } else if (is_code(input, KEY_DOWN) || is_char(input, '\t')) {
        chosen_ = (chosen_ + 1) % items_.size();
    } else if (is_enter(input)) {
        items_[chosen_].action();
        return false;
    } else if (!input.is_code) {
        for (const Item& item : items_)
            if (is_char(input, static_cast<unsigned char>(item.letter))) {
                item.action();
                return false;
            }
    }
    return true;
}

void Prompt::draw(int rows, int columns) {
    const Box box(title_, rows, columns, 2, 60);
    const auto room = static_cast<std::size_t>(box.width) - 1;
    const std::string shown = text_.size() > room ? text_.substr(text_.size() - room) : text_;
    box.line(0, shown);
    box.line(1, wants_ == Wants::Path ? "Enter: accept   Tab: complete   Esc: cancel"
                                      : "Enter: accept   Esc: cancel");
    ::curs_set(1);
    ::move(box.y, box.x + static_cast<int>(shown.size()));
}

bool Prompt::handle(const TerminalInput& input) {
    if (is_char(input, kEscape)) return false;
    if (is_enter(input)) {
        if (!text_.empty()) accept_(text_);
        return false;
    }
    if (is_code(input, KEY_BACKSPACE) || is_char(input, 0x7f) || is_char(input, 0x08)) {
        // A whole UTF-8 character goes: its continuation bytes are 10xxxxxx.
        while (!text_.empty() && (static_cast<unsigned char>(text_.back()) & 0xc0) == 0x80)
            text_.pop_back();
        if (!text_.empty()) text_.pop_back();
    } else if (is_char(input, 'U' & 0x1f)) {
        text_.clear();
    } else if (is_char(input, '\t')) {
        if (wants_ == Wants::Path) complete();
    } else if (!input.is_code && !input.alt && input.value >= ' ') {
        append_utf8(text_, input.value);
    }
    return true;
}

void Prompt::complete() {
    namespace fs = std::filesystem;
    const std::size_t slash = text_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : text_.substr(0, slash + 1);
    const std::string start = slash == std::string::npos ? text_ : text_.substr(slash + 1);
    std::string common;
    bool found = false;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        std::string name = entry.path().filename().string();
        if (!name.starts_with(start)) continue;
        if (entry.is_directory(error)) name += "/";
        const auto differs = std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first;
        common = found ? std::string(common.begin(), differs) : name;
        found = true;
    }
    if (found) text_ = (slash == std::string::npos ? "" : folder) + common;
}

void TextPage::draw(int rows, int columns) {
    std::vector<std::string> lines;
    std::size_t width = 0;
    std::istringstream stream(text_());
    for (std::string line; std::getline(stream, line);) {
        width = std::max(width, line.size());
        lines.push_back(line);
    }
    const Box box(title_, rows, columns, static_cast<int>(lines.size()), static_cast<int>(width));
    page_ = static_cast<std::size_t>(box.height);
    last_first_ = lines.size() > page_ ? lines.size() - page_ : 0;
    first_ = std::min(first_, last_first_);
    for (std::size_t i = 0; i < page_ && first_ + i < lines.size(); i++)
        box.line(static_cast<int>(i), lines[first_ + i]);
    ::curs_set(0);
}

bool TextPage::handle(const TerminalInput& input) {
    if (is_code(input, KEY_UP))
        first_ -= first_ > 0;
    else if (is_code(input, KEY_DOWN))
        first_++;
    else if (is_code(input, KEY_PPAGE))
        first_ -= std::min(first_, page_);
    else if (is_code(input, KEY_NPAGE) || is_char(input, ' '))
        first_ += page_;
    else
        return false;
    first_ = std::min(first_, last_first_);
    return true;
}

} // namespace btvm
