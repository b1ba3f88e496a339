#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/machine/tiny_bios.hh"
#include "userland/machine/firmware.hh"

namespace btvm {
namespace {

class FirmwareTest : public testing::Test {
protected:
    FirmwareTest() : folder_(testing::TempDir() + "btvm-firmware-" + std::to_string(::getpid())) {
        std::filesystem::create_directories(folder_);
    }
    ~FirmwareTest() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string& name, const std::vector<std::uint8_t>& content) {
        const std::string path = folder_ + "/" + name;
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
        return path;
    }
    /// The message that loading these is refused with.
    static std::string refusal(const std::string& system, const std::string& video) {
        try {
            (void)load_firmware(system, video);
        } catch (const FirmwareError& error) {
            return error.what();
        }
        return "accepted";
    }
    std::string folder_;
};

TEST_F(FirmwareTest, GoodImagesAreTaken) {
    std::vector<std::uint8_t> video(0x200);
    video[0] = 0x55;
    video[1] = 0xaa;
    const Firmware firmware = load_firmware(file("bios", tiny_bios({0xf4})), file("video", video));
    EXPECT_EQ(firmware.system_bios.size(), 0x10000u);
    EXPECT_EQ(firmware.video_bios, video);
    EXPECT_FALSE(firmware.writable);
    EXPECT_TRUE(load_firmware(file("bios", tiny_bios({0xf4})), "none").video_bios.empty());
}

TEST_F(FirmwareTest, SeaBiosIsKnownByItsName) {
    EXPECT_TRUE(load_firmware(file("bios", tiny_bios({'S', 'e', 'a', 'B', 'I', 'O', 'S'})), "none").writable);
}

TEST_F(FirmwareTest, WhatStandsAtTheResetVectorIsTheRomsOwnBusiness) {
    for (const std::uint8_t first : {0xfa, 0xeb, 0x90, 0x00}) { // the last one: the first of several bytes
        std::vector<std::uint8_t> rom(0x30000, 0xff);
        rom[rom.size() - 16] = first;
        EXPECT_EQ(refusal(file("rom", rom), "none"), "accepted") << unsigned{first};
    }
    EXPECT_NE(refusal(file("erased", std::vector<std::uint8_t>(0x10000, 0xff)), "none").find("reset vector"),
              std::string::npos);
}

TEST_F(FirmwareTest, BadImagesAreRefusedWithAReason) {
    EXPECT_NE(refusal(folder_ + "/missing", "none").find("No such file"), std::string::npos);
    EXPECT_NE(refusal(folder_, "none").find("not a regular file"), std::string::npos);
    EXPECT_NE(refusal(file("odd", std::vector<std::uint8_t>(65535)), "none").find("65535 bytes"),
              std::string::npos);
    EXPECT_NE(refusal(file("zeros", std::vector<std::uint8_t>(65536)), "none").find("reset vector"),
              std::string::npos);
    EXPECT_NE(refusal(file("none", {}), "none").find("0 bytes"), std::string::npos);
    EXPECT_NE(refusal(file("huge", std::vector<std::uint8_t>(0x810000)), "none").find("too large"),
              std::string::npos);
    const std::string bios = file("bios", tiny_bios({0xf4}));
    EXPECT_NE(refusal(bios, file("unsigned", std::vector<std::uint8_t>(512))).find("55 AA"),
              std::string::npos);
    EXPECT_NE(refusal(bios, folder_ + "/missing").find("video BIOS"), std::string::npos);
}

} // namespace
} // namespace btvm
