// A commit that was interrupted, by SIGKILL or a power cut: its journal (commit_journal.hh) lies beside the
// image when that is opened again, and is brought to its end then. A journal may come from anybody who may
// write the directory, so nothing in it is believed that was not looked at: whose it is, its lengths and
// checksum, and that the image holds, in each sector that it would write, what was there before or what is to
// be there.
#pragma once

#include <string>

#include "userland/devices/disk_image_file.hh"

namespace btvm {

/// An image that must not be used before a commit to it is complete.
class UnfinishedCommit : public DiskError {
public:
    using DiskError::DiskError;
};

/// Whether a file lies where the image's journal would be. Ask with the image locked: whoever commits has it
/// locked, too.
[[nodiscard]] bool journal_is_there(int image, const std::string& path);

/// Brings the commit to its end if the journal is a whole one of this image; puts it aside, under another
/// name, if it is not. The image is open and locked for writing. Gives what the user should know. Throws
/// UnfinishedCommit if it cannot be done, or if it is not ours to do: the image must not be used then;
/// DiskError if its journal cannot be removed.
[[nodiscard]] std::string finish_commit(int image, const std::string& path);

/// For an image that cannot be opened for writing, for the reason given: what the user should know if the
/// journal can be passed over. Throws UnfinishedCommit if the image is not whole without it.
[[nodiscard]] std::string pass_over_journal(int image, const std::string& path, const std::string& reason);

} // namespace btvm
