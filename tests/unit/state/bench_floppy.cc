// The floppy controller with the DMA controller and two drives: one's image is a file that is written, the
// other's writes are kept in memory, and so are part of the state.
#include <deque>

#include "tests/unit/fdc/temporary_image.hh"
#include "tests/unit/state/subjects.hh"
#include "userland/devices/fdc.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;
using Bytes = std::initializer_list<unsigned>;

/// A double density medium, so that both drives go by the same rate; and a file of its own for each bench.
constexpr unsigned kFileKilobytes = 360, kSnapshotKilobytes = 720;
constexpr unsigned kSectors = 9;
constexpr unsigned kRate250 = 2;

class FloppyBench final : public Bench {
public:
    FloppyBench() : file_(0) {
        static const std::vector<std::uint8_t> content = PatternFile(kFileKilobytes).contents();
        write_file(content);
        for (std::size_t i = 0x8000; i < 0x9000; i++) // what is written to the floppies at first
            board.memory[i] = static_cast<std::uint8_t>(i * 5 + (i >> 7));
    }

    void operate(Random& random, Seen& seen) override {
        if (todo_.empty()) plan(random);
        const Step step = std::move(todo_.front());
        todo_.pop_front();
        switch (step.kind) {
        case Step::Out: out(step.port, step.value); break;
        case Step::In: seen.add(in(step.port)); break;
        case Step::All:
            for (const auto& [port, value] : step.all)
                out(port, value);
            break;
        case Step::Wait: advance(step.value * 100us); break;
        case Step::Drain:
            for (unsigned i = 0; i < step.value; i++)
                seen.add(in(step.port));
            break;
        case Step::Fill:
            for (unsigned i = 0; i < step.value; i++)
                out(step.port, random.byte());
            break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        for (unsigned drive = 0; drive < Fdc::kDrives; drive++) {
            const Fdc::Activity a = fdc_->activity(drive);
            seen.add(a.motor | a.selected << 1 | a.cylinder << 2);
            seen.add(a.reads << 32 | a.writes);
        }
        seen.add(messages_);
    }
    void inspect(Seen& seen) override {
        for (std::uint16_t port = 0x3F0; port < 0x3F8; port++)
            seen.add(in(port));
        for (unsigned i = 0; i < 20; i++)
            seen.add(in(0x3F5));
        out(0x3F2, 0x3C);
        out(0x3F5, 0x0E);
        for (unsigned i = 0; i < 10; i++)
            seen.add(in(0x3F5));
        seen.add(file_.contents());
        for (unsigned drive = 0; drive < Fdc::kDrives; drive++) {
            const FloppyImage& medium = *fdc_->medium(drive);
            for (std::uint32_t place = 0; place < 6 * kSectors; place++) {
                FloppyImage::Sector sector;
                medium.read(place, sector);
                seen.add(sector);
                seen.add(medium.deleted_mark(place));
            }
        }
    }

protected:
    std::function<void()> remember() override {
        return [this, todo = todo_, plans = plans_, commands = commands_, messages = messages_,
                content = file_.contents()] {
            todo_ = todo;
            plans_ = plans;
            commands_ = commands;
            messages_ = messages;
            write_file(content);
        };
    }
    std::vector<Device*> build() override {
        static const PatternFile shared(kSnapshotKilobytes);
        fdc_.reset(); // gives up the file's lock
        dma_ = std::make_unique<Dma>(board);
        fdc_ = std::make_unique<Fdc>(board, *dma_);
        fdc_->set_message_handler([this](const std::string&) { messages_++; });
        fdc_->insert(0, FloppyImage::open(file_.path()));
        FloppyImage::Options snapshot;
        snapshot.snapshot = true;
        fdc_->insert(1, FloppyImage::open(shared.path(), snapshot));
        return {dma_.get(), fdc_.get()};
    }
    void power_on() override {
        dma_->reset();
        fdc_->reset();
        for (const auto& [port, value] : {std::pair{0xD6, 0xC0}, {0xD4, 0}, {0x3F2, 0x3C}})
            out(static_cast<std::uint16_t>(port), static_cast<unsigned>(value));
    }

private:
    struct Step {
        enum Kind : std::uint8_t { Out, In, Wait, Drain, Fill, All } kind;
        std::uint16_t port;
        unsigned value; ///< Wait: in units of 100 us, which is what a sector takes. Drain, Fill: how many.
        std::vector<std::pair<std::uint16_t, std::uint8_t>> all{}; ///< Several writes in one go.
    };

    void write_file(const std::vector<std::uint8_t>& content) const {
        std::fstream(file_.path(), std::ios::binary | std::ios::in | std::ios::out)
            .write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
    }
    void put(unsigned port, unsigned value) {
        todo_.push_back({Step::Out, static_cast<std::uint16_t>(port), value & 0xFF});
    }
    void put_all(std::initializer_list<std::pair<unsigned, unsigned>> writes) {
        Step step{Step::All, 0, 0};
        for (const auto& [port, value] : writes)
            step.all.emplace_back(static_cast<std::uint16_t>(port), static_cast<std::uint8_t>(value));
        todo_.push_back(std::move(step));
    }
    void get(unsigned port, unsigned times = 1) {
        while (times--)
            todo_.push_back({Step::In, static_cast<std::uint16_t>(port), 0});
    }
    /// A guest that reads or writes many bytes in one go.
    void drain(unsigned times) { todo_.push_back({Step::Drain, 0x3F5, times}); }
    void fill(unsigned times) { todo_.push_back({Step::Fill, 0x3F5, times}); }
    void wait(unsigned steps) { todo_.push_back({Step::Wait, 0, steps}); }
    /// A command's bytes: those of one in three with a look between any two.
    void command(Bytes bytes) {
        Step all{Step::All, 0, 0};
        if (++commands_ % 3 == 0)
            for (const unsigned byte : bytes)
                put(0x3F5, byte);
        else
            for (const unsigned byte : bytes)
                all.all.emplace_back(std::uint16_t{0x3F5}, static_cast<std::uint8_t>(byte));
        if (!all.all.empty()) todo_.push_back(std::move(all));
    }
    /// The next things to do, mostly such that commands get somewhere, with noise between them.
    void plan(Random& random) {
        if (!random.once_in(4)) start_over(random);
        switch (plans_++ % 16) { // each as often as the others
        case 0: transfer(random, kWrites[random.below(std::size(kWrites))]); break;
        case 1:
        case 8: transfer(random, kReads[random.below(std::size(kReads))]); break;
        case 2: by_processor(random, random.one_of(kScans)); break;
        case 3: marks(random); break;
        case 4:
        case 12: seeks(random); break;
        case 5: by_processor(random, kReads[random.below(std::size(kReads))]); break;
        case 6: tracks(random); break;
        case 7: format(random); break;
        case 9: masked(random); break;
        case 10: by_processor(random, kWrites[random.below(std::size(kWrites))]); break;
        case 11: registers(random); break;
        case 13: { // the rate first, whatever order the compiler likes for arguments
            const unsigned rate = random.once_in(2) ? random.below(4) : kRate250;
            put(random.once_in(2) ? 0x3F7 : 0x3F4, rate);
            command({0x4A, random.below(2) << 2 | random.below(2)});
            break;
        }
        case 14: // which sectors pass
            for (unsigned i = 0; i < 2; i++) {
                command({0x4A, random.below(2)});
                wait(2);
                drain(7);
            }
            break;
        default:
            put(0x3F2, random.once_in(3) ? random.byte() : 0x3C | random.below(2));
            put(0x3F5, random.once_in(2) ? 0x08 : random.byte());
            put(0x3F3, random.byte());
            get(0x3F3);
            command({0x04, random.below(8)});
            get(0x3F5);
            break;
        }
        end(random);
    }
    void start_over(Random& random) {
        const unsigned rate = random.once_in(6) ? random.below(4) : kRate250;
        put_all({{0x3F2, 0x3C | random.below(2)}, {0x3F4, 0x80 | rate}});
        wait(5);
        if (random.once_in(3))
            for (unsigned i = 0; i < 4; i++) {
                command({0x08});
                drain(2);
            }
        if (random.once_in(4)) { // both heads to where most commands are for
            put_all({{0x3F5, 0x07}, {0x3F5, 0}, {0x3F5, 0x07}, {0x3F5, 1}});
            wait(40);
            for (unsigned i = 0; i < 2; i++) {
                command({0x08});
                drain(2);
            }
        }
        command({0x03, 0xDF, random.once_in(4) ? 3u : 2u});
        if (random.once_in(3)) command({0x13, 0, random.below(0x70), random.byte()});
    }
    void seeks(Random& random) {
        const unsigned drive = random.below(random.once_in(2) ? 4 : 2);
        if (drive > 1 || random.once_in(2))
            command({0x07, drive});
        else if (random.once_in(3))
            command({0x8F | random.below(2) << 6, drive, random.below(3)});
        else
            command({0x0F, drive, random.below(3)});
        if (random.once_in(2)) command({0x0F, drive ^ 1, random.below(3)});
        for (unsigned i = 0; i < 3; i++) {
            wait(random.below(3));
            get(0x3F4);
            get(0x3F7);
        }
        command({0x08});
        drain(2);
    }
    void access(Random& random, unsigned code, unsigned first, unsigned last) {
        const unsigned head = random.once_in(3); // the first side: a command may go on to the second
        const bool counted =
            (code & 0x1F) == 0x16 && random.once_in(2); // Verify, for as many sectors as it says
        command({code, (counted ? 0x80 : 0) | head << 2 | random.below(2),
                 random.once_in(6) ? random.below(3) : 0, head, first, 2, last, 0x1B, 1 + random.below(3)});
    }
    /// By DMA, with a look after each sector.
    void transfer(Random& random, unsigned code) {
        const unsigned kind = code & 0x1F;
        program_dma(random, kind == 0x06 || kind == 0x0C || kind == 0x02 ? 1 : 2);
        const unsigned first = 1 + random.below(kSectors);
        access(random, code, first,
               random.once_in(3) ? kSectors : std::min(kSectors, first + random.below(2)));
        sectors(random);
    }
    void sectors(Random& random) {
        for (unsigned i = 2 + random.below(4); i; i--)
            wait(1);
    }
    /// The channel is masked: the controller waits for it, 200 ms at most.
    void masked(Random& random) {
        start_over(random);
        program_dma(random, 1);
        put(0x0A, 6);
        access(random, 0xE6, 1, kSectors);
        for (unsigned i = 2 + random.below(3); i; i--)
            wait(800);
        put(0x0A, 2);
        wait(3);
        drain(7);
    }
    /// Without DMA: requests for some bytes at a time.
    void by_processor(Random& random, unsigned code) {
        command({0x13, 0, random.below(2) << 6 | random.below(2) << 5 | random.below(16), 0});
        command({0x03, 0xDF, 0x01});
        const unsigned kind = code & 0x1F;
        const bool reads = kind == 0x06 || kind == 0x0C || kind == 0x02;
        access(random, code, 1 + random.below(kSectors), kSectors);
        wait(1);
        for (unsigned i = 2 + random.below(6); i; i--) {
            const unsigned bytes = random.once_in(6) ? random.below(20) : 128;
            if (reads)
                drain(bytes);
            else
                fill(bytes);
            get(0x3F4);
            if (random.once_in(3)) wait(1);
        }
        wait(2);
        drain(7);
    }
    /// Sectors with the other kind of mark, met by commands that skip them and others that do not.
    void marks(Random& random) {
        const unsigned first = 1 + random.below(kSectors - 3), drive = random.below(2);
        for (const bool writes : {true, false}) {
            program_dma(random, writes ? 2 : 1);
            const unsigned code = writes ? 0x49 : random.once_in(4) ? 0x46 : 0x66;
            command({code, drive, 0, 0, first, 2, kSectors, 0x1B, 0xFF});
            for (unsigned i = 0; i < 6; i++)
                wait(1);
            drain(7);
        }
    }
    /// Whole tracks, whose sectors have other addresses than the command.
    void tracks(Random& random) {
        const bool by_processor = random.once_in(2);
        command({0x03, 0xDF, by_processor});
        if (!by_processor) program_dma(random, 1);
        command({0x42, random.below(2), 1 + random.below(2), 0, 1, 2, 1 + random.below(2), 0x1B, 0xFF});
        sectors(random);
        for (unsigned i = by_processor ? 10 : 0; i; i--) {
            drain(128);
            wait(1);
        }
        drain(7);
    }
    void program_dma(Random& random, unsigned direction) {
        if (random.once_in(6)) direction = random.below(3);
        const unsigned count = (1 + random.below(5)) * 512 - random.below(2);
        put_all({{0x0C, 0},
                 {0x0B, 0x42 | direction << 2},
                 {0x04, 0},
                 {0x04, 0x80},
                 {0x81, 0},
                 {0x05, count},
                 {0x05, count >> 8},
                 {0x0A, random.once_in(6) ? 6 : 2}});
    }
    void format(Random& random) {
        const unsigned drive = random.below(2), head = random.below(2);
        command({0x0F, drive, 0});
        wait(6);
        command({0x08});
        get(0x3F5, 2);
        const bool by_processor = random.once_in(2);
        command({0x03, 0xDF, by_processor});
        if (!by_processor) program_dma(random, 2);
        command({0x4D, head << 2 | drive, 2, random.once_in(4) ? random.below(12) : kSectors, 0x54,
                 random.byte()});
        for (unsigned i = 0; by_processor && i < kSectors; i++) {
            wait(2);
            command({0, head, i + 1, 2});
            get(0x3F4);
        }
    }
    void registers(Random& random) {
        if (random.once_in(2)) command({0x13, 0, random.below(0x80), random.byte()});
        if (random.once_in(2)) command({0x12, random.byte()});
        if (random.once_in(2)) {
            command({0x14 | random.below(2) << 7});
            get(0x3F5);
        }
        command({0x0E});
        get(0x3F5, 10);
    }
    void end(Random& random) {
        get(0x3F4);
        for (unsigned i = random.below(4); i; i--)
            wait(1 + random.below(3));
        if (random.once_in(5)) put(0x0A, 2);
        if (random.once_in(8)) { // the motor stops in the middle, and turns again
            put(0x3F2, 0x0C);
            wait(random.below(4));
            put(0x3F2, 0x3C);
        }
        if (!random.once_in(3)) drain(8);
        if (random.once_in(3)) get(0x08);
        if (random.once_in(4)) get(0x3F7);
        if (random.once_in(6)) put(0x3F2, 0x3C); // also drives the interrupt line anew
    }

    static constexpr unsigned kScans[] = {0x51, 0x59, 0x5D};
    static constexpr unsigned kWrites[] = {0xC5, 0x45, 0x49, 0x51, 0x59, 0x5D, 0xC9, 0x45};
    static constexpr unsigned kReads[] = {0xE6, 0x66, 0xC6, 0x46, 0x4C, 0x6C, 0x56, 0x76, 0x42, 0xD6};

    TemporaryFile file_;
    std::unique_ptr<Dma> dma_;
    std::unique_ptr<Fdc> fdc_;
    std::deque<Step> todo_;
    unsigned plans_{};
    unsigned commands_{};
    std::uint64_t messages_{};
};

} // namespace

std::unique_ptr<Bench> make_floppy_bench() { return std::make_unique<FloppyBench>(); }

} // namespace btvm::test
