// A floppy drive: its type, its head, its disk change line and the medium in it.
#pragma once

#include <memory>
#include <string_view>

#include "userland/devices/floppy_image.hh"

namespace btvm {

/// Drive types, numbered as the CMOS of an AT numbers them (byte 10h).
enum class FloppyDriveType : std::uint8_t {
    None = 0,
    Kb360 = 1,
    Mb1_2 = 2,
    Kb720 = 3,
    Mb1_44 = 4,
    Mb2_88 = 5
};

/// The plainest drive that takes such a medium.
[[nodiscard]] FloppyDriveType drive_type_for(const FloppyGeometry& geometry);
[[nodiscard]] std::string_view drive_type_name(FloppyDriveType type);

class FloppyDrive {
public:
    /// Data rates by their number in DSR and CCR.
    enum class Rate : std::uint8_t { Kb500 = 0, Kb300 = 1, Kb250 = 2, Mb1 = 3 };

    [[nodiscard]] FloppyDriveType type() const { return type_; }
    [[nodiscard]] bool exists() const { return type_ != FloppyDriveType::None; }
    /// Also pulls out a medium the new drive would not take; it is returned.
    std::shared_ptr<FloppyImage> set_type(FloppyDriveType type);

    [[nodiscard]] FloppyImage* medium() const { return medium_.get(); }
    /// Whether such a medium can be put in and read.
    [[nodiscard]] bool takes(const FloppyGeometry& geometry) const;
    /// Puts a medium in; sets the disk change line. The drive must take it and be empty.
    void insert(std::shared_ptr<FloppyImage> image);
    std::shared_ptr<FloppyImage> eject();
    /// Changes the medium without the drive's noticing.
    void put(std::shared_ptr<FloppyImage> image) { medium_ = std::move(image); }
    [[nodiscard]] std::shared_ptr<FloppyImage> share() const { return medium_; }

    /// Steps the head towards `cylinder` as far as the drive goes. A step with a medium in clears the change
    /// line.
    void step_to(unsigned cylinder);
    [[nodiscard]] unsigned cylinder() const { return cylinder_; }
    [[nodiscard]] bool at_track0() const { return exists() && cylinder_ == 0; }
    [[nodiscard]] bool changed() const { return exists() && changed_; }
    [[nodiscard]] bool write_protected() const { return medium_ && medium_->write_protected(); }

    /// The track of the medium that is under the head: a 40-track medium in an 80-track drive passes at half
    /// the step.
    [[nodiscard]] unsigned track() const;
    /// Whether address marks can be seen on this side at this rate; false without a medium, beyond the last
    /// track, on the side a single-sided medium does not have, and at another rate than it was written with.
    [[nodiscard]] bool formatted(unsigned head, Rate rate) const;
    /// The rate the medium was written with, as this drive sees it; there must be a medium.
    [[nodiscard]] Rate medium_rate() const;

    void describe(StateArchive& archive);

private:
    [[nodiscard]] unsigned last_cylinder() const { return type_ == FloppyDriveType::Kb360 ? 41 : 82; }
    [[nodiscard]] bool double_step() const;

    FloppyDriveType type_{FloppyDriveType::None};
    std::shared_ptr<FloppyImage> medium_;
    std::uint8_t cylinder_{};
    bool changed_{true};
};

} // namespace btvm
