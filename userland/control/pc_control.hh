// The commands of the control protocol (docs/control.md), carried out on a PC.
#pragma once

#include <functional>

#include "userland/control/control_server.hh"
#include "userland/machine/pc.hh"

namespace btvm {

class PcControl final : public ControlTarget {
public:
    /// `quit` is called when a client asks for the end; false: what the guest has written since the first
    /// checkpoint shall not go into the images.
    PcControl(Pc& pc, std::function<void(bool keep)> quit) : pc_(pc), quit_(std::move(quit)) {}

    nlohmann::ordered_json execute(const std::string& command, const nlohmann::json& request) override;
    /// "save": the file is written while other requests are answered, also if the client goes.
    Later begin(const std::string& command, const nlohmann::json& request) override;
    std::string screen_text() override;
    std::string ended() override;

private:
    nlohmann::ordered_json carry_out(const std::string& command, const nlohmann::json& request);
    [[nodiscard]] nlohmann::ordered_json info();
    [[nodiscard]] nlohmann::ordered_json screen(const nlohmann::json& request);
    [[nodiscard]] nlohmann::ordered_json stats();
    [[nodiscard]] nlohmann::ordered_json trace(const nlohmann::json& request);
    void floppy(const nlohmann::json& request);
    void cdrom(const nlohmann::json& request);
    [[nodiscard]] Later save(const nlohmann::json& request);
    nlohmann::ordered_json checkpoint(const nlohmann::json& request);
    nlohmann::ordered_json rewind(const nlohmann::json& request);
    nlohmann::ordered_json tree();
    nlohmann::ordered_json commit();
    void quit(const nlohmann::json& request);
    void type(const nlohmann::json& request);

    Pc& pc_;
    std::function<void(bool keep)> quit_;
    std::string last_screen_; ///< For waits that are checked after the machine has stopped.
};

} // namespace btvm
