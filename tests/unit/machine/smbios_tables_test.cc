// The SMBIOS structures, walked as an operating system does it (DMTF DSP0134 2.4, 6.1).
#include <gtest/gtest.h>

#include "userland/machine/smbios_tables.hh"

namespace btvm {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Structure {
    unsigned type{};
    Bytes formatted;
    std::vector<std::string> texts;
};

std::uint32_t get(const Bytes& from, std::size_t at, unsigned size) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= std::uint32_t{from.at(at + i)} << 8 * i;
    return value;
}

class SmbiosTables : public testing::TestWithParam<unsigned> {
protected:
    void SetUp() override {
        for (FirmwareFile& file : smbios_firmware_files(GetParam()))
            (file.name == "etc/smbios/smbios-anchor" ? entry_ : tables_) = std::move(file.content);
        for (std::size_t at = 0; at < tables_.size();) {
            Structure found;
            found.type = tables_[at];
            const std::size_t size = tables_.at(at + 1), begin = at;
            for (at += size; tables_.at(at); at++) {
                std::string text;
                for (; tables_.at(at); at++)
                    text += static_cast<char>(tables_[at]);
                found.texts.push_back(text);
            }
            at += found.texts.empty() ? 2 : 1; // without strings there are two zeros
            found.formatted.assign(tables_.begin() + static_cast<std::ptrdiff_t>(begin),
                                   tables_.begin() + static_cast<std::ptrdiff_t>(begin + size));
            largest_ = std::max(largest_, at - begin);
            structures_.push_back(std::move(found));
        }
    }
    [[nodiscard]] const Structure& only(unsigned type) const {
        const Structure* found = nullptr;
        for (const Structure& structure : structures_)
            if (structure.type == type) {
                EXPECT_EQ(found, nullptr) << "type " << type << " twice";
                found = &structure;
            }
        if (!found) throw std::out_of_range("no structure of type " + std::to_string(type));
        return *found;
    }

    Bytes entry_, tables_;
    std::vector<Structure> structures_;
    std::size_t largest_{};
};

TEST_P(SmbiosTables, EntryPointTellsTheirNumberAndSizes) {
    ASSERT_EQ(entry_.size(), 0x1fu);
    EXPECT_EQ(std::string(entry_.begin(), entry_.begin() + 4), "_SM_");
    EXPECT_EQ(get(entry_, 5, 1), entry_.size());
    EXPECT_EQ(get(entry_, 6, 2), 0x0402u); // version 2.4
    EXPECT_EQ(get(entry_, 8, 2), largest_);
    EXPECT_EQ(std::string(entry_.begin() + 0x10, entry_.begin() + 0x15), "_DMI_");
    EXPECT_EQ(get(entry_, 0x16, 2), tables_.size());
    EXPECT_EQ(get(entry_, 0x1c, 2), structures_.size());
    EXPECT_EQ(structures_.back().type, 127u);
}

TEST_P(SmbiosTables, EachStructureHasTheSizeOfItsVersion) {
    const std::vector<std::pair<unsigned, std::size_t>> sizes{{1, 0x1b},  {3, 0x15},  {4, 0x23},  {16, 0x0f},
                                                              {17, 0x1b}, {19, 0x0f}, {32, 0x0b}, {127, 4}};
    EXPECT_EQ(structures_.size(), sizes.size());
    for (const auto& [type, size] : sizes)
        EXPECT_EQ(only(type).formatted.size(), size) << type;
}

TEST_P(SmbiosTables, StringsAreNumberedAndHandlesAreOnesOwn) {
    EXPECT_EQ(only(1).texts, (std::vector<std::string>{"btvm", "440FX PC"}));
    EXPECT_EQ(get(only(1).formatted, 4, 2), 0x0201u);
    EXPECT_EQ(only(17).texts, std::vector<std::string>{"DIMM 0"});
    EXPECT_EQ(get(only(17).formatted, 0x10, 1), 1u);
    for (const Structure& one : structures_)
        for (const Structure& other : structures_)
            EXPECT_TRUE(&one == &other || get(one.formatted, 2, 2) != get(other.formatted, 2, 2)) << one.type;
}

TEST_P(SmbiosTables, MemoryIsAllThatTheMachineHas) {
    const std::uint32_t kib = GetParam() * 1024, array = get(only(16).formatted, 2, 2);
    EXPECT_EQ(get(only(16).formatted, 7, 4), kib);
    EXPECT_EQ(get(only(17).formatted, 4, 2), array);
    EXPECT_EQ(get(only(17).formatted, 0x0c, 2), GetParam());
    EXPECT_EQ(get(only(19).formatted, 4, 4), 0u);
    EXPECT_EQ(get(only(19).formatted, 8, 4), kib - 1);
    EXPECT_EQ(get(only(19).formatted, 0x0c, 2), array);
}

INSTANTIATE_TEST_SUITE_P(Sizes, SmbiosTables, testing::Values(1, 16, 2048));

} // namespace
} // namespace btvm
