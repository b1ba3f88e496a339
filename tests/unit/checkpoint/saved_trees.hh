// Machines with trees of checkpoints, to a file and back, and files that are bent.
#pragma once

#include <chrono>
#include <gtest/gtest.h>
#include <thread>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/machine/disk_worker.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/machine/saved_tree.hh"

namespace btvm {

using namespace std::chrono_literals;
using state_format::Type;
using test::TemporaryDisk;
using Bytes = std::vector<std::uint8_t>;
using Change = std::function<void(StateSection&)>;

/// Adds 1 to the first word of one page after the other from 64 KiB to 576 KiB, with a pause after each, for
/// ever: so that checkpoints differ from each other in pages in which others do not.
inline const std::vector<std::uint8_t> kWalker{
    0xfa,                         // cli
    0xb8, 0x00, 0x10,             // first: mov ax,1000h
    0x8e, 0xc0,                   // next: mov es,ax
    0x26, 0xff, 0x06, 0x00, 0x00, // inc word [es:0]
    0xb9, 0x00, 0x08, 0xe2, 0xfe, // mov cx,800h; loop $
    0x05, 0x00, 0x01,             // add ax,100h
    0x3d, 0x00, 0x90, 0x72, 0xec, // cmp ax,9000h; jb next
    0xeb, 0xe7                    // jmp first
};

class SavedTrees : public testing::Test {
protected:
    PcConfig worker(const std::vector<std::uint8_t>& code = kWorker) {
        return worker_config(code, disk.path(), false);
    }
    [[nodiscard]] std::string file(const std::string& name = "state") const {
        return disk.path() + "." + name;
    }
    std::unique_ptr<Pc> restored() { return restored_pc(file()); }
    std::string refusal() {
        try {
            restored();
        } catch (const std::exception& error) {
            return error.what();
        }
        return "";
    }
    /// All of memory and of the disk, and the processor, of a machine that stands still.
    Bytes content(Pc& pc) {
        (void)pc.save(file("content"));
        const StateReader reader(open_state_file(file("content")));
        Bytes all;
        for (const StateEntry& entry : reader.entries()) {
            if (!entry.name.starts_with("memory/") && entry.name != "media/hda") continue;
            const Bytes bytes = test::content(reader, entry.name, disk.content());
            all.insert(all.end(), bytes.begin(), bytes.end());
        }
        const btvm_regs general = pc.registers().general;
        const auto* const registers = reinterpret_cast<const std::uint8_t*>(&general);
        all.insert(all.end(), registers, registers + sizeof general);
        return all;
    }
    static std::map<std::string, CheckpointList::Line> lines(Pc& pc) {
        std::map<std::string, CheckpointList::Line> out;
        for (CheckpointList::Line& line : pc.checkpoints().lines)
            out[line.node.name] = line;
        return out;
    }
    /// A machine with a tree: a - b - d, a - c, and e, a root of its own since its parent is gone. It stands
    /// still after c, a little later.
    std::unique_ptr<Pc> grown(const std::vector<std::uint8_t>& code = kWorker) {
        auto pc = std::make_unique<Pc>(worker(code));
        pc->start();
        const auto take = [&](const char* name) {
            std::this_thread::sleep_for(6ms);
            (void)pc->checkpoint(name, true);
        };
        take("gone");
        take("e");
        (void)pc->rewind("gone");
        pc->delete_checkpoint("gone");
        for (const char* const name : {"a", "b", "d"})
            take(name);
        (void)pc->rewind("a");
        take("c");
        std::this_thread::sleep_for(6ms);
        pc->pause();
        return pc;
    }
    /// Saves a state again with sections changed, or, by a change that is none, without; and what `more`
    /// adds.
    void rewrite(const std::map<std::string, Change>& changes,
                 const std::function<void(StateWriter&)>& more = {}) {
        const StateReader reader(open_state_file(file("good")));
        StateWriter writer(file());
        for (const StateEntry& entry : reader.entries()) {
            const auto need = entry.required() ? StateWriter::Need::Required : StateWriter::Need::Optional;
            const auto change = changes.find(entry.name);
            if (change != changes.end() && !change->second) continue;
            if (entry.type == Type::Fields) {
                StateSection section = reader.fields(entry);
                if (change != changes.end()) change->second(section);
                writer.fields(section, need);
            } else if (entry.type == Type::Pages) {
                const Bytes payload = reader.payload(entry);
                PageEncoder encoder(page_set(payload, entry.name));
                decode_pages(payload, entry.name, [&](std::uint64_t at, std::span<const std::uint8_t> units) {
                    encoder.add(at, units);
                });
                writer.pages(entry.name, std::move(encoder), need);
            } else if (entry.type == Type::Text) {
                writer.text(entry.name, reader.text(entry), need);
            } else {
                writer.bytes(entry.name, reader.payload(entry), need);
            }
        }
        if (more) more(writer);
        writer.finish();
    }
    static StateNode& field(std::vector<StateNode>& fields, const std::string& name) {
        for (StateNode& each : fields)
            if (each.name == name) return each;
        throw std::runtime_error("no field " + name);
    }

    TemporaryDisk disk{2048};
};

} // namespace btvm
