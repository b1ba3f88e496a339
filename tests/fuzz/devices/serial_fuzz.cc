// Two serial ports: one with a loopback plug, so that bytes come back, one with nothing.
#include "device_fuzz.hh"
#include "userland/devices/serial.hh"

void btvm::make_board(FuzzBoard& board) {
    board.add<Serial>(0u, kSerialLocations[0], make_serial_backend("loop"));
    board.add<Serial>(1u, kSerialLocations[1], make_serial_backend("none"));
}
