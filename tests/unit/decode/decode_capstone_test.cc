// The decoder against Capstone over all opcode maps: equal length, validity and class, or a difference that
// capstone_differences.cc explains. BTVM_DECODE_ROUNDS multiplies the random part.
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "tests/unit/decode/capstone_differences.hh"

namespace btvm::test {

namespace {

unsigned rounds() {
    const char* value = std::getenv("BTVM_DECODE_ROUNDS");
    return value == nullptr ? 1 : static_cast<unsigned>(std::strtoul(value, nullptr, 10));
}

class Comparer {
public:
    explicit Comparer(CodeSize size) : size_(size), capstone_(size) {}

    void compare(const Encoding& encoding) {
        ++total_;
        Comparison c;
        c.size = size_;
        c.encoding = encoding;
        c.status = decode(encoding.data(), encoding.size(), size_, c.ours);
        c.theirs = capstone_.view(encoding);
        if (c.agrees()) return;
        for (const Difference& d : capstone_differences()) {
            if (!d.applies(c)) continue;
            used_.insert(d.name);
            return;
        }
        unexplained(c);
    }

    [[nodiscard]] unsigned long total() const { return total_; }
    [[nodiscard]] const std::set<std::string>& used() const { return used_; }
    [[nodiscard]] unsigned long unexplained() const { return unexplained_; }
    [[nodiscard]] std::string report() const { return report_.str(); }

private:
    void unexplained(const Comparison& c) {
        ++unexplained_;
        // Two samples an opcode say enough.
        if (++samples_[{static_cast<int>(c.ours.map), c.ours.opcode}] > 2 || samples_.size() > 40) return;
        report_ << hex(c.encoding.data(), c.encoding.size())
                << "  ours: " << (c.ok() ? std::to_string(c.ours.length) : std::string("undefined"))
                << " class " << static_cast<int>(c.ours.cls) << ", Capstone: " << c.theirs.length << " class "
                << static_cast<int>(c.theirs.cls) << " " << capstone_.view(c.encoding, true).text << '\n';
    }

    CodeSize size_;
    CapstoneOracle capstone_;
    unsigned long total_{};
    unsigned long unexplained_{};
    std::set<std::string> used_;
    std::map<std::pair<int, int>, int> samples_;
    std::ostringstream report_;
};

const char* name_of(CodeSize size) {
    return size == CodeSize::Bits16   ? "16-bit code"
           : size == CodeSize::Bits32 ? "32-bit code"
                                      : "64-bit code";
}

TEST(DecodeAgainstCapstone, AllMapsInAllModes) {
    std::set<std::string> used;
    for (const CodeSize size : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64}) {
        Random random(1);
        Comparer comparer(size);
        const Visitor visit = [&](const Encoding& e) { comparer.compare(e); };
        legacy_encodings(size, random, visit);
        addressing_encodings(random, visit);
        vector_encodings(false, random, visit);
        vector_encodings(true, random, visit);
        random_vector_encodings(300'000 * rounds(), random, visit);
        random_encodings(size, 500'000 * rounds(), random, visit);
        EXPECT_EQ(comparer.unexplained(), 0u) << name_of(size) << '\n' << comparer.report();
        EXPECT_GT(comparer.total(), 1'000'000u) << name_of(size);
        used.insert(comparer.used().begin(), comparer.used().end());
    }
    for (const Difference& d : capstone_differences())
        EXPECT_TRUE(used.contains(d.name))
            << "nothing needs this explanation: " << d.name << ": " << d.reason;
}

} // namespace

} // namespace btvm::test
