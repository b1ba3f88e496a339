// The host's end of the serial cable, with real files and sockets.
#include <arpa/inet.h>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "userland/devices/serial_backend.hh"

namespace btvm {
namespace {

class SerialBackendTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/btvm-serial-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder_ = name;
    }
    void TearDown() override { static_cast<void>(std::system(("rm -rf " + folder_).c_str())); }

    static std::optional<std::uint8_t> receive_soon(SerialBackend& backend) {
        for (unsigned i = 0; i < 200; ++i) {
            if (const auto byte = backend.receive()) return byte;
            usleep(1000);
        }
        return std::nullopt;
    }
    static int connect_unix(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
        close(fd);
        return -1;
    }
    static void converse(SerialBackend& backend, int client) {
        ASSERT_EQ(write(client, "in", 2), 2);
        EXPECT_EQ(receive_soon(backend), 'i');
        EXPECT_EQ(receive_soon(backend), 'n');
        EXPECT_TRUE(backend.connected());
        backend.send('o');
        backend.send('k');
        char text[3]{};
        ASSERT_EQ(recv(client, text, 2, MSG_WAITALL), 2);
        EXPECT_STREQ(text, "ok");
    }

    std::string folder_;
};

TEST_F(SerialBackendTest, UnknownSpecificationsAreRefusedWithTheKnownOnes) {
    for (const char* bad :
         {"", "nul", "file", "file:", "tcp:", "tcp:70000", "tcp:12x", "unix:", "pty", "null:"})
        EXPECT_THROW(static_cast<void>(make_serial_backend(bad)), std::invalid_argument) << bad;
    EXPECT_THROW(static_cast<void>(make_serial_backend("unix:/" + std::string(200, 'x'))),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(make_serial_backend("file:" + folder_ + "/none/file")), std::system_error);
    EXPECT_THROW(static_cast<void>(make_serial_backend("file:" + folder_)), std::system_error);
}

TEST_F(SerialBackendTest, NullAndLoop) {
    const auto nothing = make_serial_backend("none");
    nothing->send('x');
    EXPECT_FALSE(nothing->receive());
    EXPECT_FALSE(nothing->connected());
    EXPECT_FALSE(nothing->can_receive());
    const auto loop = make_serial_backend("loop");
    loop->send('x');
    loop->send('y');
    EXPECT_EQ(loop->receive(), 'x');
    EXPECT_EQ(loop->receive(), 'y');
    EXPECT_FALSE(loop->receive());
}

TEST_F(SerialBackendTest, FileGetsEveryByte) {
    const std::string path = folder_ + "/out";
    {
        const auto file = make_serial_backend("file:" + path);
        for (const char c : std::string("a\0\r\n\xFF", 5))
            file->send(static_cast<std::uint8_t>(c));
    }
    std::ifstream in(path, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), std::string("a\0\r\n\xFF", 5));
}

TEST_F(SerialBackendTest, UnixSocketOneClientAfterTheOther) {
    const std::string path = folder_ + "/socket";
    auto backend = make_serial_backend("unix:" + path);
    EXPECT_EQ(backend->address(), "unix:" + path);
    EXPECT_FALSE(backend->connected());
    backend->send('x'); // to nobody
    for (unsigned i = 0; i < 2; ++i) {
        const int client = connect_unix(path);
        ASSERT_GE(client, 0);
        converse(*backend, client);
        close(client);
        EXPECT_FALSE(receive_soon(*backend));
        EXPECT_FALSE(backend->connected());
    }
    // Another listener on the same path is refused, a dead one is replaced.
    EXPECT_THROW(static_cast<void>(make_serial_backend("unix:" + path)), std::system_error);
    backend.reset();
    EXPECT_NE(access(path.c_str(), F_OK), 0);
    const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    close(dead);
    EXPECT_NO_THROW(backend = make_serial_backend("unix:" + path));
    std::ofstream(folder_ + "/file") << "x";
    EXPECT_THROW(static_cast<void>(make_serial_backend("unix:" + folder_ + "/file")), std::system_error);
    EXPECT_EQ(access((folder_ + "/file").c_str(), F_OK), 0);
}

TEST_F(SerialBackendTest, TcpListensOnLoopbackOnly) {
    const auto backend = make_serial_backend("tcp:0");
    const std::string prefix = "tcp:127.0.0.1:";
    ASSERT_EQ(backend->address().substr(0, prefix.size()), prefix);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(backend->address().substr(prefix.size()))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    converse(*backend, client);
    close(client);
}

TEST_F(SerialBackendTest, ClientThatDoesNotReadCannotBlockTheGuestNorEatMemory) {
    const std::string path = folder_ + "/socket";
    const auto backend = make_serial_backend("unix:" + path);
    const int client = connect_unix(path);
    ASSERT_GE(client, 0);
    for (unsigned i = 0; i < 1'000'000; ++i)
        backend->send('x');
    close(client);
    EXPECT_FALSE(receive_soon(*backend)); // no SIGPIPE either
}

TEST_F(SerialBackendTest, StdioReadsAndEnds) {
    // Standard input and output of a child, so as to leave the test's own alone.
    int to_child[2];
    int from_child[2];
    ASSERT_EQ(pipe2(to_child, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(from_child, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(to_child[0], STDIN_FILENO);
        dup2(from_child[1], STDOUT_FILENO);
        const auto backend = make_serial_backend("stdio");
        for (unsigned i = 0; i < 1000 && backend->can_receive(); ++i) {
            if (const auto byte = backend->receive())
                backend->send(static_cast<std::uint8_t>(*byte + 1));
            else
                usleep(1000);
            if (i == 5) close(to_child[1]);
        }
        _exit(backend->can_receive() ? 1 : 0);
    }
    close(to_child[0]);
    close(from_child[1]);
    ASSERT_EQ(write(to_child[1], "HAL", 3), 3);
    char text[4]{};
    for (unsigned got = 0; got < 3;) {
        const ssize_t n = read(from_child[0], text + got, 3 - got);
        ASSERT_GT(n, 0);
        got += static_cast<unsigned>(n);
    }
    EXPECT_STREQ(text, "IBM");
    close(to_child[1]);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    close(from_child[0]);
}

} // namespace
} // namespace btvm
