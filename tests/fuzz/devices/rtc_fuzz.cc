#include "device_fuzz.hh"
#include "userland/devices/rtc.hh"

void btvm::make_board(FuzzBoard& board) {
    // Shortly before the end of a century, so that every carry is near.
    board.add<Rtc>(Rtc::WallTime(std::chrono::seconds(946684795)));
}
