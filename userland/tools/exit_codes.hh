// The exit codes of btvm-run and btvm-ctl. Scripts rely on them: never renumber, only append. The man pages
// list them.
#pragma once

namespace btvm {

/// What btvm-run exits with.
enum class RunExit : int {
    Ok = 0,          ///< The user or a control client asked to quit, or the guest turned itself off.
    Internal = 1,    ///< An error in btvm itself or in what the host gave it.
    Usage = 2,       ///< Unknown option, bad value, missing argument.
    TripleFault = 3, ///< The guest triple-faulted (with --on-shutdown=exit).
    Image =
        4, ///< An image (floppy, disk, CD-ROM, firmware) cannot be used: missing, in use, of a wrong size.
    NoModule = 5,       ///< /dev/btvm is not there: the module is not loaded.
    Permission = 6,     ///< /dev/btvm may not be opened by this user.
    AbiMismatch = 7,    ///< Program and module speak different versions.
    GuestHalted = 8,    ///< The guest executed HLT with interrupts off (with --on-halt=exit).
    NoTerminal = 9,     ///< The screen needs a terminal and there is none; --headless does not.
    EngineFailure = 10, ///< The engine ended the guest with a report (monitor fault, failed verification).
    ControlSocket = 11, ///< The control socket could not be made.
    State = 12,         ///< The state of --restore cannot be used: damaged, or of other images than are here.
};

/// What btvm-ctl exits with.
enum class CtlExit : int {
    Ok = 0,
    Failed = 1,    ///< The machine refused the request; its message is printed.
    Usage = 2,     ///< Unknown command or option, bad value.
    NoMachine = 3, ///< No running machine found, or it does not answer.
    Timeout = 4,   ///< wait-for: the text did not appear in time.
    Ambiguous = 5, ///< Several machines run and --socket was not given.
};

} // namespace btvm
