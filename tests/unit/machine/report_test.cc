// Texts for humans: reports, traces, statistics.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "userland/machine/failure_report.hh"
#include "userland/machine/statistics.hh"
#include "userland/machine/utf8.hh"

namespace btvm {
namespace {

btvm_trace_entry entry(std::uint32_t kind, std::uint32_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
    return {7, 1000, kind, a, 0x7c00, b, c};
}

TEST(Report, TraceEntriesHaveTheirNames) {
    const auto has = [](const btvm_trace_entry& e, const char* text) {
        EXPECT_NE(describe_trace_entry(e).find(text), std::string::npos) << describe_trace_entry(e);
    };
    has(entry(BTVM_TRACE_TRAP, 13, 8), "#GP (13), error 8h");
    has(entry(BTVM_TRACE_TRAP, 14, 2, 0xb8000), "cr2 b8000h");
    has(entry(BTVM_TRACE_EVENT, 8), "#DF (8) delivered");
    has(entry(BTVM_TRACE_EVENT, 0x20), "vector 20h delivered");
    has(entry(BTVM_TRACE_EXIT, BTVM_EXIT_HALTED), "halted");
    has(entry(BTVM_TRACE_EMULATE, 0, 0x7c02), "next 7c02h");
    has(entry(BTVM_TRACE_LEAVE, 1, 14), "the monitor asked for it, #PF");
    has(entry(999, 1), "999");
    has(entry(BTVM_TRACE_ENTER, 0), "7c00");
}

TEST(Report, EmptyTraceSaysHowToGetOne) {
    EXPECT_NE(describe_trace({}).find("--trace"), std::string::npos);
    const btvm_trace_entry unused{};
    EXPECT_NE(describe_trace({&unused, 1}).find("--trace"), std::string::npos);
}

TEST(Report, InternalErrorsTellWhatAndWhere) {
    btvm_run run{};
    run.internal.suberror = BTVM_ERROR_MONITOR_FAULT;
    run.internal.vector = 14;
    run.internal.rip = 0xffff800000001234;
    run.internal.gpr[15] = 0xabcdef;
    std::fill(std::begin(run.internal.text), std::end(run.internal.text), 'x'); // not terminated
    const std::string text = describe_internal_error(run);
    EXPECT_NE(text.find("monitor faulted"), std::string::npos);
    EXPECT_NE(text.find("#PF"), std::string::npos);
    EXPECT_NE(text.find("ffff800000001234"), std::string::npos);
    EXPECT_NE(text.find("abcdef"), std::string::npos);
}

TEST(Report, OnlyAFaultHasAVector) {
    btvm_run run{};
    run.internal.suberror = BTVM_ERROR_VERIFY;
    run.internal.rip = 0x7c11;
    const std::string text = describe_internal_error(run);
    EXPECT_EQ(text.find("#DE"), std::string::npos) << text;
    EXPECT_NE(text.find("rip 7c11h"), std::string::npos) << text;
}

TEST(Report, StatisticsNameEveryCounter) {
    btvm_stats stats{};
    stats.trap_breakpoint = 1;
    stats.verify_violations = 42;
    const auto json = statistics_json(stats);
    EXPECT_EQ(json["trap_breakpoint"], 1);
    EXPECT_EQ(json["verify_violations"], 42);
    const std::string text = statistics_text(json);
    EXPECT_NE(text.find("verify_violations"), std::string::npos);
    EXPECT_NE(text.find("42\n"), std::string::npos);
}

TEST(Utf8, DecodesAndRefuses) {
    EXPECT_EQ(decode_utf8("a\u00e9\u20ac\U0001F600"), U"a\u00e9\u20ac\U0001F600");
    for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
        EXPECT_THROW((void)decode_utf8(bad), std::invalid_argument);
}

TEST(Utf8, PlainTextHasNoCommandsForTerminals) {
    EXPECT_EQ(plain("a\u00e9\u20ac\U0001F600 \u00a0~"), "a\u00e9\u20ac\U0001F600 \u00a0~");
    EXPECT_EQ(plain("\x1b[2J\n\x7f"), "?[2J??");
    EXPECT_EQ(plain("\u0080x\u009b1m"), "?x?1m") << "C1, in UTF-8";
    EXPECT_EQ(plain("\x9b x\xc3"), "? x?") << "or as it is";
    EXPECT_EQ(plain("\xf4\x90\x80\x80"), "????");
}

} // namespace
} // namespace btvm
