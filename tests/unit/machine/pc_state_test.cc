// Whole machines saved and restored, on the hosted engine.
#include <chrono>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/state/page_runs.hh"
#include "userland/state/state_writer.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using state_format::Type;
using test::TemporaryDisk;
using Bytes = std::vector<std::uint8_t>;

class PcState : public testing::Test {
protected:
    PcConfig worker() { return worker_config(kWorker, disk.path(), true); }
    [[nodiscard]] std::string file(const std::string& name = "state") const {
        return disk.path() + "." + name;
    }

    /// The machine that the file holds, not yet started.
    std::unique_ptr<Pc> restored(const RestoreWishes& wishes = {}) {
        const SavedMachine saved(file());
        PcConfig config;
        config.engine_choice = EngineChoice::Interpreter;
        saved.configure(config, wishes);
        auto pc = std::make_unique<Pc>(config);
        pc->restore(saved);
        return pc;
    }
    std::string refusal(const RestoreWishes& wishes = {}) {
        try {
            restored(wishes);
        } catch (const std::exception& error) {
            return error.what();
        }
        return "";
    }
    static RestoreWishes instead(const std::string& slot, const std::string& image) {
        RestoreWishes wishes;
        wishes.images[slot] = image;
        return wishes;
    }
    static RestoreWishes as_snapshot() {
        RestoreWishes wishes;
        wishes.snapshot = true;
        return wishes;
    }

    TemporaryDisk disk{2048};
};

TEST_F(PcState, SavedAndRestoredAgainAndAgainTheWorkComesOutTheSame) {
    std::mt19937 random(4);
    auto pc = std::make_unique<Pc>(worker());
    pc->start();
    unsigned moves = 0;
    for (; moves < 60 && pc->state() == MachineState::Running; moves++) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        (void)pc->save(file());
        pc.reset();
        pc = restored();
        pc->start();
    }
    EXPECT_GE(moves, 3u); // fewer on a busy machine, where the guest gets further between two
    ASSERT_TRUE(reaches(*pc, MachineState::Halted, 60s));
    (void)pc->save(file());

    const SavedMachine saved(file());
    const Bytes memory = test::content(saved.reader(), "memory/conventional RAM");
    std::uint32_t sum = 0;
    for (unsigned sector = 0; sector < kSectors; sector++)
        sum += 256 * (0x1234 + sector);
    EXPECT_EQ(load(memory, 0x604, 1), 0xaau);
    EXPECT_EQ(load(memory, 0x600, 4), sum);
    // The timer has counted guest time: none of it twice, and little lost.
    const auto milliseconds =
        static_cast<std::uint32_t>(saved.description().guest_time / std::chrono::milliseconds(1));
    EXPECT_LE(load(memory, 0x606, 2), milliseconds + 1);
    EXPECT_GE(load(memory, 0x606, 2), milliseconds * 3 / 4);
    // The disk as the guest sees it, and the image as it was.
    const Bytes written = test::content(saved.reader(), "media/hda");
    for (unsigned sector = 0; sector < kSectors; sector++)
        ASSERT_EQ(load(written, sector * 512 + 510, 2), 0x1234 + sector);
    const Bytes image = disk.content();
    EXPECT_EQ(load(image, 512, 4), 2u);
}

TEST_F(PcState, AStateOfAStateIsTheSame) {
    Pc pc(worker());
    pc.start();
    std::this_thread::sleep_for(20ms);
    pc.pause();
    (void)pc.save(file());
    std::vector<Bytes> sections[2];
    std::vector<std::string> names;
    for (int round = 0; round < 2; round++) {
        const StateReader reader(open_state_file(file()));
        for (const StateEntry& entry : reader.entries()) {
            if (entry.name == kMachineSection) continue; // knows when it was made
            if (round == 0) names.push_back(entry.name);
            Bytes payload = reader.payload(entry);
            if (entry.name == "cpu") { // the time-stamp counter goes on
                StateSection cpu = reader.fields(entry);
                std::erase_if(cpu.fields, [](const StateNode& field) { return field.name == "tsc"; });
                payload.clear();
                append_bytes(cpu, payload);
            }
            sections[round].push_back(payload);
        }
        if (round == 0) {
            auto other = restored();
            other->start();
            ASSERT_TRUE(reaches(*other, MachineState::Paused, 5s)); // as it was saved
            (void)other->save(file());
        }
    }
    ASSERT_EQ(sections[0].size(), sections[1].size());
    for (std::size_t i = 0; i < names.size(); i++)
        EXPECT_EQ(sections[0][i], sections[1][i]) << names[i];
}

TEST_F(PcState, TheMachineGoesOnAfterSavingAndReportsIt) {
    Pc pc(worker());
    pc.start();
    const SaveReport report = pc.save(file());
    EXPECT_EQ(report.bytes, std::filesystem::file_size(file()));
    EXPECT_TRUE(report.written_images.empty());
    EXPECT_TRUE(reaches(pc, MachineState::Halted, 60s));
}

TEST_F(PcState, AMachineThatIsOffSavesNothing) {
    Pc pc(worker());
    pc.start();
    pc.stop();
    EXPECT_THROW((void)pc.save(file()), MachineStopped);
    EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(PcState, AnotherImageIsRefusedByName) {
    {
        Pc pc(worker());
        pc.start();
        std::this_thread::sleep_for(5ms);
        (void)pc.save(file());
    }
    EXPECT_EQ(refusal(), "");
    const std::string other = disk.path() + ".other";
    std::filesystem::copy_file(disk.path(), other);
    EXPECT_EQ(refusal(instead("hda", other)), ""); // the same elsewhere
    std::fstream(other, std::ios::in | std::ios::out | std::ios::binary).seekp(1000000).put('x');
    EXPECT_EQ(refusal(instead("hda", other)), file() + ": " + other +
                                                  ": is not what was in drive hda when the state was made (" +
                                                  disk.path() + ")");
    std::filesystem::resize_file(other, 1024 * 512);
    EXPECT_NE(refusal(instead("hda", other)).find("has 524288 bytes"), std::string::npos);
    EXPECT_NE(refusal(instead("fda", other)).find("drive fda was empty in the saved machine"),
              std::string::npos);
    std::fstream(disk.path(), std::ios::in | std::ios::out | std::ios::binary).seekp(1000000).put('x');
    EXPECT_NE(refusal().find("it has been changed since"), std::string::npos) << refusal();
    std::filesystem::remove(disk.path());
    EXPECT_NE(refusal().find("No such file"), std::string::npos) << refusal();
}

TEST_F(PcState, AWrittenImageHoldsAsLongAsNobodyWritesIt) {
    PcConfig config = worker();
    config.drives[0].snapshot = false;
    {
        Pc pc(config);
        pc.start();
        const SaveReport early = pc.save(file());
        EXPECT_EQ(early.written_images, std::vector<std::string>{disk.path()});
        ASSERT_TRUE(reaches(pc, MachineState::Halted, 60s));
        (void)pc.save(file("late"));
    }
    // The early state is lost: the guest went on and wrote. The late one is good.
    EXPECT_NE(refusal().find("it has been written since"), std::string::npos) << refusal();
    std::filesystem::rename(file("late"), file());
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(refusal(as_snapshot()), "");
}

/// Copies a state, but for what `change` makes of it.
class Rewriter {
public:
    explicit Rewriter(const std::string& from) : reader_(open_state_file(from)) {}
    void write(const std::string& to, const std::string& name,
               const std::function<void(StateWriter&, const StateEntry&)>& change) {
        StateWriter writer(to);
        for (const StateEntry& entry : reader_.entries()) {
            const auto need = entry.required() ? StateWriter::Need::Required : StateWriter::Need::Optional;
            if (entry.name == name) {
                change(writer, entry);
                continue;
            }
            const Bytes payload = reader_.payload(entry);
            switch (entry.type) {
            case Type::Fields: writer.fields(reader_.fields(entry), need); break;
            case Type::Text: writer.text(entry.name, reader_.text(entry), need); break;
            case Type::Bytes: writer.bytes(entry.name, payload, need); break;
            case Type::Pages: {
                PageEncoder encoder(page_set(payload, entry.name));
                decode_pages(payload, entry.name, [&](std::uint64_t at, std::span<const std::uint8_t> units) {
                    encoder.add(at, units);
                });
                writer.pages(entry.name, std::move(encoder), need);
                break;
            }
            }
        }
        if (name.empty()) change(writer, StateEntry{});
        writer.finish();
    }
    [[nodiscard]] const StateReader& reader() const { return reader_; }

private:
    StateReader reader_;
};

TEST_F(PcState, WhatIsMissingOrUnknownIsNamed) {
    {
        Pc pc(worker());
        pc.start();
        (void)pc.save(file("good"));
    }
    Rewriter rewriter(file("good"));
    const auto nothing = [](StateWriter&, const StateEntry&) {};
    for (const StateEntry& entry : rewriter.reader().entries()) {
        rewriter.write(file(), entry.name, nothing);
        const std::string why = refusal();
        if (!entry.required())
            EXPECT_EQ(why, "") << entry.name;
        else
            EXPECT_NE(why.find("the state has no section \"" + entry.name + "\""), std::string::npos) << why;
    }
    rewriter.write(file(), "", [](StateWriter& writer, const StateEntry&) {
        writer.text("comment", "for people", StateWriter::Need::Optional);
    });
    EXPECT_EQ(refusal(), "");
    rewriter.write(file(), "", [](StateWriter& writer, const StateEntry&) {
        writer.text("sound card", "was playing", StateWriter::Need::Required);
    });
    EXPECT_NE(refusal().find("section \"sound card\" is needed"), std::string::npos) << refusal();
}

TEST_F(PcState, FieldsOfAnySectionAreNeeded) {
    {
        Pc pc(worker());
        pc.start();
        std::this_thread::sleep_for(10ms);
        (void)pc.save(file("good"));
    }
    Rewriter rewriter(file("good"));
    unsigned fields = 0;
    for (const StateEntry& entry : rewriter.reader().entries()) {
        if (entry.type != Type::Fields) continue;
        const StateSection section = rewriter.reader().fields(entry);
        // The archive is strict for all alike (state_test): every few of each section will do, in seconds.
        for (std::size_t i = section.fields.size() % 4; i < section.fields.size(); i += 6, fields++) {
            StateSection less = section;
            less.fields.erase(less.fields.begin() + static_cast<std::ptrdiff_t>(i));
            rewriter.write(file(), entry.name, [&](StateWriter& writer, const StateEntry&) {
                writer.fields(less, StateWriter::Need::Required);
            });
            const std::string why = refusal();
            EXPECT_NE(why.find(section.fields[i].name), std::string::npos)
                << entry.name << "." << section.fields[i].name << ": " << why;
        }
        StateSection later = section;
        later.version = 1000;
        rewriter.write(file(), entry.name, [&](StateWriter& writer, const StateEntry&) {
            writer.fields(later, StateWriter::Need::Required);
        });
        EXPECT_NE(refusal().find("newer"), std::string::npos) << entry.name << ": " << refusal();
    }
    EXPECT_GT(fields, 20u);
}

TEST_F(PcState, MemoryOfAnotherSizeIsRefused) {
    {
        Pc pc(worker());
        pc.start();
        (void)pc.save(file("good"));
    }
    Rewriter rewriter(file("good"));
    rewriter.write(file(), "memory/extended RAM", [](StateWriter& writer, const StateEntry& entry) {
        PageEncoder encoder({1 << 20, 2 << 20, 4096, PageBase::Zero});
        writer.pages(entry.name, std::move(encoder), StateWriter::Need::Required);
    });
    EXPECT_NE(refusal().find("memory/extended RAM: is of another size or place"), std::string::npos)
        << refusal();
}

} // namespace
} // namespace btvm
