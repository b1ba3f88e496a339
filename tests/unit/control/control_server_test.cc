// The server and the client against a target that is no machine.
#include <filesystem>
#include <fstream>
#include <future>
#include <gtest/gtest.h>
#include <mutex>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "userland/control/base64.hh"
#include "userland/control/control_client.hh"
#include "userland/control/control_server.hh"
#include "userland/control/runtime_directory.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using nlohmann::ordered_json;

class FakeTarget final : public ControlTarget {
public:
    ordered_json execute(const std::string& command, const json& request) override {
        if (command == "echo") return {{"said", request.at("say")}};
        if (command == "break") throw std::runtime_error("broken");
        throw RequestError("bad-request", "unknown");
    }
    Later begin(const std::string& command, const json& request) override {
        if (command != "later") return {};
        if (request.contains("refuse")) throw RequestError("failed", "not now");
        return [this, what = request.value("what", "")]() -> std::optional<ordered_json> {
            asked_++;
            if (!come_) return std::nullopt;
            if (what == "break") throw RequestError("stopped", "broken later");
            return ordered_json{{"what", what}};
        };
    }
    std::atomic<unsigned> asked_{};
    std::atomic<bool> come_{};
    std::string screen_text() override {
        const std::lock_guard lock(mutex_);
        return screen_;
    }
    std::string ended() override {
        const std::lock_guard lock(mutex_);
        return ended_;
    }
    void set(const std::string& screen, const std::string& ended = {}) {
        const std::lock_guard lock(mutex_);
        screen_ = screen;
        ended_ = ended;
    }

private:
    std::mutex mutex_;
    std::string screen_, ended_;
};

class ControlServerTest : public testing::Test {
protected:
    ControlServerTest() : folder_(testing::TempDir() + "btvm-control-" + std::to_string(::getpid())) {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        server_ = std::make_unique<ControlServer>(path(), target_);
    }
    ~ControlServerTest() override {
        server_.reset();
        std::filesystem::remove_all(folder_);
    }
    [[nodiscard]] std::string path() const { return folder_ + "/test.sock"; }

    /// Sends bytes as they are and gives what comes back until the other side closes or `lines` lines are
    /// there.
    std::string raw(const std::string& bytes, int lines) {
        const FileDescriptor fd = connect_socket(path());
        const timeval limit{5, 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        for (std::size_t sent = 0; sent < bytes.size();) {
            const ssize_t part = ::send(fd.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (part < 0) break;
            sent += static_cast<std::size_t>(part);
        }
        std::string out;
        char buffer[512];
        while (std::count(out.begin(), out.end(), '\n') < lines) {
            const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
            if (got <= 0) break;
            out.append(buffer, static_cast<std::size_t>(got));
        }
        return out;
    }

    std::string folder_;
    FakeTarget target_;
    std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, AnswersInOrderWithTheRequestsId) {
    ControlClient client(path());
    for (int i = 0; i < 20; i++) {
        const ordered_json reply = client.request("echo", {{"say", i}});
        EXPECT_EQ(reply["said"], i);
        EXPECT_EQ(reply["id"], i + 1);
    }
    const std::string two =
        raw("{\"command\":\"echo\",\"say\":1,\"id\":\"x\"}\n\n{\"command\":\"echo\",\"say\":2}\n", 2);
    EXPECT_EQ(two, "{\"id\":\"x\",\"ok\":true,\"said\":1}\n{\"id\":null,\"ok\":true,\"said\":2}\n");
}

TEST_F(ControlServerTest, ErrorsHaveACodeAndAMessage) {
    ControlClient client(path());
    try {
        client.request("break");
        FAIL();
    } catch (const RefusedError& error) {
        EXPECT_EQ(error.code(), "failed");
        EXPECT_STREQ(error.what(), "broken");
    }
    EXPECT_THROW(client.request("nonsense"), RefusedError);
    EXPECT_EQ(client.request("echo", {{"say", "on"}})["said"], "on"); // and the connection lives
}

TEST_F(ControlServerTest, HostileInputIsRefused) {
    for (const char* line : {"x", "[]", "{}", "{\"command\":5}", "{\"command\":\"wait-for\"}", "\xff\xfe",
                             "{\"command\":\"wait-for\",\"text\":\"a\",\"timeout\":-1}",
                             "{\"command\":\"wait-for\",\"text\":\"a\",\"timeout\":\"long\"}"})
        EXPECT_NE(raw(std::string(line) + "\n", 1).find("\"code\":\"bad-request\""), std::string::npos)
            << line;
    // A line without end: refused at the limit and hung up on.
    const std::string answer = raw(std::string(ControlServer::kMaxLine + 4096, 'a'), 1000);
    EXPECT_NE(answer.find("longer than"), std::string::npos);
    // Nesting deep enough to overflow a recursive reader's stack.
    EXPECT_FALSE(raw(std::string(500000, '[') + "\n", 1).empty());
    const std::string deep = "{\"id\":" + std::string(500000, '[') + std::string(500000, ']') + "}\n";
    EXPECT_NE(raw(deep, 1).find("\\\"id\\\""), std::string::npos);
    EXPECT_EQ(ControlClient(path()).request("echo", {{"say", 1}})["said"], 1);
}

TEST_F(ControlServerTest, WaitForEndsWhenTheTextComes) {
    target_.set("boot: ");
    ControlClient waiting(path());
    std::thread later([this] {
        std::this_thread::sleep_for(60ms);
        target_.set("boot: done");
    });
    const ordered_json reply = waiting.request("wait-for", {{"text", "done"}, {"timeout", 5}});
    later.join();
    EXPECT_GE(reply["elapsed"].get<double>(), 0.05);
    EXPECT_LT(reply["elapsed"].get<double>(), 5.0);
}

TEST_F(ControlServerTest, WaitForTimesOutAndHoldsUpNobodyElse) {
    std::thread waiter([this] {
        ControlClient waiting(path());
        try {
            waiting.request("wait-for", {{"text", "never"}, {"timeout", 0.3}});
            ADD_FAILURE();
        } catch (const RefusedError& error) {
            EXPECT_EQ(error.code(), "timeout");
        }
    });
    std::this_thread::sleep_for(50ms);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(ControlClient(path()).request("echo", {{"say", 1}})["said"], 1);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 200ms);
    waiter.join();
}

TEST_F(ControlServerTest, WhatTakesItsTimeHoldsUpNobodyElse) {
    const auto ask = [this](const std::string& what) {
        ControlClient client(path());
        try {
            const std::string reply = client.request("later", {{"what", what}}).dump();
            // The next request of the same connection comes after it.
            return reply + client.request("echo", {{"say", "after"}}).dump();
        } catch (const RefusedError& error) {
            return error.code() + ": " + error.what();
        }
    };
    auto one = std::async(std::launch::async, ask, "one"), two = std::async(std::launch::async, ask, "break");
    const std::string gone = "{\"command\":\"later\"}\n";
    EXPECT_EQ(raw(gone, 0), "") << "a client that goes at once";
    while (target_.asked_ < 20)
        std::this_thread::sleep_for(1ms);
    EXPECT_EQ(ControlClient(path()).request("echo", {{"say", 1}})["said"], 1);
    EXPECT_EQ(one.wait_for(0s), std::future_status::timeout);
    EXPECT_THROW(ControlClient(path()).request("later", {{"refuse", true}}), RefusedError);
    target_.come_ = true;
    EXPECT_EQ(one.get(), R"({"id":1,"ok":true,"what":"one"}{"id":2,"ok":true,"said":"after"})");
    EXPECT_EQ(two.get(), "stopped: broken later");
    const unsigned asked = target_.asked_;
    std::this_thread::sleep_for(60ms);
    EXPECT_EQ(target_.asked_, asked) << "nobody waits any more";
}

TEST_F(ControlServerTest, WaitForEndsWithTheGuest) {
    target_.set("last words", "the guest has halted");
    ControlClient client(path());
    client.request("wait-for", {{"text", "last words"}, {"timeout", 5}});
    try {
        client.request("wait-for", {{"text", "more"}, {"timeout", 5}});
        FAIL();
    } catch (const RefusedError& error) {
        EXPECT_EQ(error.code(), "ended");
    }
}

TEST_F(ControlServerTest, SocketIsPrivateAndGoesWithTheServer) {
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(path()));
    EXPECT_THROW(ControlClient client(path()), SocketError);
}

TEST_F(ControlServerTest, StaleSocketsAreReplacedAndLiveOnesAreNot) {
    EXPECT_THROW(ControlServer(path(), target_), SocketError);
    EXPECT_TRUE(is_listening(path()));
    const std::string stale = folder_ + "/stale.sock";
    {
        // As after kill -9: the name is there and nobody listens.
        const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        stale.copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    EXPECT_FALSE(is_listening(stale));
    ControlServer second(stale, target_);
    EXPECT_TRUE(is_listening(stale));
    const std::string file = folder_ + "/file.sock";
    std::ofstream(file) << "precious";
    EXPECT_THROW(ControlServer(file, target_), SocketError);
    EXPECT_TRUE(std::filesystem::exists(file));
    EXPECT_THROW(ControlServer(folder_ + "/" + std::string(200, 'x'), target_), SocketError);
    EXPECT_EQ(list_sockets(folder_), (std::vector<std::string>{stale, path()}));
}

TEST(RuntimeDirectory, RefusesWhatOthersCanReach) {
    const std::string folder = testing::TempDir() + "btvm-runtime-" + std::to_string(::getpid());
    make_runtime_directory(folder);
    make_runtime_directory(folder); // there already, and ours
    ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
    EXPECT_THROW(make_runtime_directory(folder), std::runtime_error);
    std::filesystem::remove(folder);
    std::filesystem::create_symlink("/tmp", folder);
    EXPECT_THROW(make_runtime_directory(folder), std::runtime_error);
    std::filesystem::remove(folder);
}

TEST(Base64, RoundTripsAndRefuses) {
    EXPECT_EQ(base64_encode(std::vector<std::uint8_t>{'f', 'o', 'o', 'b'}), "Zm9vYg==");
    for (std::size_t size = 0; size < 20; size++) {
        std::vector<std::uint8_t> data(size);
        for (std::size_t i = 0; i < size; i++)
            data[i] = static_cast<std::uint8_t>(i * 67 + size);
        EXPECT_EQ(base64_decode(base64_encode(data)), data);
    }
    for (const char* bad : {"a", "ab=", "====", "a===", "ab!=", "Zm9=", "Zm=v"})
        EXPECT_THROW((void)base64_decode(bad), std::invalid_argument) << bad;
}

} // namespace
} // namespace btvm
