// The PC with drives: firmware finds them and boots, the guest turns the machine off, discs are changed.
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/tiny_bios.hh"
#include "userland/devices/disk_image_file.hh"
#include "userland/machine/pc.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDisk;

PcConfig tiny_pc(const std::vector<std::uint8_t>& code) {
    PcConfig config;
    config.name = "drives";
    config.engine_choice = EngineChoice::Interpreter;
    config.firmware.system_bios = tiny_bios(code);
    return config;
}

bool reaches(const Pc& pc, MachineState state, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (pc.state() != state && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(2ms);
    return pc.state() == state;
}

const std::vector<std::uint8_t> kSpin{0xeb, 0xfe};

TEST(PcDrives, AcpiSoftOffThroughPciTurnsTheMachineOff) {
    Pc pc(tiny_pc({
        0x66, 0xb8, 0x40, 0x0b, 0x00, 0x80, 0xba, 0xf8, 0x0c, 0x66, 0xef, // function 00:01.3, register 40h
        0x66, 0xb8, 0x01, 0xb0, 0x00, 0x00, 0xba, 0xfc, 0x0c, 0x66, 0xef, // block at B000h
        0x66, 0xb8, 0x80, 0x0b, 0x00, 0x80, 0xba, 0xf8, 0x0c, 0x66, 0xef, // register 80h
        0xb0, 0x01, 0xba, 0xfc, 0x0c, 0xee,                               // enable the block
        0xb8, 0x00, 0x20, 0xba, 0x04, 0xb0, 0xef,                         // SLP_EN, type 0
        0xeb, 0xfe,
    }));
    pc.start();
    EXPECT_TRUE(reaches(pc, MachineState::PoweredOff, 5s));
    pc.stop();
    EXPECT_NO_THROW((void)pc.screen());
    EXPECT_EQ(pc.status().state, MachineState::PoweredOff);
    EXPECT_THROW(pc.reset(), MachineStopped);
}

TEST(PcDrives, SeaBiosBootsADiskThatWritesItselfAndTurnsOff) {
    TemporaryDisk disk(2048);
    std::vector<std::uint8_t> boot{
        0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0,                         // ds = es = 0
        0xbb, 0x00, 0x7c, 0xb8, 0x01, 0x03, 0xb9, 0x02, 0x00,       // a sector from 7C00h to sector 2
        0xb6, 0x00, 0xcd, 0x13,                                     // of head 0, drive DL
        0xbe, 0x80, 0x7c, 0xba, 0x00, 0x89,                         // si = the word, dx = 8900h
        0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xeb, 0xfe, // each byte out
    };
    boot.resize(512);
    const std::string word = "Shutdown";
    std::copy(word.begin(), word.end(), boot.begin() + 0x80);
    boot[510] = 0x55;
    boot[511] = 0xaa;
    std::fstream(disk.path(), std::ios::binary | std::ios::in | std::ios::out)
        .write(reinterpret_cast<const char*>(boot.data()), 512);

    PcConfig config;
    try {
        config.firmware = load_firmware("", "");
    } catch (const FirmwareError& error) {
        GTEST_SKIP() << error.what();
    }
    config.name = "disk";
    config.engine_choice = EngineChoice::Interpreter;
    config.drives[0] = {DriveConfig::Kind::Disk, disk.path(), false, std::nullopt};
    {
        Pc pc(config);
        pc.start();
        EXPECT_TRUE(reaches(pc, MachineState::PoweredOff, 60s)) << screen_text(pc.screen());
        pc.stop();
        const PcStatus status = pc.status();
        EXPECT_EQ(status.drives[0].kind, DriveConfig::Kind::Disk);
        EXPECT_EQ(status.drives[0].written, 512u);
        EXPECT_EQ(status.drives[1].kind, DriveConfig::Kind::None);
        EXPECT_NE(screen_text(pc.screen()).find("Booting from Hard Disk"), std::string::npos);
    }
    const auto content = disk.content();
    EXPECT_TRUE(std::equal(boot.begin(), boot.end(), content.begin() + 512));
}

TEST(PcDrives, DiscsAreChangedWhileTheGuestRuns) {
    const TemporaryDisk first(20, 2048), second(30, 2048);
    PcConfig config = tiny_pc(kSpin);
    config.drives[2] = {DriveConfig::Kind::CdRom, first.path(), false, std::nullopt};
    Pc pc(config);
    pc.start();
    EXPECT_EQ(pc.status().drives[2].bytes, 20u * 2048);
    pc.insert_cdrom(second.path());
    EXPECT_EQ(pc.status().drives[2].bytes, 30u * 2048);
    EXPECT_THROW(pc.insert_cdrom("/nowhere.iso"), DiskError);
    EXPECT_EQ(pc.status().drives[2].path, second.path()); // as before
    pc.eject_cdrom();
    EXPECT_EQ(pc.status().drives[2].path, "");
    EXPECT_EQ(pc.status().drives[2].kind, DriveConfig::Kind::CdRom);
    EXPECT_THROW(pc.press_power_button(), std::runtime_error); // nobody listens
}

TEST(PcDrives, WithoutADriveThereIsNothingToChange) {
    Pc pc(tiny_pc(kSpin));
    pc.start();
    EXPECT_THROW(pc.eject_cdrom(), std::runtime_error);
}

TEST(PcDrives, BadImagesEndTheConstruction) {
    PcConfig config = tiny_pc(kSpin);
    config.drives[3] = {DriveConfig::Kind::Disk, "/nowhere.img", false, std::nullopt};
    EXPECT_THROW(Pc{config}, DiskError);
    const TemporaryDisk disk(20);
    config.drives[3].path = disk.path();
    config.drives[0] = config.drives[3]; // the same file twice
    EXPECT_THROW(Pc{config}, DiskError);
    config.drives[0].snapshot = config.drives[3].snapshot = true;
    EXPECT_NO_THROW(Pc{config});
}

} // namespace
} // namespace btvm
