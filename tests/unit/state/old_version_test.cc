// States of version 1 of devices whose fields have changed since.
#include <algorithm>
#include <functional>
#include <gtest/gtest.h>

#include "tests/unit/state/subjects.hh"

namespace btvm::test {
namespace {

using Type = StateNode::Type;
using Fields = std::vector<StateNode>;

StateNode node(const char* name, Type type, std::vector<std::uint8_t> bytes = {}) {
    StateNode made;
    made.name = name;
    made.type = type;
    made.bytes = std::move(bytes);
    return made;
}

StateSection& section(Sections& sections, std::string_view name) {
    return *std::find_if(sections.begin(), sections.end(),
                         [&](const StateSection& s) { return s.name == name; });
}

StateNode& field(Fields& fields, std::string_view name) {
    return *std::find_if(fields.begin(), fields.end(), [&](const StateNode& n) { return n.name == name; });
}

/// That a state can be loaded which `change` has made into one of version 1, and is the same as ever.
void loads(std::unique_ptr<Bench> (*make)(), const char* name, const std::function<void(Fields&)>& change) {
    const auto bench = make();
    bench->start();
    Random random(7);
    Seen seen;
    for (unsigned i = 0; i < 60; i++)
        bench->operate(random, seen);
    const Sections present = bench->save();
    Sections old = present;
    section(old, name).version = 1;
    change(section(old, name).fields);
    EXPECT_NO_THROW(bench->replace(old)) << name;
    EXPECT_EQ(bench->save(), present) << name;
}

TEST(OldVersion, IsLoaded) {
    loads(make_keyboard_bench, "i8042",
          [](Fields& f) { field(f, "keyboard").children.push_back(node("buffer_at", Type::Time)); });
    loads(make_power_bench, "acpi_pm", [](Fields& f) {
        f.push_back(node("event_status", Type::Blob, {0, 0}));
    });
    loads(make_cdrom_bench, "ide0", [](Fields& f) {
        field(f, "slave").children.push_back(node("packet", Type::Blob, std::vector<std::uint8_t>(12)));
    });
    loads(make_pci_bench, "piix_ide", [](Fields& f) {
        for (StateNode& master : field(f, "bus_masters").children)
            master.children.push_back(node("stopped_at_end", Type::Bool));
    });
    loads(make_floppy_bench, "fdc", [](Fields& f) {
        for (StateNode& n : f)
            if (n.name == "transfer") n.children.push_back(node("terminal_count", Type::Bool));
    });
    loads(make_serial_bench, "serial0",
          [](Fields& f) { std::erase_if(f, [](const StateNode& n) { return n.name == "under_way"; }); });
}

} // namespace
} // namespace btvm::test
