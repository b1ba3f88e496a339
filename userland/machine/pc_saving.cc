#include "userland/machine/pc_saving.hh"

#include <algorithm>
#include <csignal>

#include "userland/machine/guest_clock.hh"

namespace btvm {

namespace {

/// With so few pages left it is not worth another round...
constexpr std::uint64_t kFewPages = 64;
/// ... nor with so many rounds behind: the guest writes as fast as we read.
constexpr unsigned kMostRounds = 6;
/// Pages that there is room for to copy them at once: 256 MiB.
constexpr std::uint64_t kMostCopied = 1u << 16;

} // namespace

Pc::Saving::Saving(Pc& pc, const std::string& path, SaveWishes wishes)
    : pc_(pc), path_(path), wishes_(std::move(wishes)), writer_(std::in_place, path),
      result_(promise_.get_future()) {
    // Signals are other threads' business.
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

SaveProgress Pc::Saving::progress() const {
    SaveProgress progress;
    progress.path = path_;
    progress.phase = phase_;
    progress.pages = pages_;
    if (progress.phase == SaveProgress::Phase::Memory) progress.pages_done = pc_.checkpoints_->gathered();
    if (progress.phase == SaveProgress::Phase::File) progress.pages_done = written_;
    return progress;
}

void Pc::Saving::begin(SaveProgress::Phase phase, std::uint64_t pages) {
    pages_ = pages;
    phase_ = phase;
    if (wishes_.watch) wishes_.watch(phase);
}

template <class F>
void Pc::Saving::on_machine(F function) {
    pc_.machine_->call([&] {
        const GuestTime began = monotonic_now();
        function();
        longest_ = std::max(longest_, monotonic_now() - began);
    });
}

void Pc::Saving::read_images() {
    begin(SaveProgress::Phase::Images, 0);
    std::optional<Board::Reading> reading;
    unsigned number = 0;
    do {
        // The one before goes on the machine's thread, too: it may be the last to know of its image.
        on_machine([&] { reading = pc_.checkpoints_->read_ahead(number, wishes_.tree); });
        if (reading && *reading) (*reading)(give_up_);
        number++;
    } while (reading);
}

void Pc::Saving::read_memory() {
    std::uint64_t before = ~std::uint64_t{0}, pages = 0;
    for (unsigned round = 0; round < kMostRounds && !give_up_; round++) {
        on_machine([&] { pages = pc_.checkpoints_->begin_round(); });
        if (round == 0) begin(SaveProgress::Phase::Memory, pages);
        if (pages <= kFewPages || pages > before / 2) break;
        pages_ = before = pages;
        pc_.checkpoints_->gather(give_up_);
    }
    // What is left is copied while the guest stands still, with what it writes until then.
    if (pages && !give_up_) pc_.checkpoints_->reserve(std::min(pages + pages / 4 + kFewPages, kMostCopied));
}

SaveReport Pc::Saving::save() {
    const GuestTime began = monotonic_now();
    read_images();
    read_memory();
    SaveReport report;
    on_machine([&] {
        frozen_ =
            std::make_unique<FrozenMachine>(pc_.checkpoints_->freeze(pc_.config_, wishes_.tree, report));
    });
    report.pause = longest_;
    pc_.checkpoints_->complete(*frozen_);
    begin(SaveProgress::Phase::File, frozen_->pages());
    // What the guest has been told is written must be there when the state is.
    for (const auto& flush : frozen_->flushes)
        flush();
    write_state(*writer_, *frozen_, written_);
    writer_->finish();
    report.bytes = writer_->size();
    report.elapsed = monotonic_now() - began;
    return report;
}

void Pc::Saving::let_go() {
    Checkpoints::Remains remains; // takes its time to go: not the guest's
    try {
        pc_.machine_->call([&] { remains = pc_.checkpoints_->let_go(std::move(frozen_)); });
    } catch (const MachineStopped&) {
    }
}

void Pc::Saving::run() {
    try {
        const SaveReport report = save();
        let_go();
        promise_.set_value(report);
    } catch (...) {
        const std::exception_ptr error = std::current_exception();
        writer_.reset(); // takes what it has written with it
        let_go();
        promise_.set_exception(error);
    }
}

// ---- the PC's side

std::shared_future<SaveReport> Pc::start_save(const std::string& path, SaveWishes wishes) {
    if (!thread_.joinable() && !ended_) throw std::logic_error("a machine is saved once it has started");
    const std::lock_guard lock(saving_mutex_);
    if (saving_ && !saving_->done())
        throw StateError(path + ": cannot be written now: a save to " + saving_->progress().path +
                         " is under way");
    saving_.reset();
    saving_ = std::make_shared<Saving>(*this, path, std::move(wishes));
    return saving_->result();
}

std::optional<SaveProgress> Pc::saving() const {
    const std::lock_guard lock(saving_mutex_);
    if (!saving_ || saving_->done()) return std::nullopt;
    return saving_->progress();
}

void Pc::finish_save() {
    std::shared_future<SaveReport> result;
    {
        const std::lock_guard lock(saving_mutex_);
        if (saving_) result = saving_->result();
    }
    if (result.valid()) result.wait();
}

void Pc::end_saving() {
    const std::lock_guard lock(saving_mutex_);
    if (!saving_) return;
    saving_->hurry();
    saving_->result().wait();
}

} // namespace btvm
