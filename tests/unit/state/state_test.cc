// What a declaration of state gives: saving, loading, bytes, text, JSON, comparison; and what it refuses.
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <random>

#include "userland/devices/state.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;

enum class Phase : std::uint8_t { Idle, Command, Result };

struct Drive {
    std::uint8_t track = 0;
    bool motor = false;
    void describe(StateArchive& a) {
        a.field("track", track, {.below = 80});
        a.field("motor", motor);
    }
};

struct Gadget {
    std::uint8_t small = 1;
    std::uint16_t word = 2;
    std::uint32_t dword = 3;
    std::uint64_t qword = 4;
    std::int8_t minus8 = -1;
    std::int16_t minus16 = -2;
    std::int32_t minus32 = -3;
    std::int64_t minus64 = -4;
    bool flag = true;
    Phase phase = Phase::Command;
    GuestTime when = 15us;
    std::optional<GuestTime> due;
    std::array<std::uint8_t, 4> fifo{1, 2, 3, 4};
    std::uint16_t table[3] = {10, 20, 30};
    std::array<std::int16_t, 2> offsets{-5, 5};
    std::vector<std::uint32_t> queue{7, 8};
    std::deque<std::uint8_t> keys{0x1c, 0x9c};
    std::vector<Drive> drives{{3, true}, {4, false}};
    std::string label = "a \"label\"";
    std::uint8_t inner = 9;
    std::uint8_t only_in_result = 5;
    std::uint32_t program = 1; ///< Which version of the program this is.
    std::uint8_t new_in_2 = 42;
    bool forget_flag = false;

    void describe(StateArchive& a) {
        a.version(program);
        a.field("small", small);
        a.field("word", word);
        a.field("dword", dword);
        a.field("qword", qword);
        a.field("minus8", minus8);
        a.field("minus16", minus16);
        a.field("minus32", minus32);
        a.field("minus64", minus64);
        if (!forget_flag) a.field("flag", flag);
        a.field("phase", phase, {.below = 3});
        a.field("when", when);
        a.field("due", due);
        a.field("fifo", fifo);
        a.field("table", table);
        a.field("offsets", offsets);
        a.field("queue", queue, {.max_count = 4});
        a.field("keys", keys, {.max_count = 16});
        a.field("drives", drives, {.max_count = 4});
        a.field("label", label);
        a.group("more", [&](StateArchive& b) { b.field("inner", inner); });
        a.field("only_in_result", only_in_result, {.present = phase == Phase::Result});
        if (program >= 2) a.field("new_in_2", new_in_2, {.since = 2});
        a.check(small < 200, "small is too large");
    }
};

Gadget changed() {
    Gadget g;
    g.small = 77;
    g.word = 0xbeef;
    g.dword = 0xdeadbeef;
    g.qword = ~0ull - 1;
    g.minus8 = -128;
    g.minus16 = -32768;
    g.minus32 = -2147483647;
    g.minus64 = -9223372036854775807;
    g.flag = false;
    g.phase = Phase::Result;
    g.when = -3ns;
    g.due = 1h;
    g.fifo = {9, 8, 7, 6};
    g.table[1] = 65535;
    g.offsets = {-32768, 32767};
    g.queue = {1, 2, 3, 0xffffffff};
    g.keys.clear();
    g.drives = {{79, true}};
    g.label.clear();
    g.inner = 1;
    g.only_in_result = 200;
    return g;
}

std::vector<std::uint8_t> bytes_of(const StateSection& section) {
    std::vector<std::uint8_t> bytes;
    append_bytes(section, bytes);
    return bytes;
}

StateSection section_of(std::span<const std::uint8_t> bytes) { return take_section(bytes); }

std::string refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const StateError& e) {
        return e.what();
    }
    return "";
}

/// Saves a gadget, lets `edit` change the section, loads it into a fresh one: the message, empty if it was
/// taken.
std::string load_edited(const std::function<void(StateSection&)>& edit) {
    Gadget from = changed();
    StateSection section = save_state("gadget", from);
    edit(section);
    Gadget to;
    const std::string before = to_text(save_state("gadget", to));
    const std::string message = refusal([&] { load_state(to, section); });
    if (!message.empty()) {
        EXPECT_EQ(to_text(save_state("gadget", to)), before) << "a refused state left traces";
    }
    return message;
}

StateNode& node(StateSection& section, std::string_view name) {
    for (StateNode& n : section.fields)
        if (n.name == name) return n;
    throw std::out_of_range("no such field");
}

TEST(State, RoundTripThroughBytes) {
    Gadget from = changed();
    const StateSection saved = save_state("gadget", from);
    const StateSection read = section_of(bytes_of(saved));
    EXPECT_EQ(read, saved);
    Gadget to;
    load_state(to, read);
    EXPECT_EQ(save_state("gadget", to), saved);
    EXPECT_EQ(to.due, 1h);
    EXPECT_EQ(to.minus64, -9223372036854775807);
    EXPECT_EQ(to.drives.size(), 1u);
    EXPECT_EQ(to.only_in_result, 200);
}

TEST(State, FormatIsWhatTheHeaderSays) {
    struct Tiny {
        std::uint16_t port = 0x3f5;
        void describe(StateArchive& a) { a.field("port", port); }
    } tiny;
    const std::vector<std::uint8_t> expected = {'B', 'T', 'V', 'S', 1,   0,   'x', 1,    0,
                                                0,   0,   8,   0,   0,   0,   0,   0,    0,
                                                0,   3,   4,   'p', 'o', 'r', 't', 0xf5, 0x03};
    EXPECT_EQ(bytes_of(save_state("x", tiny)), expected);
}

TEST(State, SectionsFollowEachOther) {
    Gadget a, b = changed();
    std::vector<std::uint8_t> bytes;
    append_bytes(save_state("a", a), bytes);
    append_bytes(save_state("b", b), bytes);
    std::span<const std::uint8_t> rest = bytes;
    EXPECT_EQ(take_section(rest).name, "a");
    EXPECT_EQ(take_section(rest), save_state("b", b));
    EXPECT_TRUE(rest.empty());
}

TEST(State, EveryTruncationIsRefused) {
    Gadget gadget = changed();
    const auto bytes = bytes_of(save_state("gadget", gadget));
    for (std::size_t length = 0; length < bytes.size(); length++)
        EXPECT_THROW((void)section_of(std::span(bytes).first(length)), StateError) << length;
}

TEST(State, RandomDamageNeverDoesMoreThanThrow) {
    std::mt19937 random(4);
    Gadget gadget = changed();
    const auto good = bytes_of(save_state("gadget", gadget));
    for (int i = 0; i < 3000; i++) {
        auto bytes = good;
        for (unsigned n = 1 + random() % 3; n; n--)
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        try {
            const StateSection section = section_of(bytes);
            (void)to_text(section);
            (void)to_json(section);
            Gadget to;
            load_state(to, section);
            EXPECT_LT(to.drives.empty() ? 0 : to.drives[0].track, 80);
            EXPECT_LE(to.queue.size(), 4u);
        } catch (const StateError&) {
        }
    }
}

TEST(State, RefusalsSayWhatIsWrong) {
    const auto drop = [](std::string_view name) {
        return [name](StateSection& s) {
            std::erase_if(s.fields, [&](const StateNode& n) { return n.name == name; });
        };
    };
    EXPECT_EQ(load_edited([](StateSection&) {}), "");
    EXPECT_EQ(load_edited(drop("word")), "gadget: word: missing");
    EXPECT_EQ(load_edited([](StateSection& s) {
                  s.fields.push_back(s.fields[0]);
                  s.fields.back().name = "extra";
              }),
              "gadget: extra: unknown field");
    EXPECT_EQ(load_edited([](StateSection& s) { s.fields.push_back(s.fields[0]); }),
              "gadget: small: unknown field");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "word").type = StateNode::Type::U32; }),
              "gadget: word: is u32, expected u16");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "phase").number = 3; }),
              "gadget: phase: value out of range");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "fifo").bytes.push_back(0); }),
              "gadget: fifo: has 5 elements, expected 4");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "queue").numbers.resize(5); }),
              "gadget: queue: has 5 elements, at most 4 allowed");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "table").element = StateNode::Type::S16; }),
              "gadget: table: elements of another type");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "drives").children[0].children[0].number = 80; }),
              "gadget: drives.0.track: value out of range");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "small").number = 200; }),
              "gadget: small is too large");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "more").children[0].name = "outer"; }),
              "gadget: more.inner: missing");
    EXPECT_EQ(load_edited([](StateSection& s) { node(s, "phase").number = 0; }),
              "gadget: only_in_result: unknown field");
    EXPECT_EQ(load_edited([](StateSection& s) { s.version = 9; }),
              "gadget: saved by a newer program (version 9, this one reads up to 1)");
}

TEST(State, FieldsMayComeInAnotherOrder) {
    EXPECT_EQ(load_edited([](StateSection& s) { std::reverse(s.fields.begin(), s.fields.end()); }), "");
}

TEST(State, OlderVersionLeavesNewFieldsAlone) {
    Gadget old = changed();
    const StateSection section = save_state("gadget", old);
    Gadget now;
    now.program = 2;
    now.new_in_2 = 13;
    load_state(now, section);
    EXPECT_EQ(now.new_in_2, 13);
    EXPECT_EQ(now.word, 0xbeef);
    now.new_in_2 = 14;
    Gadget again;
    again.program = 2;
    load_state(again, save_state("gadget", now));
    EXPECT_EQ(again.new_in_2, 14);
    StateSection lying = save_state("gadget", now);
    lying.version = 1;
    EXPECT_EQ(refusal([&] { load_state(again, lying); }),
              "gadget: new_in_2: does not exist before version 2");
}

TEST(State, ForgottenDeclarationShows) {
    Gadget from;
    const StateSection section = save_state("gadget", from);
    Gadget to;
    to.forget_flag = true;
    EXPECT_EQ(refusal([&] { load_state(to, section); }), "gadget: flag: unknown field");
}

TEST(State, DeclaringTwiceIsAProgramError) {
    struct Twice {
        std::uint8_t v = 0;
        void describe(StateArchive& a) {
            a.field("v", v);
            a.field("v", v);
        }
    } twice;
    EXPECT_THROW((void)save_state("twice", twice), std::logic_error);
}

TEST(State, TextAndJson) {
    Gadget gadget;
    const std::string text = to_text(save_state("gadget", gadget));
    EXPECT_NE(text.find("gadget (version 1)\n  small: 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("  minus16: -2\n"), std::string::npos);
    EXPECT_NE(text.find("  due: none\n"), std::string::npos);
    EXPECT_NE(text.find("  when: 15000 ns\n"), std::string::npos);
    EXPECT_NE(text.find("  fifo: 4 bytes\n    000000  01020304\n"), std::string::npos) << text;
    EXPECT_NE(text.find("  drives:\n    0:\n      track: 3\n      motor: true\n    1:\n"), std::string::npos)
        << text;
    const std::string json = to_json(save_state("gadget", gadget));
    EXPECT_EQ(json.rfind("{\"name\":\"gadget\",\"version\":1,\"fields\":{\"small\":1,\"word\":2,", 0), 0u)
        << json;
    EXPECT_NE(json.find("\"due\":null,\"fifo\":\"01020304\",\"table\":[10,20,30],\"offsets\":[-5,5]"),
              std::string::npos);
    EXPECT_NE(json.find("\"drives\":[{\"track\":3,\"motor\":true},{\"track\":4,\"motor\":false}]"),
              std::string::npos);
    EXPECT_NE(json.find("\"label\":\"a \\\"label\\\"\",\"more\":{\"inner\":9}}}"), std::string::npos) << json;
}

TEST(State, Differences) {
    Gadget a, b;
    EXPECT_TRUE(differences(save_state("g", a), save_state("g", b)).empty());
    b.word = 3;
    b.due = 5ns;
    b.drives[1].track = 9;
    b.fifo[0] = 0xff;
    b.drives.push_back({});
    const std::vector<std::string> expected = {"word: 2 -> 3", "due: none -> 5 ns",
                                               "fifo: 01020304 -> ff020304", "drives.1.track: 4 -> 9",
                                               "drives: 2 -> 3 elements"};
    EXPECT_EQ(differences(save_state("g", a), save_state("g", b)), expected);
    b.phase = Phase::Result;
    EXPECT_EQ(differences(save_state("g", a), save_state("g", b)).back(), "only_in_result: absent -> 5");
}

} // namespace
} // namespace btvm
