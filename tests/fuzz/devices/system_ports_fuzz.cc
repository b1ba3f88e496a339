#include "device_fuzz.hh"
#include "userland/devices/system_ports.hh"

void btvm::make_board(FuzzBoard& board) {
    board.add<SystemPorts>();
    board.add<DebugConsole>(true).on_line([](DebugConsole::Channel channel, std::string_view line) {
        BTVM_FUZZ_CHECK(static_cast<unsigned>(channel) < 4 && line.size() <= 512);
    });
}
