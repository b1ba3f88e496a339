// The checkpoints of a machine and how they came from each other. A checkpoint's parent is where the machine
// was last: the checkpoint taken before it, or the one it was taken back to. What a checkpoint holds is its
// owner's business; here it is a number.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "userland/devices/device.hh"

namespace btvm {

/// A checkpoint that is not there, or cannot be made so. The message is for the user.
class CheckpointError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct CheckpointNode {
    std::uint64_t id{};     ///< From 1, in the order they were taken.
    std::uint64_t parent{}; ///< 0: none.
    std::string name;
    GuestTime guest_time{};
    std::int64_t taken_at{};       ///< Seconds since 1970, by the host's clock.
    std::uint64_t ring{};          ///< Not 0: taken by the clock, so many-th.
    std::uint64_t changed_pages{}; ///< Pages of memory that differ from the parent's...
    std::uint64_t changed_bytes{}; ///< ... and those and what differs on media, in bytes.
    std::string screen;            ///< As text, a line a row.
};

class CheckpointTree {
public:
    static constexpr std::size_t kMostName = 64; ///< Bytes.

    /// Throws CheckpointError if the name is taken, empty, too long or cannot be printed on one line.
    void check_name(const std::string& name) const;
    /// A name that is free: the number the next checkpoint will have, or one after it.
    [[nodiscard]] std::string free_name(const std::string& prefix = {}) const;

    /// A child of the present one, which it becomes. The name must be free; id and parent are set here.
    CheckpointNode& add(CheckpointNode node);
    /// Throws CheckpointError.
    [[nodiscard]] CheckpointNode& find(const std::string& name);
    /// Null: none.
    [[nodiscard]] CheckpointNode* at(std::uint64_t id);
    [[nodiscard]] const std::map<std::uint64_t, CheckpointNode>& nodes() const { return nodes_; }

    /// Puts in a checkpoint of an earlier tree, after its parent: with its id, which must be free. Throws
    /// CheckpointError if its name cannot be had.
    void put_back(CheckpointNode node);
    /// Where the machine is in that tree, and the last id that was given in it.
    void put_back(std::uint64_t present, std::uint64_t last_id) { present_ = present, last_id_ = last_id; }
    [[nodiscard]] std::uint64_t last_id() const { return last_id_; }

    /// Where the machine is: the checkpoint last taken or taken back to; 0: none.
    [[nodiscard]] std::uint64_t present() const { return present_; }
    void move_to(std::uint64_t id) { present_ = id; }

    void rename(const std::string& name, const std::string& to);
    /// Its children become its parent's, and so does the machine if it is there. Returns the children.
    std::vector<std::uint64_t> remove(std::uint64_t id);

    struct Line {
        const CheckpointNode* node;
        std::string graph; ///< What is drawn before its name; only where the tree branches it goes in.
    };
    /// All of them, parents before children, siblings by age: as a tree is drawn.
    [[nodiscard]] std::vector<Line> lines() const;

private:
    using Children = std::map<std::uint64_t, std::vector<const CheckpointNode*>>;
    static void add_lines(const Children& children, std::uint64_t parent, const std::string& graph,
                          std::vector<Line>& out);

    std::map<std::uint64_t, CheckpointNode> nodes_;
    std::uint64_t present_{};
    std::uint64_t last_id_{};
};

} // namespace btvm
