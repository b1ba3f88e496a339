// What can go wrong between a program and /dev/btvm, told apart so that a program can exit with a code of its
// own.
#pragma once

#include <stdexcept>
#include <string>

namespace btvm::abi {

class AbiError : public std::runtime_error {
public:
    enum class Kind {
        NoModule,   ///< The device node is not there or has no driver behind it.
        Permission, ///< The device node may not be opened.
        Mismatch,   ///< The module has another BTVM_API_VERSION.
        Call        ///< A call failed; the message names it and why.
    };

    AbiError(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
    [[nodiscard]] Kind kind() const { return kind_; }

private:
    Kind kind_;
};

/// The error of a call that just failed with `error` (an errno value).
[[nodiscard]] AbiError call_error(const char* call, int error);

} // namespace btvm::abi
