// btvm-state diff: what changed between two states, as a person would want to read it.
#include <algorithm>
#include <iostream>

#include "userland/machine/utf8.hh"
#include "userland/state/sparse_pages.hh"
#include "userland/tools/state_files.hh"
#include "userland/tools/state_tool.hh"

namespace btvm {

using nlohmann::ordered_json;
using state_format::Type;

namespace {

/// How many places of a section of pages are named one by one.
constexpr std::size_t kMostRanges = 20;

/// A run of units that differ.
struct ChangedRange {
    std::uint64_t first{}; ///< Units.
    std::uint64_t count{};
    std::uint64_t bytes{}; ///< That differ.
};

std::vector<ChangedRange> changed_ranges(const SparsePages& a, const SparsePages& b) {
    const std::vector<std::uint8_t> nothing(a.set.unit);
    std::vector<ChangedRange> ranges;
    const auto compare = [&](std::uint64_t unit, const std::vector<std::uint8_t>* x,
                             const std::vector<std::uint8_t>* y) {
        if (!x) x = &nothing;
        if (!y) y = &nothing;
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < x->size(); i++)
            bytes += (*x)[i] != (*y)[i];
        if (!bytes) return;
        if (ranges.empty() || ranges.back().first + ranges.back().count != unit)
            ranges.push_back({unit, 0, 0});
        ranges.back().count++;
        ranges.back().bytes += bytes;
    };
    auto x = a.units.begin();
    auto y = b.units.begin();
    while (x != a.units.end() || y != b.units.end()) {
        const bool left = y == b.units.end() || (x != a.units.end() && x->first <= y->first);
        const bool right = x == a.units.end() || (y != b.units.end() && y->first <= x->first);
        compare(left ? x->first : y->first, left ? &x->second : nullptr, right ? &y->second : nullptr);
        if (left) ++x;
        if (right) ++y;
    }
    return ranges;
}

/// The lines about one section; empty if it is the same in both.
std::vector<std::string> compare_pages(const SparsePages& a, const SparsePages& b) {
    if (a.set != b.set) return {"is of another size or place"};
    const std::vector<ChangedRange> ranges = changed_ranges(a, b);
    std::vector<std::string> lines;
    if (ranges.empty()) return lines;
    std::uint64_t units = 0;
    std::uint64_t bytes = 0;
    for (const ChangedRange& range : ranges) {
        units += range.count;
        bytes += range.bytes;
    }
    const std::string unit = a.set.unit == 512 ? "sectors" : "pages";
    lines.push_back(std::to_string(units) + " of " + std::to_string(a.set.units()) + " " + unit +
                    " differ, " + std::to_string(bytes) + " bytes");
    for (std::size_t i = 0; i < std::min(ranges.size(), kMostRanges); i++) {
        const std::uint64_t first = a.set.first + ranges[i].first * a.set.unit;
        lines.push_back("  " + hex(first) + "-" + hex(first + ranges[i].count * a.set.unit - 1) + ": " +
                        std::to_string(ranges[i].bytes) + " bytes");
    }
    if (ranges.size() > kMostRanges)
        lines.push_back("  and " + std::to_string(ranges.size() - kMostRanges) + " other places");
    return lines;
}

/// Loads both only if they are not the same.
std::vector<std::string> compare_pages(const StateReader& before, const StateReader& after,
                                       const StateEntry& a, const StateEntry& b) {
    if (before.payload(a) == after.payload(b)) return {};
    try {
        return compare_pages(load_pages(before, a), load_pages(after, b));
    } catch (const UnpacksToTooMuch&) {
        return {"differs, and unpacks to more than the " + std::to_string(kMostUnpacked >> 20) +
                " MiB that are compared page by page"};
    }
}

/// Texts are screens: line by line.
std::vector<std::string> compare_text(const std::string& before, const std::string& after) {
    std::vector<std::string> a = lines_of(before);
    std::vector<std::string> b = lines_of(after);
    std::vector<std::string> out;
    a.resize(std::max(a.size(), b.size()));
    b.resize(a.size());
    for (std::size_t i = 0; i < a.size(); i++) {
        if (a[i] == b[i]) continue;
        if (!a[i].empty()) out.push_back("- " + plain(a[i]));
        if (!b[i].empty()) out.push_back("+ " + plain(b[i]));
    }
    return out;
}

std::vector<std::string> compare(const StateReader& before, const StateReader& after, const StateEntry& a,
                                 const StateEntry& b) {
    if (a.type != b.type) return {"is of another type"};
    if (!a.known() || !b.known())
        return a.crc == b.crc ? std::vector<std::string>{} : std::vector<std::string>{"differs"};
    switch (a.type) {
    case Type::Fields: return differences(before.fields(a), after.fields(b));
    case Type::Pages: return compare_pages(before, after, a, b);
    case Type::Text: return compare_text(before.text(a), after.text(b));
    default: break;
    }
    const std::vector<std::uint8_t> x = before.payload(a);
    const std::vector<std::uint8_t> y = after.payload(b);
    if (x == y) return {};
    return {std::to_string(x.size()) + " bytes -> " + std::to_string(y.size()) + " bytes, not the same"};
}

} // namespace

StateExit state_diff(const std::string& before_path, const std::string& after_path, bool as_json) {
    const StateReader before = open_state(before_path);
    const StateReader after = open_state(after_path);
    std::vector<std::pair<std::string, std::vector<std::string>>> found;
    for (const StateEntry& a : before.entries()) {
        const StateEntry* const b = after.find(a.name);
        std::vector<std::string> lines =
            b ? compare(before, after, a, *b) : std::vector<std::string>{"is only in the first"};
        if (!lines.empty()) found.emplace_back(a.name, std::move(lines));
    }
    for (const StateEntry& b : after.entries())
        if (!before.find(b.name))
            found.emplace_back(b.name, std::vector<std::string>{"is only in the second"});
    if (as_json) {
        ordered_json out = ordered_json::object();
        for (const auto& [name, lines] : found)
            out[name] = lines;
        std::cout << out.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    } else {
        for (const auto& [name, lines] : found) {
            std::cout << name << "\n";
            for (const std::string& line : lines)
                std::cout << "  " << line << "\n";
        }
    }
    return found.empty() ? StateExit::Ok : StateExit::Differ;
}

} // namespace btvm
