// Runs of pages: what goes in comes out, and nothing malformed gets through.
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "userland/devices/state_section.hh"
#include "userland/state/little_endian.hh"
#include "userland/state/page_runs.hh"

namespace btvm {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Units = std::map<std::uint64_t, Bytes>;

Units decode(const Bytes& payload, std::uint32_t unit) {
    Units units;
    decode_pages(payload, "test", [&](std::uint64_t index, std::span<const std::uint8_t> data) {
        for (; !data.empty(); data = data.subspan(unit))
            units[index++] = {data.begin(), data.begin() + unit};
    });
    return units;
}

std::string refusal(const Bytes& payload) {
    try {
        decode_pages(payload, "test", [](std::uint64_t, std::span<const std::uint8_t>) {});
    } catch (const StateError& error) {
        return error.what();
    }
    return "";
}

TEST(PageRuns, WhatGoesInComesOut) {
    std::mt19937 random(7);
    for (const std::uint32_t unit : {512u, 4096u}) {
        constexpr std::uint64_t kUnits = 3000;
        PageEncoder encoder({0x1000, kUnits * unit - unit / 2, unit, PageBase::Image});
        Units in;
        for (std::uint64_t at = random() % 5; at < kUnits; at += 1 + (random() % 4 ? 0 : random() % 90)) {
            Bytes data(unit, static_cast<std::uint8_t>(random()));
            if (random() % 2) // some that do not compress
                for (auto& b : data)
                    b = static_cast<std::uint8_t>(random());
            encoder.add(at, data);
            in[at] = data;
        }
        const Bytes payload = std::move(encoder).finish();
        EXPECT_EQ(page_set(payload, "test"),
                  (PageSet{0x1000, kUnits * unit - unit / 2, unit, PageBase::Image}));
        EXPECT_EQ(decode(payload, unit), in);
    }
}

TEST(PageRuns, ZeroPagesTakeNoSpace) {
    Bytes memory(64 << 20);
    memory[5 << 20] = 1;
    PageEncoder encoder({0, memory.size(), 4096, PageBase::Zero});
    encoder.add_all_but_zeros(memory);
    const Bytes payload = std::move(encoder).finish();
    EXPECT_LT(payload.size(), 200u);
    const Units units = decode(payload, 4096);
    ASSERT_EQ(units.size(), 1u);
    EXPECT_EQ(units.begin()->first, (5u << 20) / 4096);
}

Bytes set_header(std::uint64_t size, std::uint32_t unit) {
    Bytes out;
    put_number(out, 0, 8);
    put_number(out, size, 8);
    put_number(out, unit, 4);
    put_number(out, 0, 4);
    return out;
}

void add_run(Bytes& out, std::uint64_t index, std::uint64_t units, std::uint64_t stored,
             std::uint64_t encoding, std::size_t data) {
    put_number(out, index, 8);
    put_number(out, units, 4);
    put_number(out, stored, 4);
    put_number(out, encoding, 4);
    out.resize(out.size() + data, 0xaa);
}

TEST(PageRuns, MalformedOnesAreRefused) {
    const auto run = [](std::uint64_t index, std::uint64_t units, std::uint64_t stored,
                        std::uint64_t encoding, std::size_t data) {
        Bytes out = set_header(8 * 512, 512);
        add_run(out, index, units, stored, encoding, data);
        return refusal(out);
    };
    EXPECT_EQ(run(0, 8, 4096, 0, 4096), "");
    EXPECT_EQ(run(0, 1, 512, 0, 511), "test: a run is cut short");
    EXPECT_EQ(run(0, 0, 0, 0, 0), "test: a run of an impossible size");
    EXPECT_EQ(run(0, 0xffffffff, 512, 0, 512), "test: a run of an impossible size");
    EXPECT_EQ(run(8, 1, 512, 0, 512), "test: a run reaches beyond the end");
    EXPECT_EQ(run(~0ull, 1, 512, 0, 512), "test: a run reaches beyond the end");
    EXPECT_EQ(run(7, 2, 1024, 0, 1024), "test: a run reaches beyond the end");
    EXPECT_EQ(run(0, 2, 512, 0, 512), "test: a run has another size than it says");
    EXPECT_EQ(run(0, 1, 512, 2, 512), "test: a run is encoded in an unknown way");
    EXPECT_EQ(run(0, 1, 512, 1, 512), "test: the compressed data does not hold what is said of it");
    Bytes twice = set_header(8 * 512, 512);
    add_run(twice, 1, 1, 512, 0, 512);
    add_run(twice, 1, 1, 512, 0, 512);
    EXPECT_EQ(refusal(twice), "test: runs are out of order");
    EXPECT_EQ(refusal(set_header(0, 512)), "test: an impossible size");
    EXPECT_EQ(refusal(set_header(~0ull, 512)), "test: an impossible size");
    EXPECT_EQ(refusal(set_header(512, 0)), "test: units of an impossible size");
    EXPECT_EQ(refusal(Bytes(10)), "test: is cut short");
}

} // namespace
} // namespace btvm
