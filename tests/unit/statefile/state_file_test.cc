// The state file as a container: written and read back, cut, bent, and from the future.
#include <gtest/gtest.h>

#include "tests/unit/statefile/example_state.hh"
#include "userland/state/checksum.hh"
#include "userland/state/little_endian.hh"
#include "userland/state/state_reader.hh"

namespace btvm {
namespace {

const Bytes& example() {
    static const Bytes bytes = [] {
        const Folder folder;
        write_example(folder / "x");
        return file_bytes(folder / "x");
    }();
    return bytes;
}

/// Reads everything there is.
void read_all(const Bytes& bytes) {
    const StateReader reader(state_in_memory(bytes));
    for (const StateEntry& entry : reader.entries()) {
        if (entry.type == Type::Fields) (void)to_text(reader.fields(entry));
        const Bytes payload = reader.payload(entry);
        if (entry.type == Type::Pages)
            decode_pages(payload, entry.name, [](std::uint64_t, std::span<const std::uint8_t>) {});
    }
}

std::string refusal(const Bytes& bytes) {
    try {
        read_all(bytes);
    } catch (const StateError& error) {
        return error.what();
    }
    return "";
}

TEST(StateFile, WhatIsWrittenIsRead) {
    const Folder folder;
    write_example(folder / "x");
    const StateReader reader(open_state_file(folder / "x"));
    ASSERT_EQ(reader.entries().size(), 4u);
    Chip chip;
    load_state(chip, reader.fields(reader.get("chip", Type::Fields)));
    EXPECT_EQ(chip.a, 7);
    EXPECT_EQ(reader.text(reader.get("screen", Type::Text)), "hello\n");
    EXPECT_FALSE(reader.get("screen", Type::Text).required());
    EXPECT_EQ(reader.payload(reader.get("firmware", Type::Bytes)), Bytes(300, 0x5a));
    EXPECT_LT(reader.get("firmware", Type::Bytes).stored, 100u); // compressed
    unsigned runs = 0;
    const Bytes pages = reader.payload(reader.get("memory", Type::Pages));
    decode_pages(pages, "memory", [&](std::uint64_t index, std::span<const std::uint8_t> data) {
        EXPECT_EQ(index, 1u);
        EXPECT_EQ(Bytes(data.begin(), data.end()), Bytes(4096, 0x11));
        runs++;
    });
    EXPECT_EQ(runs, 1u);
    EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
    EXPECT_NE(reader.id(), (std::array<std::uint8_t, 16>{}));
}

TEST(StateFile, WhatIsMissingIsNamed) {
    const StateReader reader(state_in_memory(example()));
    EXPECT_EQ(reader.find("nothing"), nullptr);
    EXPECT_THROW((void)reader.get("nothing", Type::Fields), StateError);
    EXPECT_THROW((void)reader.get("screen", Type::Fields), StateError);
}

TEST(StateFile, CutAnywhereIsRefused) {
    for (std::size_t length = 0; length < example().size(); length++)
        EXPECT_NE(refusal({example().begin(), example().begin() + static_cast<std::ptrdiff_t>(length)}), "")
            << length;
    Bytes longer = example();
    longer.push_back(0);
    EXPECT_NE(refusal(longer), "");
}

TEST(StateFile, AnyBentBitIsSeen) {
    // But for the identity there is no bit that may change unseen; its own checksum covers that too.
    for (std::size_t at = 0; at < example().size(); at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            Bytes bent = example();
            bent[at] ^= static_cast<std::uint8_t>(1u << bit);
            EXPECT_NE(refusal(bent), "") << "byte " << at << " bit " << bit;
        }
}

// ---- files that a writer from the future, or a hostile one, could make: all checksums are right

struct Part {
    std::string name;
    std::uint8_t type = static_cast<std::uint8_t>(Type::Text);
    std::uint8_t flags = 0;
    Bytes payload{'x'};
    std::optional<std::uint64_t> stored{}, raw{}; ///< What the header says; by default the truth.
};

Bytes build(const std::vector<Part>& parts, std::uint32_t version = 1) {
    Bytes out(state_format::kMagic.begin(), state_format::kMagic.end());
    put_number(out, version, 4);
    out.resize(32);
    put_number(out, crc32(out), 4);
    std::uint32_t sum = 0;
    for (const Part& part : parts) {
        Bytes header{'S', 'E', 'C', 'T', part.type, part.flags};
        put_number(header, part.name.size(), 2);
        put_number(header, part.stored.value_or(part.payload.size()), 8);
        put_number(header, part.raw.value_or(part.payload.size()), 8);
        header.insert(header.end(), part.name.begin(), part.name.end());
        put_number(header, crc32(header), 4);
        out.insert(out.end(), header.begin(), header.end());
        out.insert(out.end(), part.payload.begin(), part.payload.end());
        Bytes crc;
        put_number(crc, crc32(part.payload), 4);
        sum = crc32(crc, sum);
        out.insert(out.end(), crc.begin(), crc.end());
        for (const char c : {'D', 'O', 'N', 'E'})
            out.push_back(static_cast<std::uint8_t>(c));
    }
    Bytes end{'F', 'E', 'N', 'D'};
    put_number(end, parts.size(), 4);
    put_number(end, out.size(), 8);
    put_number(end, sum, 4);
    put_number(end, crc32(end), 4);
    out.insert(out.end(), end.begin(), end.end());
    return out;
}

TEST(StateFile, TheTestBuildsWhatTheReaderReads) {
    EXPECT_EQ(refusal(build({{.name = "a"}, {.name = "b"}})), "");
}

TEST(StateFile, UnknownTypesAndFlagsAreListedAndNotRead) {
    const StateReader reader(state_in_memory(
        build({{.name = "new", .type = 77}, {.name = "sealed", .flags = 0x80}, {.name = "known"}})));
    EXPECT_FALSE(reader.find("new")->known());
    EXPECT_FALSE(reader.find("sealed")->known());
    EXPECT_TRUE(reader.find("known")->known());
    EXPECT_THROW((void)reader.payload(*reader.find("new")), StateError);
    EXPECT_EQ(reader.text(*reader.find("known")), "x");
}

TEST(StateFile, AnotherFormatVersionIsRefusedByNumber) {
    EXPECT_EQ(refusal(build({}, 2)), "the state has format version 2, this program reads 1");
}

TEST(StateFile, OtherFilesAreNotTakenForStates) {
    EXPECT_EQ(refusal({}), "the file is empty");
    EXPECT_EQ(refusal(Bytes(1000, 0)), "this is no btvm state");
    EXPECT_EQ(refusal({'x'}), "this is no btvm state");
}

TEST(StateFile, AbsurdLengthsAreRefused) {
    for (const std::uint64_t length : {~0ull, ~0ull >> 1, 1ull << 40, 2ull, 0ull}) {
        EXPECT_NE(refusal(build({{.name = "a", .stored = length, .raw = length}})), "") << length;
        EXPECT_NE(refusal(build({{.name = "a", .raw = length}})), "") << length;
        EXPECT_NE(refusal(build({{.name = "a", .flags = state_format::kZstd, .raw = length}})), "") << length;
    }
    EXPECT_NE(refusal(build({{.name = ""}})), "");
    EXPECT_NE(refusal(build({{.name = std::string(256, 'n')}})), "");
}

TEST(StateFile, NamesArePlainTextAndDiffer) {
    EXPECT_NE(refusal(build({{.name = "a"}, {.name = "a"}})), "");
    EXPECT_NE(refusal(build({{.name = "\x1b[2J"}})), "");
}

/// A section "x" of these fields.
Bytes fields_section(const Bytes& fields) {
    Bytes section{'B', 'T', 'V', 'S', 1, 0, 'x'};
    put_number(section, 1, 4);
    put_number(section, fields.size(), 8);
    section.insert(section.end(), fields.begin(), fields.end());
    return section;
}

std::string fields_refusal(const Bytes& fields) {
    return refusal(build(
        {{.name = "x", .type = static_cast<std::uint8_t>(Type::Fields), .payload = fields_section(fields)}}));
}

TEST(StateFile, DeepNestingIsRefused) {
    Bytes fields;
    for (int i = 0; i < 5000; i++) {
        Bytes outer{14, 1, 'g'}; // a group around it
        put_number(outer, fields.size(), 4);
        outer.insert(outer.end(), fields.begin(), fields.end());
        fields = outer;
    }
    EXPECT_NE(fields_refusal(fields).find("nested too deeply"), std::string::npos);
}

TEST(StateFile, ABombOfFieldsIsRefused) {
    // Each of them is four bytes in the file, or three, or next to none compressed, and over a hundred here.
    Bytes list{15, 1, 'l'};
    put_number(list, 1u << 19, 4);
    list.resize(list.size() + (std::size_t{4} << 19)); // groups without fields
    EXPECT_NE(fields_refusal(list).find("more fields"), std::string::npos) << fields_refusal(list);
    Bytes nothing;
    for (unsigned i = 0; i < 2000; i++)
        nothing.insert(nothing.end(), {0, 1, 'n'});
    EXPECT_NE(fields_refusal(nothing).find("more fields"), std::string::npos) << fields_refusal(nothing);
}

TEST(StateFile, NamesOfFieldsArePlainText) {
    EXPECT_EQ(fields_refusal({0, 1, 'n'}), "");
    for (const std::uint8_t bad : {0x1b, 0x7f, 0x9b, 0x0a})
        EXPECT_NE(fields_refusal({0, 1, bad}).find("not plain text"), std::string::npos);
}

TEST(StateFile, SectionsOfTwoStatesCannotBeMixed) {
    // The same length, another content: the sections are whole, the end does not name them.
    const Bytes one = build({{.name = "a", .payload = {'1'}}, {.name = "b", .payload = {'1'}}});
    const Bytes two = build({{.name = "a", .payload = {'2'}}, {.name = "b", .payload = {'2'}}});
    Bytes mixed = one;
    constexpr std::size_t kSection = 24 + 1 + 4 + 1 + 8;
    std::copy_n(two.begin() + 36, kSection, mixed.begin() + 36);
    EXPECT_EQ(refusal(mixed), "the state's sections are not those that its end names");
}

} // namespace
} // namespace btvm
