// Fields of saved devices by their paths, "fdc.drives.0.cylinder", and what a device would have in them if
// nobody had declared them.
#pragma once

#include <functional>
#include <string>

#include "tests/unit/state/bench.hh"

namespace btvm::test {

/// One declared field. Elements of lists that are always as long are fields by themselves; a list that grows
/// is one field.
class FieldPath {
public:
    explicit FieldPath(const std::string& text);

    /// The section that it is in.
    [[nodiscard]] const std::string& section() const { return names_.front(); }
    /// Gives the field the value that it has in `initial`, the state at power-on; zeros if it is not there.
    /// False if `sections` do not have it at all, or it has that value already.
    bool leave_out(Sections& sections, const Sections& initial) const;
    /// Gives the field another value than it has. False if `sections` do not have it.
    bool alter(Sections& sections) const;

private:
    std::vector<std::string> names_;
};

/// Calls `field` with the path of each field in `sections`, and whether it has another value than in
/// `initial`.
void for_each_field(const Sections& sections, const Sections& initial,
                    const std::function<void(const std::string& path, bool differs)>& field);

} // namespace btvm::test
