// The ACPI tables, put together as the firmware does it.
#include <gtest/gtest.h>
#include <map>
#include <numeric>

#include "userland/machine/acpi_tables.hh"

namespace btvm {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint32_t get32(const Bytes& from, std::size_t at) {
    return static_cast<std::uint32_t>(from.at(at) | from.at(at + 1) << 8 | from.at(at + 2) << 16) |
           std::uint32_t{from.at(at + 3)} << 24;
}
void put32(Bytes& to, std::size_t at, std::uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        to.at(at + i) = static_cast<std::uint8_t>(value >> 8 * i);
}
std::string text(const Bytes& from, std::size_t at, std::size_t most) {
    std::string out;
    for (std::size_t i = at; i < at + most && from.at(i); i++)
        out += static_cast<char>(from[i]);
    return out;
}

/// A loader: files at addresses of its own choice, the script carried out.
class AcpiTables : public testing::Test {
protected:
    static constexpr std::uint32_t kPointer = 0xf6000, kTables = 0xff0000;

    void load(bool apic) {
        for (FirmwareFile& file : acpi_firmware_files(apic))
            files_[file.name] = std::move(file.content);
        const Bytes script = files_.at("etc/table-loader");
        EXPECT_EQ(script.size() % 128, 0u);
        for (std::size_t at = 0; at < script.size(); at += 128)
            carry_out({script.begin() + static_cast<std::ptrdiff_t>(at),
                       script.begin() + static_cast<std::ptrdiff_t>(at) + 128});
    }
    void carry_out(const Bytes& entry) {
        const std::string name = text(entry, 4, 56);
        Bytes& file = files_.at(name);
        switch (get32(entry, 0)) {
        case 1: addresses_[name] = name == "etc/acpi/rsdp" ? kPointer : kTables; break;
        case 2: {
            const std::uint32_t at = get32(entry, 116);
            EXPECT_EQ(entry[120], 4);
            put32(file, at, get32(file, at) + addresses_.at(text(entry, 60, 56)));
            break;
        }
        case 3: {
            const auto begin = file.begin() + get32(entry, 64);
            const auto sum = std::accumulate(begin, begin + get32(entry, 68), 0u);
            file.at(get32(entry, 60)) = static_cast<std::uint8_t>(file.at(get32(entry, 60)) - sum);
            break;
        }
        default: FAIL() << "an unknown command";
        }
    }
    /// The table at an address; its checksum is right.
    Bytes table(std::uint32_t address, const std::string& signature) {
        const Bytes& all = files_.at("etc/acpi/tables");
        const std::size_t at = address - kTables;
        EXPECT_EQ(text(all, at, 4), signature);
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at);
        Bytes out(begin, begin + get32(all, at + 4));
        if (signature != "FACS") {
            EXPECT_EQ(std::accumulate(out.begin(), out.end(), 0u) % 256, 0u) << signature;
        }
        return out;
    }
    std::map<std::string, Bytes> files_;
    std::map<std::string, std::uint32_t> addresses_;
};

TEST_F(AcpiTables, AreReachableFromTheRootPointer) {
    load(false);
    const Bytes& root = files_.at("etc/acpi/rsdp");
    EXPECT_EQ(text(root, 0, 8), "RSD PTR ");
    EXPECT_EQ(std::accumulate(root.begin(), root.end(), 0u) % 256, 0u);
    const Bytes rsdt = table(get32(root, 16), "RSDT");
    ASSERT_EQ(rsdt.size(), 40u);
    const Bytes fadt = table(get32(rsdt, 36), "FACP");
    ASSERT_EQ(fadt.size(), 116u);
    EXPECT_EQ(get32(fadt, 36) % 64, 0u);
    EXPECT_EQ(table(get32(fadt, 36), "FACS").size(), 64u);
    EXPECT_GT(table(get32(fadt, 40), "DSDT").size(), 300u);
    EXPECT_EQ(get32(fadt, 64), 0x604u);
}

TEST_F(AcpiTables, WithApicsThereIsATableOfThem) {
    load(true);
    const Bytes rsdt = table(get32(files_.at("etc/acpi/rsdp"), 16), "RSDT");
    ASSERT_EQ(rsdt.size(), 44u);
    (void)table(get32(rsdt, 36), "FACP");
    const Bytes madt = table(get32(rsdt, 40), "APIC");
    EXPECT_EQ(get32(madt, 36), 0xfee00000u);
    EXPECT_EQ(get32(madt, 40), 1u);
    std::map<unsigned, std::vector<std::size_t>> entries; // by type
    for (std::size_t at = 44; at < madt.size(); at += madt[at + 1])
        entries[madt[at]].push_back(at);
    ASSERT_EQ(entries[0].size(), 1u);
    EXPECT_EQ(get32(madt, entries[0][0] + 4), 1u) << "the processor can be used";
    ASSERT_EQ(entries[1].size(), 1u);
    EXPECT_EQ(get32(madt, entries[1][0] + 4), 0xfec00000u);
    EXPECT_EQ(get32(madt, entries[1][0] + 8), 0u) << "from interrupt 0 on";
    ASSERT_EQ(entries[2].size(), 2u);
    EXPECT_EQ(madt[entries[2][0] + 3], 0);
    EXPECT_EQ(get32(madt, entries[2][0] + 4), 2u);
    EXPECT_EQ(madt[entries[2][1] + 3], 9);
    EXPECT_EQ(get32(madt, entries[2][1] + 4), 9u);
    EXPECT_EQ(madt[entries[2][1] + 8], 0x0d);
    ASSERT_EQ(entries[4].size(), 1u);
    EXPECT_EQ(madt[entries[4][0] + 5], 1) << "the NMI is LINT1";
}

} // namespace
} // namespace btvm
