// A state file as a machine that can be built: what it was made of, and whether it can be had here.
#pragma once

#include <map>

#include "userland/machine/machine_description.hh"
#include "userland/machine/pc.hh"
#include "userland/state/state_reader.hh"

namespace btvm {

/// What the user wants otherwise than it was.
struct RestoreWishes {
    std::string name;
    /// Images in place of those that the state names, by slot: the same content elsewhere.
    std::map<std::string, std::string> images;
    bool snapshot{}; ///< Leave the images alone even where the saved machine wrote them.
    std::optional<std::string> serial;
};

class SavedMachine {
public:
    /// Opens the file and reads what it says of the machine. Throws StateError, which names the file.
    explicit SavedMachine(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const MachineDescription& description() const { return description_; }
    [[nodiscard]] const StateReader& reader() const { return reader_; }

    /// Makes `config` the configuration of the saved machine; its engine's part is left as it is, but for the
    /// APICs. Throws StateError.
    void configure(PcConfig& config, const RestoreWishes& wishes) const;

private:
    std::string path_;
    StateReader reader_;
    MachineDescription description_;
};

/// What every StateError of a file says first.
[[nodiscard]] StateError in_file(const std::string& path, const std::exception& error);

} // namespace btvm
