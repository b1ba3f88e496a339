// The protocol's commands on a PC with the hosted engine: SeaBIOS boots a floppy with a boot sector that
// prints a line and echoes what is typed.
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

#include "userland/control/base64.hh"
#include "userland/control/control_client.hh"
#include "userland/control/pc_control.hh"

namespace btvm {
namespace {

using nlohmann::json;

/// Prints "btvm test" by INT 10h, then echoes keys for ever by INT 16h.
std::vector<std::uint8_t> echo_floppy() {
    std::vector<std::uint8_t> image(1440 * 1024);
    const std::vector<std::uint8_t> code{0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x1e,
                                         0x7c,                         // xor ax,ax; mov ds,ax; mov si,7C1Eh
                                         0xac, 0x84, 0xc0, 0x74, 0x06, // next: lodsb; test al,al; jz echo
                                         0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf5, // mov ah,0Eh; int 10h; jmp next
                                         0x30, 0xe4, 0xcd, 0x16,             // echo: xor ah,ah; int 16h
                                         0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf6, // mov ah,0Eh; int 10h; jmp echo
                                         0x90, 0x90};
    std::copy(code.begin(), code.end(), image.begin());
    const std::string text = "btvm test: ";
    std::copy(text.begin(), text.end(), image.begin() + 0x1e);
    image[510] = 0x55;
    image[511] = 0xaa;
    return image;
}

/// One machine for all tests: its BIOS takes a while under sanitizers.
class PcControlTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = testing::TempDir() + "btvm-pc-" + std::to_string(::getpid());
        std::filesystem::create_directories(folder_);
        write("echo.img", echo_floppy());
        PcConfig config;
        try {
            config.firmware = load_firmware("", "");
        } catch (const FirmwareError& error) {
            missing_ = error.what();
            return;
        }
        config.name = "echo";
        config.engine_choice = EngineChoice::Interpreter;
        config.engine.trace = true;
        config.floppies[0] = {folder_ + "/echo.img", false, false};
        pc_ = std::make_unique<Pc>(config);
        control_ = std::make_unique<PcControl>(*pc_, [](bool keep) {
            quit_ = true;
            keep_ = keep;
        });
        server_ = std::make_unique<ControlServer>(folder_ + "/control.sock", *control_);
        pc_->start();
    }
    static void TearDownTestSuite() {
        server_.reset();
        control_.reset();
        pc_.reset();
        std::filesystem::remove_all(folder_);
    }
    void SetUp() override {
        if (!pc_) GTEST_SKIP() << missing_;
        client_ = std::make_unique<ControlClient>(folder_ + "/control.sock");
        client_->request("wait-for", {{"text", "btvm test"}, {"timeout", 60}});
    }
    static void write(const std::string& name, const std::vector<std::uint8_t>& content) {
        std::ofstream(folder_ + "/" + name, std::ios::binary)
            .write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
    }
    /// The code of the refusal, or "ok".
    std::string code_of(const std::string& command, const json& members = json::object()) {
        try {
            client_->request(command, members);
            return "ok";
        } catch (const RefusedError& error) {
            return error.code();
        }
    }

    static inline std::string folder_, missing_;
    static inline std::unique_ptr<Pc> pc_;
    static inline std::unique_ptr<PcControl> control_;
    static inline std::unique_ptr<ControlServer> server_;
    static inline bool quit_{}, keep_{};
    std::unique_ptr<ControlClient> client_;
};

TEST_F(PcControlTest, TypedTextAndKeysReachTheGuest) {
    client_->request("type", {{"text", "Hello, World_42!"}});
    client_->request("wait-for", {{"text", "Hello, World_42!"}, {"timeout", 20}});
    client_->request("key", {{"chord", "shift-q"}});
    client_->request("wait-for", {{"text", "42!Q"}, {"timeout", 20}});
    EXPECT_EQ(code_of("type", {{"text", "caf\u00e9"}}), "bad-request");
    EXPECT_EQ(code_of("key", {{"chord", "ctrl-nonsense"}}), "bad-request");
    EXPECT_EQ(code_of("key"), "bad-request");
}

TEST_F(PcControlTest, ScreenComesAsTextPictureAndCells) {
    const auto text = client_->request("screen");
    EXPECT_EQ(text["columns"], 80);
    EXPECT_EQ(text["rows"], 25);
    EXPECT_NE(text["text"].get<std::string>().find("btvm test"), std::string::npos);
    const auto png = base64_decode(client_->request("screen", {{"format", "png"}})["png"].get<std::string>());
    EXPECT_EQ(std::string(png.begin() + 1, png.begin() + 4), "PNG");
    const auto cells =
        base64_decode(client_->request("screen", {{"format", "cells"}})["cells"].get<std::string>());
    EXPECT_EQ(cells.size(), 80u * 25 * 2);
    EXPECT_EQ(code_of("screen", {{"format", "jpeg"}}), "bad-request");
}

TEST_F(PcControlTest, PauseAndResume) {
    client_->request("pause");
    EXPECT_EQ(client_->request("info")["state"], "paused");
    const double paused = client_->request("info")["guest_seconds"];
    EXPECT_EQ(client_->request("info")["guest_seconds"], paused);
    client_->request("resume");
    EXPECT_EQ(client_->request("info")["state"], "running");
}

TEST_F(PcControlTest, FloppiesAreChanged) {
    write("second.img", echo_floppy());
    write("odd.img", std::vector<std::uint8_t>(1000));
    const auto floppy = [&] { return client_->request("info")["floppies"][0]["path"].get<std::string>(); };
    client_->request("floppy", {{"drive", "a"}, {"action", "eject"}});
    EXPECT_EQ(floppy(), "");
    const std::string second = folder_ + "/second.img";
    client_->request("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", second}});
    EXPECT_EQ(floppy(), second);
    // A bad image leaves the drive as it was.
    EXPECT_EQ(code_of("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", folder_ + "/odd.img"}}),
              "failed");
    EXPECT_EQ(code_of("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", folder_ + "/missing"}}),
              "failed");
    EXPECT_EQ(floppy(), second);
    // The same file again is no conflict with itself.
    client_->request("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", second}, {"snapshot", true}});
    EXPECT_TRUE(client_->request("info")["floppies"][0]["snapshot"]);
    EXPECT_EQ(code_of("floppy", {{"drive", "b"}, {"action", "eject"}}), "failed"); // there is no drive B
    EXPECT_EQ(code_of("floppy", {{"drive", "c"}, {"action", "eject"}}), "bad-request");
    EXPECT_EQ(code_of("floppy", {{"drive", "a"}, {"action", "shake"}}), "bad-request");
    client_->request("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", folder_ + "/echo.img"}});
}

TEST_F(PcControlTest, StatisticsAndTraceAndRegisters) {
    EXPECT_GT(client_->request("stats")["stats"]["interpreted_instructions"].get<std::uint64_t>(), 1000u);
    const auto trace = client_->request("trace", {{"count", 5}});
    EXPECT_TRUE(trace["enabled"]);
    EXPECT_EQ(trace["entries"].size(), 5u);
    EXPECT_NE(client_->request("registers")["text"].get<std::string>().find("rip"), std::string::npos);
    EXPECT_EQ(code_of("trace", {{"count", 0}}), "bad-request");
    EXPECT_EQ(code_of("trace", {{"count", -1}}), "bad-request");
}

TEST_F(PcControlTest, ResetBootsAgain) {
    client_->request("type", {{"text", "before the reset"}});
    client_->request("wait-for", {{"text", "before the reset"}, {"timeout", 20}});
    client_->request("reset");
    EXPECT_EQ(client_->request("info")["resets"], 1);
    while (client_->request("screen")["text"].get<std::string>().find("before the reset") !=
           std::string::npos)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    client_->request("wait-for", {{"text", "btvm test"}, {"timeout", 60}});
}

TEST_F(PcControlTest, Checkpoints) {
    const auto taken = client_->request("checkpoint", {{"name", "here"}});
    EXPECT_EQ(taken["name"], "here");
    EXPECT_GT(taken["pages"], 10);
    EXPECT_GT(taken["bytes"], 40960);
    client_->request("type", {{"text", "later"}});
    client_->request("wait-for", {{"text", "later"}, {"timeout", 20}});
    EXPECT_EQ(client_->request("checkpoint")["name"], "2");
    EXPECT_EQ(client_->request("rewind", {{"name", "here"}})["guest_seconds"], taken["guest_seconds"]);
    EXPECT_EQ(client_->request("screen")["text"].get<std::string>().find("later"), std::string::npos);
    client_->request("checkpoint", {{"name", "branch"}});

    auto tree = client_->request("tree");
    ASSERT_EQ(tree["checkpoints"].size(), 3u);
    const auto& second = tree["checkpoints"][1];
    EXPECT_EQ(second["name"], "2");
    EXPECT_EQ(second["parent"], "here");
    EXPECT_EQ(second["graph"], "├─ ");
    EXPECT_NE(second["screen"].get<std::string>().find("later"), std::string::npos);
    EXPECT_TRUE(tree["checkpoints"][0]["parent"].is_null());
    EXPECT_EQ(tree["checkpoints"][2]["present"], true);
    EXPECT_GT(tree["stored_bytes"], 40960);

    EXPECT_EQ(code_of("checkpoint", {{"name", "here"}}), "failed");
    EXPECT_EQ(code_of("checkpoint", {{"name", 7}}), "bad-request");
    EXPECT_EQ(code_of("checkpoint", {{"name", "a\nb"}}), "failed");
    EXPECT_EQ(code_of("rewind", {{"name", "nowhere"}}), "failed");
    EXPECT_EQ(code_of("delete"), "bad-request");
    EXPECT_EQ(code_of("rename", {{"name", "here"}}), "bad-request");
    EXPECT_EQ(code_of("rename", {{"name", "here"}, {"to", "2"}}), "failed");
    client_->request("rename", {{"name", "2"}, {"to", "second"}});
    client_->request("delete", {{"name", "here"}});
    tree = client_->request("tree");
    ASSERT_EQ(tree["checkpoints"].size(), 2u);
    EXPECT_EQ(tree["checkpoints"][0]["name"], "second");
    client_->request("rewind", {{"name", "second"}});
    client_->request("wait-for", {{"text", "later"}, {"timeout", 1}});
    EXPECT_TRUE(client_->request("commit")["images"].empty());
    // A floppy that checkpoints know can go in again only as it was.
    const std::string path = folder_ + "/echo.img";
    EXPECT_EQ(code_of("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", path}}), "ok");
    EXPECT_EQ(code_of("floppy", {{"drive", "a"}, {"action", "insert"}, {"path", path}, {"snapshot", true}}),
              "failed");
    EXPECT_EQ(client_->request("info")["floppies"][0]["path"], path);
    client_->request("rewind", {{"name", "branch"}});
}

TEST_F(PcControlTest, QuitIsPassedOn) {
    quit_ = false;
    client_->request("quit");
    EXPECT_TRUE(quit_);
    EXPECT_TRUE(keep_);
    client_->request("quit", {{"discard", true}});
    EXPECT_FALSE(keep_);
}

} // namespace
} // namespace btvm
