// The property that every device has to keep: saving and restoring between any two operations changes nothing
// that a guest, or anybody outside, can see. And the proof that this test sees anything: each field that a
// device declares is left out once, and must be missed.
#include <gtest/gtest.h>
#include <optional>
#include <set>

#include "tests/unit/state/leave_out.hh"
#include "tests/unit/state/subjects.hh"
#include "userland/devices/state.hh"

namespace btvm::test {

void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }

namespace {

/// In every other sequence there are operations without a restore between them: what one has begun another
/// goes on with.
class Restores {
public:
    explicit Restores(unsigned seed) : sparse_(seed % 2 == 0), random_(seed + 1000) {}
    [[nodiscard]] bool next() { return !sparse_ || random_.once_in(6); }

private:
    bool sparse_;
    Random random_;
};

/// Through the bytes of a file, as a restore goes.
Sections through_bytes(const Sections& sections) {
    std::vector<std::uint8_t> bytes;
    for (const StateSection& section : sections)
        append_bytes(section, bytes);
    std::span<const std::uint8_t> rest(bytes);
    Sections back;
    while (!rest.empty())
        back.push_back(take_section(rest));
    return back;
}

class Restore : public testing::TestWithParam<Subject> {
protected:
    std::unique_ptr<Bench> bench() {
        auto made = GetParam().make();
        made->start();
        return made;
    }
};

TEST_P(Restore, BetweenAnyTwoOperationsChangesNothing) {
    for (unsigned seed = 1; seed <= GetParam().seeds; seed++) {
        const auto stays = bench(), moves = bench();
        Random one(seed), other(seed);
        Restores restores(seed);
        Seen expected, seen;
        for (unsigned i = 0; i < GetParam().operations; i++) {
            expected.clear();
            seen.clear();
            stays->operate(one, expected);
            moves->operate(other, seen);
            ASSERT_EQ(seen.values(), expected.values()) << "operation " << i << ", sequence " << seed;
            if (restores.next()) moves->replace(through_bytes(moves->save()));
            expected.clear();
            seen.clear();
            stays->watch(expected);
            moves->watch(seen);
            ASSERT_EQ(seen.values(), expected.values()) << "after operation " << i << ", sequence " << seed;
        }
        const Sections left = stays->save(), right = moves->save();
        for (std::size_t i = 0; i < left.size(); i++)
            EXPECT_EQ(differences(left[i], right[i]), std::vector<std::string>{}) << "sequence " << seed;
        expected.clear();
        seen.clear();
        stays->inspect(expected);
        moves->inspect(seen);
        EXPECT_EQ(seen.values(), expected.values()) << "at the end, sequence " << seed;
    }
}

TEST_P(Restore, GoingOnAndBackAgainChangesNothing) {
    for (unsigned seed = 1; seed <= 2; seed++) {
        const auto stays = bench(), moves = bench();
        Random one(seed), other(seed), elsewhere(seed + 500);
        Seen expected, seen;
        for (unsigned i = 0; i < GetParam().operations; i++) {
            expected.clear();
            seen.clear();
            stays->operate(one, expected);
            stays->watch(expected);
            moves->operate(other, seen);
            moves->watch(seen);
            ASSERT_EQ(seen.values(), expected.values()) << "operation " << i << ", sequence " << seed;
            if (!elsewhere.once_in(20)) continue;
            moves->there_and_back([&] {
                for (unsigned further = elsewhere.below(80); further; further--)
                    moves->operate(elsewhere, seen);
            });
            expected.clear();
            seen.clear();
            stays->watch(expected);
            moves->watch(seen);
            ASSERT_EQ(seen.values(), expected.values())
                << "back after operation " << i << ", sequence " << seed;
        }
        expected.clear();
        seen.clear();
        stays->inspect(expected);
        moves->inspect(seen);
        EXPECT_EQ(seen.values(), expected.values()) << "at the end, sequence " << seed;
    }
}

/// What an undisturbed sequence shows, a digest for each operation and one for the end.
struct Sequence {
    unsigned seed;
    std::vector<std::uint64_t> digests;
    Sections initial;
    /// For each field, the first operation after which there is a restore and it has not its initial value,
    /// if there is one: until then leaving it out changes nothing.
    std::map<std::string, std::optional<std::size_t>> fields;
};

Sequence record(Bench& bench, unsigned operations, unsigned seed) {
    Sequence sequence{.seed = seed, .digests = {}, .initial = bench.save(), .fields = {}};
    Random random(seed);
    Restores restores(seed);
    Seen seen;
    for (std::size_t i = 0; i < operations; i++) {
        seen.clear();
        bench.operate(random, seen);
        bench.watch(seen);
        sequence.digests.push_back(seen.digest());
        if (!restores.next()) continue;
        for_each_field(bench.save(), sequence.initial, [&](const std::string& path, bool differs) {
            std::optional<std::size_t>& first = sequence.fields[path];
            if (differs && !first) first = i;
        });
    }
    seen.clear();
    bench.inspect(seen);
    sequence.digests.push_back(seen.digest());
    return sequence;
}

/// Whether a sequence goes otherwise if the field is not carried over.
bool misses(Bench& bench, const FieldPath& field, const Sequence& sequence, std::size_t first) {
    Random random(sequence.seed);
    Restores restores(sequence.seed);
    Seen seen;
    for (std::size_t i = 0; i + 1 < sequence.digests.size(); i++) {
        seen.clear();
        bench.operate(random, seen);
        bench.watch(seen);
        if (seen.digest() != sequence.digests[i]) return true;
        if (!restores.next() || i < first) continue;
        // Restoring what is as it was changes nothing: that is the other test.
        Sections sections = bench.save(field.section());
        if (!field.leave_out(sections, sequence.initial)) continue;
        sections = bench.save();
        (void)field.leave_out(sections, sequence.initial);
        try {
            bench.replace(sections);
        } catch (const StateError&) {
            return true; // the other fields say that something is missing
        }
    }
    seen.clear();
    bench.inspect(seen);
    return seen.digest() != sequence.digests.back();
}

bool refused_if_other(Bench& bench, const FieldPath& field) {
    Sections sections = bench.save();
    if (!field.alter(sections)) return false;
    try {
        bench.replace(sections);
    } catch (const StateError&) {
        return true;
    }
    return false;
}

TEST_P(Restore, EveryFieldIsMissedIfItIsLeftOut) {
    std::set<std::string> paths;
    std::vector<Sequence> sequences;
    for (unsigned seed = 1; seed <= GetParam().seeds; seed++) {
        sequences.push_back(record(*bench(), GetParam().operations, seed));
        for (const auto& [path, first] : sequences.back().fields)
            if (GetParam().tries(path)) paths.insert(path);
    }
    const auto missed = [&](const std::string& path) {
        const FieldPath field(path);
        for (const Sequence& sequence : sequences) {
            const auto found = sequence.fields.find(path);
            if (found == sequence.fields.end() || !found->second) continue; // always as it was at first
            if (misses(*bench(), field, sequence, *found->second)) return true;
        }
        return false;
    };
    std::map<std::string, const Unmissed*> expected;
    for (const Unmissed& entry : GetParam().unmissed)
        expected[entry.field] = &entry;
    for (const std::string& path : paths) {
        const auto entry = expected.find(path);
        if (entry == expected.end()) {
            EXPECT_TRUE(missed(path)) << path << " can be left out, and nobody misses it";
        } else {
            if (entry->second->reason == Reason::Identity) {
                EXPECT_TRUE(refused_if_other(*bench(), FieldPath(path)))
                    << path << ": another value is not refused";
            } else {
                EXPECT_FALSE(missed(path))
                    << path << " is listed as a field that nobody misses; somebody does";
            }
            expected.erase(entry);
        }
    }
    for (const auto& [path, entry] : expected)
        ADD_FAILURE() << path << " is listed, and there is no such field";
}

INSTANTIATE_TEST_SUITE_P(Device, Restore, testing::ValuesIn(subjects()),
                         [](const auto& subject) { return std::string(subject.param.name); });

} // namespace
} // namespace btvm::test
