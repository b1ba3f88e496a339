// What the floppy controller saves.
#include "userland/devices/fdc.hh"
#include "userland/devices/state.hh"

namespace btvm {

void Fdc::Transfer::describe(StateArchive& a) {
    a.field("operation", operation, {.below = 7});
    a.field("drive", drive, {.below = kAddressable});
    a.field("head", head, {.below = 2});
    a.field("c", c);
    a.field("h", h);
    a.field("r", r);
    a.field("n", n);
    a.field("eot", eot);
    a.field("step", step, {.below = 3});
    a.field("left", left, {.below = 257});
    a.field("fill", fill);
    a.field("status1", status1);
    a.field("status2", status2);
    a.field("multi_track", multi_track);
    a.field("skip", skip);
    a.field("deleted", deleted);
    a.field("whole_track", whole_track);
    a.field("seek_done", seek_done);
    a.field("mfm", mfm);
    a.field("sector_ready", sector_ready);
    // Version 1 had it, but a step that sees it ends the transfer: it is never set between steps.
    bool terminal = false;
    a.field("terminal_count", terminal, {.present = a.version() < 2});
    a.field("at", at, {.below = kFloppySectorSize + 1});
    a.field("size", size, {.below = kFloppySectorSize + 1});
    a.field("burst", burst, {.below = 17});
    a.field("scan_order", scan_order, {.below = 3});
    a.field("waiting", waiting);
    a.field("waiting_since", waiting_since);
    a.check(at + burst <= size, "a burst ends beyond the buffer");
}

void Fdc::describe(StateArchive& a) {
    a.version(2);
    a.field("dor", dor_);
    a.field("dsr", dsr_, {.below = 0x20});
    a.field("rate_programmed", rate_programmed_);
    a.field("tape_drive", tape_drive_, {.below = 4});
    a.field("phase", phase_, {.below = 3});
    a.field("command", command_);
    a.field("command_length", command_length_, {.below = kMaxCommand});
    a.field("result", result_);
    a.field("result_length", result_length_, {.below = kMaxResult + 1});
    a.field("result_at", result_at_, {.below = kMaxResult + 1});
    a.field("result_irq", result_irq_);
    a.field("data_irq", data_irq_);
    a.field("sense_irq", sense_irq_);
    a.field("reset_senses", reset_senses_, {.below = kAddressable + 1});
    a.field("seek_ended", seek_ended_, {.below = 1u << kAddressable});
    a.field("seek_status", seek_status_);
    a.field("seeking", seeking_, {.below = 1u << kAddressable});
    a.field("seek_target", seek_target_);
    a.field("recalibrating", recalibrating_, {.below = 1u << kAddressable});
    a.field("seek_due", seek_due_);
    a.field("cylinder", cylinder_);
    a.field("reset_due", reset_due_);
    a.field("transfer_due", transfer_due_);
    a.field("specify", specify_);
    a.field("non_dma", non_dma_);
    a.field("configure", configure_, {.below = 0x80});
    a.field("precompensation_track", precompensation_track_);
    a.field("perpendicular", perpendicular_, {.below = 0x40});
    a.field("lock", lock_);
    a.field("last_eot", last_eot_);
    a.field("id_position", id_position_);
    a.field("transfer", transfer_, {.present = phase_ == Phase::Execution});
    a.field("buffer", buffer_, {.present = phase_ == Phase::Execution});
    a.field("reads", reads_);
    a.field("writes", writes_);
    a.field("drives", drives_);
    if (!a.loading()) return;
    if (phase_ != Phase::Execution) {
        transfer_ = Transfer{};
        a.check(!transfer_due_, "transfer_due: nothing executes");
    } else {
        a.check(transfer_.operation != Operation::None, "transfer.operation: nothing executes");
    }
    a.check(phase_ != Phase::Result || result_at_ < result_length_,
            "result_at: no result is left to be read");
    a.check(command_length_ == 0 || (phase_ == Phase::Command && command_length_ < command_size(command_[0])),
            "command_length: the command is complete");
}

} // namespace btvm
