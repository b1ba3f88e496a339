// The SMBus host controller beside power management (82371AB datasheet, 7.3): a bus on which nobody answers.
// With it drivers find an empty bus; without it they complain of one that firmware has left disabled.
#pragma once

#include <array>
#include <cstdint>

namespace btvm {

class StateArchive;

class AcpiSmbus {
public:
    static constexpr unsigned kPorts = 16;

    void reset() { *this = AcpiSmbus(); }
    [[nodiscard]] std::uint8_t read(unsigned reg) const;
    void write(unsigned reg, std::uint8_t value);
    void describe(StateArchive& archive);

private:
    std::uint8_t status_{};
    std::array<std::uint8_t, kPorts> registers_{}; ///< As written; those that mean nothing here, too.
};

} // namespace btvm
