// The subjects of restore_test.cc are all the devices of a machine, and all their fields.
#include <gtest/gtest.h>
#include <set>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/tiny_bios.hh"
#include "tests/unit/state/leave_out.hh"
#include "tests/unit/state/subjects.hh"
#include "userland/machine/engine_state.hh"
#include "userland/machine/machine_description.hh"
#include "userland/machine/pc.hh"
#include "userland/state/state_reader.hh"

namespace btvm::test {
namespace {

/// The state of a machine that has just been turned on.
StateReader turned_on(const std::string& file, const std::string& disk) {
    PcConfig config;
    config.engine_choice = EngineChoice::Interpreter;
    config.ram_mib = 2;
    config.firmware.system_bios = tiny_bios({0xeb, 0xfe});
    config.drives[0] = {DriveConfig::Kind::Disk, disk, true, std::nullopt};
    config.drives[1].kind = DriveConfig::Kind::CdRom;
    Pc pc(config);
    pc.start();
    (void)pc.save(file);
    pc.stop();
    return StateReader(open_state_file(file));
}

/// What is tried of a device that was just made: its fields, without what is in groups and lists.
std::set<std::string> tried_fields() {
    std::set<std::string> tried;
    for (const Subject& subject : subjects()) {
        const auto bench = subject.make();
        bench->start();
        const Sections sections = bench->save();
        for_each_field(sections, sections, [&](const std::string& path, bool) {
            if (subject.tries(path)) tried.insert(path.substr(0, path.find('.', path.find('.') + 1)));
        });
    }
    return tried;
}

TEST(AllDevices, AreSubjectsWithAllTheirFields) {
    const std::set<std::string> tried = tried_fields();
    const TemporaryDisk disk(64);
    const StateReader reader = turned_on(disk.path() + ".state", disk.path());
    unsigned devices = 0;
    for (const StateEntry& entry : reader.entries()) {
        if (entry.type != state_format::Type::Fields || entry.name == kMachineSection) continue;
        devices++;
        // Both channels are of one kind.
        const std::string name = entry.name == "ide1" ? "ide0" : entry.name;
        for (const StateNode& field : reader.fields(entry).fields)
            EXPECT_TRUE(tried.contains(name + '.' + field.name)) << entry.name << '.' << field.name;
    }
    EXPECT_GE(devices, 20u);
}

} // namespace
} // namespace btvm::test
