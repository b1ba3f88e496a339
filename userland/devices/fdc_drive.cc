#include "userland/devices/fdc_drive.hh"

#include <algorithm>

#include "userland/devices/state.hh"

namespace btvm {

FloppyDriveType drive_type_for(const FloppyGeometry& geometry) {
    switch (geometry.density) {
    case FloppyDensity::Double525: return FloppyDriveType::Kb360;
    case FloppyDensity::High525: return FloppyDriveType::Mb1_2;
    case FloppyDensity::Double35: return FloppyDriveType::Kb720;
    case FloppyDensity::High35: return FloppyDriveType::Mb1_44;
    case FloppyDensity::Extra35: return FloppyDriveType::Mb2_88;
    }
    return FloppyDriveType::None;
}

std::string_view drive_type_name(FloppyDriveType type) {
    switch (type) {
    case FloppyDriveType::None: return "no drive";
    case FloppyDriveType::Kb360: return "5.25\" 360 KB drive";
    case FloppyDriveType::Mb1_2: return "5.25\" 1.2 MB drive";
    case FloppyDriveType::Kb720: return "3.5\" 720 KB drive";
    case FloppyDriveType::Mb1_44: return "3.5\" 1.44 MB drive";
    case FloppyDriveType::Mb2_88: return "3.5\" 2.88 MB drive";
    }
    return "unknown drive";
}

bool FloppyDrive::takes(const FloppyGeometry& geometry) const {
    switch (type_) {
    case FloppyDriveType::None: return false;
    case FloppyDriveType::Kb360: return geometry.density == FloppyDensity::Double525;
    case FloppyDriveType::Mb1_2: return geometry.density <= FloppyDensity::High525;
    case FloppyDriveType::Kb720: return geometry.density == FloppyDensity::Double35;
    case FloppyDriveType::Mb1_44:
        return geometry.density == FloppyDensity::Double35 || geometry.density == FloppyDensity::High35;
    case FloppyDriveType::Mb2_88: return geometry.density >= FloppyDensity::Double35;
    }
    return false;
}

std::shared_ptr<FloppyImage> FloppyDrive::set_type(FloppyDriveType type) {
    type_ = type;
    cylinder_ = static_cast<std::uint8_t>(std::min<unsigned>(cylinder_, last_cylinder()));
    if (medium_ && !takes(medium_->geometry())) return eject();
    return nullptr;
}

void FloppyDrive::insert(std::shared_ptr<FloppyImage> image) {
    medium_ = std::move(image);
    changed_ = true;
}

std::shared_ptr<FloppyImage> FloppyDrive::eject() {
    changed_ = true;
    return std::move(medium_);
}

void FloppyDrive::step_to(unsigned cylinder) {
    if (!exists()) return;
    const unsigned target = std::min(cylinder, last_cylinder());
    if (target != cylinder_ && medium_) changed_ = false;
    cylinder_ = static_cast<std::uint8_t>(target);
}

bool FloppyDrive::double_step() const {
    constexpr unsigned kMost40Track = 42; // some write two tracks more than 40
    return medium_ && medium_->geometry().cylinders <= kMost40Track && type_ != FloppyDriveType::Kb360;
}

unsigned FloppyDrive::track() const { return double_step() ? cylinder_ / 2u : cylinder_; }

FloppyDrive::Rate FloppyDrive::medium_rate() const {
    switch (medium_->geometry().density) {
    // A 1.2 MB drive turns at 360 rpm instead of 300, so the bits of a 360 KB medium come faster.
    case FloppyDensity::Double525: return type_ == FloppyDriveType::Mb1_2 ? Rate::Kb300 : Rate::Kb250;
    case FloppyDensity::Double35: return Rate::Kb250;
    case FloppyDensity::Extra35: return Rate::Mb1;
    default: return Rate::Kb500;
    }
}

bool FloppyDrive::formatted(unsigned head, Rate rate) const {
    return medium_ && rate == medium_rate() && medium_->locate(track(), head, 1);
}

void FloppyDrive::describe(StateArchive& a) {
    FloppyDriveType type = type_;
    bool has_medium = medium_ != nullptr;
    a.field("type", type, {.below = 6});
    a.field("has_medium", has_medium);
    a.check(type == type_, "a drive of another type was saved");
    a.check(has_medium == (medium_ != nullptr), has_medium ? "a medium was in the drive, and none is now"
                                                           : "no medium was in the drive, and one is now");
    a.field("cylinder", cylinder_, {.below = 83});
    a.field("changed", changed_);
    if (medium_) a.field("medium", *medium_);
}

} // namespace btvm
