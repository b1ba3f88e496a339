// The firmware configuration interface that SeaBIOS reads its video BIOS and settings from (QEMU's
// documentation, docs/specs/fw_cfg): a selector at port 510h and a byte stream at 511h. Without files nothing
// answers at these ports, as on a real board.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userland/devices/device.hh"

namespace btvm {

struct FirmwareFile {
    std::string name; ///< At most 55 bytes.
    std::vector<std::uint8_t> content;
};

class FirmwareConfig final : public Device {
public:
    FirmwareConfig(Platform& platform, std::vector<FirmwareFile> files);

    [[nodiscard]] std::string_view name() const override { return "firmware_config"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] bool takes_words(std::uint16_t port) const override { return port == kSelector; }
    void describe(StateArchive& archive) override;

private:
    static constexpr std::uint16_t kSelector = 0x510;
    static constexpr std::uint16_t kData = 0x511;

    [[nodiscard]] const std::vector<std::uint8_t>* item() const;

    std::vector<FirmwareFile> files_;
    std::vector<std::uint8_t> signature_, features_, directory_;
    std::uint16_t selected_{};
    std::uint32_t at_{}; ///< The next byte of the selected item.
};

} // namespace btvm
