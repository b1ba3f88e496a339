#include "userland/tools/run_end.hh"

#include <iostream>

namespace btvm {

void say(const std::string& message) { std::cerr << "btvm-run: " << message << "\n"; }

namespace {

/// Without --snapshot the guest's writes are meant to last: what checkpoints have kept from the images goes
/// there now. False if one could not be written.
bool commit_at_end(Pc& pc) {
    try {
        (void)pc.commit();
        for (const CommittedImage& image : pc.committed())
            say(image.path + ": " + std::to_string((image.bytes + 1023) / 1024) +
                " KiB that the guest has written since the first checkpoint are in the image now" +
                (image.atomic ? "" : " (written in place, without a journal)"));
        return true;
    } catch (const std::exception& error) {
        say(std::string(error.what()) + ": the guest's writes since the first checkpoint are not all there");
        return false;
    }
}

} // namespace

RunExit run_to_the_end(Pc& pc, const std::atomic<bool>& discard, const std::function<RunExit()>& drive) {
    RunExit exit{};
    try {
        exit = drive();
        pc.stop();
    } catch (...) {
        pc.stop();
        if (!discard) (void)commit_at_end(pc);
        throw;
    }
    return discard || commit_at_end(pc) ? exit : RunExit::Image;
}

} // namespace btvm
