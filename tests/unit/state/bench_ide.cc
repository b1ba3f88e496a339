// An IDE channel with a disk, whose writes are kept in memory, and perhaps a CD-ROM drive, and the interface
// whose bus master moves their data.
#include <deque>
#include <functional>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/state/subjects.hh"
#include "userland/devices/ata_channel.hh"
#include "userland/devices/ata_disk.hh"
#include "userland/devices/atapi_cdrom.hh"
#include "userland/devices/piix_ide.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kCommandBlock = 0x1F0, kControl = 0x3F6, kBusMaster = 0xC000;
constexpr unsigned kDiskSectors = 600, kDiscSectors = 40;

class IdeBench final : public Bench {
public:
    enum class Drive : std::uint8_t { Disk, Cdrom };

    /// Most of what happens happens to one of the drives.
    explicit IdeBench(Drive drive) : drive_(drive) {
        // Descriptor tables at the multiples of 64: some regions of some hundred bytes, then the end.
        for (std::uint32_t at = 0; at < 0x1000; at += 8) {
            const std::uint8_t descriptor[] = {0, static_cast<std::uint8_t>(0x20 + at / 64),
                                               0, 0,
                                               0, static_cast<std::uint8_t>(1 + at / 8 % 3),
                                               0, static_cast<std::uint8_t>(at % 64 == 56 ? 0x80 : 0)};
            std::copy(std::begin(descriptor), std::end(descriptor), board.memory.begin() + at);
        }
    }

    void operate(Random& random, Seen& seen) override {
        if (random.once_in(40)) return noise(random, seen);
        if (todo_.empty()) plan(random);
        const Step step = std::move(todo_.front());
        todo_.pop_front();
        step(random, seen);
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(disk_->sectors_read() << 32 | disk_->sectors_written());
        if (cdrom_) seen.add(cdrom_->sectors_read() << 1 | cdrom_->locked());
    }
    void inspect(Seen& seen) override {
        for (const unsigned drive : {0xE0u, 0xF0u}) {
            out(kControl, 0);
            out(reg(6), drive);
            for (unsigned i = 1; i < 8; i++)
                seen.add(in(reg(i)));
            out(kControl, 0x80);
            for (unsigned i = 1; i < 7; i++)
                seen.add(in(reg(i)));
            advance(1ms);
            for (unsigned i = 0; i < 300; i++)
                seen.add(in(kCommandBlock, 2));
        }
        for (std::uint64_t sector = 0; sector < 8; sector++) {
            std::array<std::uint8_t, 512> content;
            disk_->image().read(sector, content);
            seen.add(content);
        }
    }

protected:
    std::function<void()> remember() override {
        return [this, todo = todo_, disc_is_in = disc_is_in_] {
            todo_ = todo;
            disc_is_in_ = disc_is_in;
            if (cdrom_) cdrom_->put_medium(disc());
        };
    }
    std::vector<Device*> build() override {
        static const TemporaryDisk image(kDiskSectors);
        ide_ = std::make_unique<PiixIde>(board);
        channel_ = std::make_unique<AtaChannel>(board, 0, ide_->bus_master(0));
        disk_ = &channel_->attach<AtaDisk>(0, DiskImage::open(image.path(), {.snapshot = true}), 0);
        if (drive_ == Drive::Cdrom) cdrom_ = &channel_->attach<AtapiCdrom>(1, disc(), 1);
        return {ide_.get(), channel_.get()};
    }
    void power_on() override {
        ide_->reset();
        channel_->reset();
        ide_->function().write(kPciBar0 + 16, 4, kBusMaster);
        ide_->function().write(kPciCommand, 2, kPciCommandIo | kPciCommandMaster);
    }

private:
    static constexpr std::uint16_t reg(unsigned n) { return static_cast<std::uint16_t>(kCommandBlock + n); }

    /// What lies in the CD-ROM drive.
    [[nodiscard]] std::shared_ptr<DiskImage> disc() const {
        static const TemporaryDisk image(kDiscSectors, 2048);
        return disc_is_in_ ? AtapiCdrom::open(image.path()) : nullptr;
    }
    using Step = std::function<void(Random&, Seen&)>;

    void then(Step step) { todo_.push_back(std::move(step)); }
    void then_out(std::uint16_t port, unsigned value, unsigned size = 1) {
        then([=, this](Random&, Seen&) { out(port, value, size); });
    }
    void then_in(std::uint16_t port) {
        then([=, this](Random&, Seen& seen) { seen.add(in(port)); });
    }
    void then_wait(unsigned most) {
        then([=, this](Random& random, Seen&) { advance(std::chrono::microseconds(random.below(most))); });
    }

    /// Whatever comes to somebody's mind.
    void noise(Random& random, Seen& seen) {
        switch (random.below(8)) {
        case 0: out(reg(1 + random.below(6)), random.byte()); break;
        case 1: out(reg(7), random.byte() & 0xF8); break;
        case 2: out(kControl, random.byte() & 0x86); break;
        case 3: out(static_cast<std::uint16_t>(kBusMaster + random.below(4)), random.byte()); break;
        case 4: out(kCommandBlock, random.bits() & 0xFFFF, 2); break;
        case 5: seen.add(in(kCommandBlock, 2)); break;
        case 6: todo_.clear(); break;
        default: seen.add(in(reg(1 + random.below(7)))); break;
        }
    }
    [[nodiscard]] bool is_disk(Random& random) const { return (drive_ == Drive::Disk) != random.once_in(12); }
    void plan(Random& random) {
        switch (random.below(8)) {
        case 0: settings(random); break;
        case 1: // what was written last, and before that
            for (unsigned i = 2; i < 6; i++)
                then([=, this](Random& random, Seen&) {
                    out(reg(i), random.byte());
                    out(reg(i), random.byte());
                });
            then_out(kControl, random.once_in(2) ? 0x80 : 0);
            for (unsigned i = 1; i < 7; i++)
                then_in(reg(i));
            break;
        case 2:
            if (is_disk(random)) {
                settings(random);
            } else {
                then([this](Random& random, Seen&) { somebody_at_the_drive(random); });
                packet(random, 0x4A);
            }
            break;
        default:
            if (!is_disk(random))
                packet(random, 0);
            else if (random.once_in(4))
                dma(random);
            else
                transfer(random);
            break;
        }
    }
    void somebody_at_the_drive(Random& random) {
        if (!cdrom_) return;
        if (random.once_in(2)) return cdrom_->request_eject();
        disc_is_in_ = !disc_is_in_;
        cdrom_->change(disc());
    }
    /// A device that takes a command; one that is busy with another is reset.
    void ready(unsigned drive) {
        then([=, this](Random&, Seen&) {
            out(kControl, 0);
            out(reg(6), drive);
            if ((in(kControl)&0x88) == 0) return;
            out(kControl, 4);
            advance(1ms);
            out(kControl, 0);
            advance(1ms);
            out(reg(6), drive);
        });
    }
    /// The guest moves data as long as there are any, in pieces.
    void data(bool to_guest, unsigned pieces, unsigned piece = 128) {
        then_wait(40);
        for (unsigned i = 0; i < pieces; i++) {
            then([=, this](Random& random, Seen& seen) {
                for (unsigned words = random.once_in(4) ? random.below(40) : piece; words; words--) {
                    if (to_guest)
                        seen.add(in(kCommandBlock, 2));
                    else
                        out(kCommandBlock, random.bits() & 0xFFFF, 2);
                }
            });
            then_wait(12);
        }
        for (const unsigned n : {7u, 2u, 3u, 4u, 6u, 1u})
            then_in(reg(n));
    }
    void address(Random& random, bool twice, unsigned most) {
        const unsigned count = 1 + random.below(most), sector = 1 + random.below(6);
        const unsigned middle = random.once_in(8) ? random.below(3) : 0;
        for (unsigned i = 0; i < (twice ? 2u : 1u); i++) {
            const bool high = twice && i == 0;
            then([=, this](Random&, Seen&) {
                out(reg(2), high ? 0 : count);
                out(reg(3), high ? 0 : sector);
            });
            then([=, this](Random&, Seen&) {
                out(reg(4), middle);
                out(reg(5), 0);
            });
        }
    }
    void transfer(Random& random) {
        constexpr std::uint8_t kReads[] = {0x20, 0x24, 0x29, 0xC4, 0xEC, 0x40, 0x42, 0x10, 0x70, 0xF8, 0x27};
        constexpr std::uint8_t kWrites[] = {0x30, 0x34, 0x39, 0xC5};
        const bool reads = !random.once_in(3);
        const std::uint8_t command = reads ? random.one_of(kReads) : random.one_of(kWrites);
        ready(random.once_in(4) ? 0xA0 : 0xE0);
        const bool blocks = (command & 0x0F) == 9 || (command & 0xFE) == 0xC4;
        if (blocks) { // so many sectors at a time
            then_out(reg(2), 1u << random.below(4));
            then_out(reg(7), 0xC6);
            then_wait(60);
        }
        address(random, (command & 0x0F) == 4 || (command & 0x0F) == 9, blocks ? 20 : 3);
        then_out(reg(7), command);
        data(reads, random.below(12));
    }
    void bus_master(Random& random, bool to_memory) {
        then_out(static_cast<std::uint16_t>(kBusMaster + 4), random.below(40) * 8, 4);
        if (!random.once_in(6)) then_out(kBusMaster, to_memory ? 9 : 1);
        for (unsigned i = 0; i < 3; i++)
            then_wait(30);
        then_in(kBusMaster + 2);
        if (random.once_in(2)) { // on with another table
            then_out(kBusMaster, to_memory ? 8 : 0);
            then_out(static_cast<std::uint16_t>(kBusMaster + 4), random.below(40) * 8, 4);
            then_out(kBusMaster, to_memory ? 9 : 1);
            then_wait(40);
        }
        then_in(reg(7));
    }
    void dma(Random& random) {
        constexpr std::uint8_t kCommands[] = {0xC8, 0xCA, 0x25, 0x35};
        const std::uint8_t command = random.one_of(kCommands);
        const bool to_memory = command == 0xC8 || command == 0x25;
        ready(0xE0);
        address(random, command == 0x25 || command == 0x35, random.once_in(2) ? 20 : 3);
        then_out(kBusMaster, to_memory ? 8 : 0);
        then_out(reg(7), command);
        bus_master(random, to_memory);
    }
    /// `first`: the operation, 0: any.
    void packet(Random& random, std::uint8_t first) {
        if (first == 0 && random.once_in(3)) first = 0x03; // what was wrong is asked for now and then
        constexpr std::uint8_t kStartStop[] = {0, 1, 2, 2, 3};
        constexpr std::uint8_t kPackets[] = {0x00, 0x12, 0x1B, 0x1B, 0x1E, 0x1E, 0x25, 0x28, 0x28,
                                             0x43, 0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBD, 0xBE};
        const bool by_dma = random.once_in(3);
        const unsigned limit = random.once_in(3) ? 0x0200 : 0x0FFE;
        ready(0xB0 | random.below(2) << 6);
        then([=, this](Random&, Seen&) {
            out(reg(1), by_dma);
            out(reg(4), limit & 0xFF);
            out(reg(5), limit >> 8);
        });
        then([this](Random&, Seen&) {
            out(reg(7), 0xA0);
            advance(30us);
        });
        std::array<std::uint8_t, 12> bytes{first ? first : random.one_of(kPackets)};
        bytes[4] = static_cast<std::uint8_t>(random.once_in(2) ? random.below(4) : 0x10);
        bytes[5] = static_cast<std::uint8_t>(random.below(4)); // the sector; others take other things from it
        bytes[8] = static_cast<std::uint8_t>(1 + random.below(6));
        if (bytes[0] == 0x03) bytes[4] = 18;
        if (bytes[0] == 0x1B || bytes[0] == 0x1E) bytes[4] = random.one_of(kStartStop);
        if (bytes[0] == 0x28) bytes[4] = 0;
        if (bytes[0] == 0x4A) bytes[1] = 1, bytes[4] = 0x10, bytes[8] = 64; // what has happened to the disc
        if (bytes[0] == 0xA8) bytes = {0xA8, 0, 0, 0, 0, 1, 0, 0, 0, 5};
        if (bytes[0] == 0xBE) bytes = {0xBE, 0, 0, 0, 0, 2, 0, 0, 3, 0x10};
        for (unsigned i = 0; i < 6; i += 3)
            then([=, this](Random&, Seen&) {
                for (unsigned word = i; word < i + 3; word++)
                    out(kCommandBlock, bytes[2 * word] | bytes[2 * word + 1] << 8, 2);
            });
        if (by_dma)
            bus_master(random, true);
        else
            data(true, bytes[0] >= 0x28 ? random.below(10) : 1, 512);
    }
    void settings(Random& random) {
        constexpr std::uint8_t kFeatures[] = {0x02, 0x82, 0x03, 0x03, 0x55, 0x55, 0xAA};
        constexpr std::uint8_t kModes[] = {0x00, 0x08, 0x0C, 0x20, 0x22, 0x40, 0x45};
        constexpr std::uint8_t kPower[] = {0xE0, 0xE1, 0xE2, 0xE3, 0xE5};
        const bool disk = is_disk(random);
        ready(disk ? 0xA0 | random.below(16) : 0xB0);
        switch (random.below(6)) {
        case 0:
        case 1:
            then_out(reg(1), disk ? random.one_of(kFeatures) : 0x03);
            then_out(reg(2), random.one_of(kModes));
            then_out(reg(7), 0xEF);
            break;
        case 2:
            then_out(reg(2), random.below(64));
            then_out(reg(7), 0x91);
            break;
        case 3:
        case 4:
            then_out(reg(7), random.one_of(kPower));
            then_wait(60);
            then_out(reg(7), 0xE5);
            break;
        default: then_out(reg(7), 0x90); break;
        }
        then([this](Random&, Seen&) { advance(30us); });
        then_out(reg(7), disk ? 0xEC : 0xA1);
        data(true, 3);
    }

    Drive drive_;
    std::deque<Step> todo_;
    std::unique_ptr<PiixIde> ide_;
    std::unique_ptr<AtaChannel> channel_;
    AtaDisk* disk_{};
    AtapiCdrom* cdrom_{};
    bool disc_is_in_{true};
};

} // namespace

std::unique_ptr<Bench> make_disk_bench() { return std::make_unique<IdeBench>(IdeBench::Drive::Disk); }
std::unique_ptr<Bench> make_cdrom_bench() { return std::make_unique<IdeBench>(IdeBench::Drive::Cdrom); }

} // namespace btvm::test
