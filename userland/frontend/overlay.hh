// Windows over the guest's screen: the menu, a prompt for a path, a page of text. The guest runs on beneath.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "userland/frontend/terminal_keys.hh"

namespace btvm {

class Overlay {
public:
    virtual ~Overlay() = default;
    /// Draws over the first `rows` rows and `columns` columns of the terminal and leaves the cursor where it
    /// belongs.
    virtual void draw(int rows, int columns) = 0;
    /// Handles one input; false when the overlay is done.
    virtual bool handle(const TerminalInput& input) = 0;
};

/// A list to choose from by arrow keys and Enter or by an item's letter.
class Menu final : public Overlay {
public:
    struct Item {
        char letter;
        std::string text;
        std::function<void()> action;
    };
    Menu(std::string title, std::vector<Item> items) : title_(std::move(title)), items_(std::move(items)) {}
    void draw(int rows, int columns) override;
    bool handle(const TerminalInput& input) override;

private:
    std::string title_;
    std::vector<Item> items_;
    std::size_t chosen_{};
    std::size_t first_{}; ///< The first item shown, where not all fit.
};

/// One line of input, for a path with completion of file names. Enter accepts, Escape gives up.
class Prompt final : public Overlay {
public:
    enum class Wants : bool { Text, Path };
    Prompt(std::string title, Wants wants, std::function<void(const std::string&)> accept)
        : title_(std::move(title)), wants_(wants), accept_(std::move(accept)) {}
    void draw(int rows, int columns) override;
    bool handle(const TerminalInput& input) override;

private:
    void complete();

    std::string title_;
    Wants wants_;
    std::function<void(const std::string&)> accept_;
    std::string text_;
};

/// A text to read and scroll; any other key closes it. The text is made anew for every frame.
class TextPage final : public Overlay {
public:
    TextPage(std::string title, std::function<std::string()> text)
        : title_(std::move(title)), text_(std::move(text)) {}
    void draw(int rows, int columns) override;
    bool handle(const TerminalInput& input) override;

private:
    std::string title_;
    std::function<std::string()> text_;
    std::size_t first_{};
    std::size_t last_first_{};
    std::size_t page_{1};
};

} // namespace btvm
