// Objects that count who refers to them, for what several checkpoints have in common. Not for sharing between
// threads: all checkpoints of a machine belong to its thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace btvm {

class RefCounted {
public:
    RefCounted() = default;
    RefCounted(const RefCounted&) {} // nobody refers to the copy yet
    RefCounted& operator=(const RefCounted&) = delete;
    virtual ~RefCounted() = default;

    /// Bytes of all such objects that there are in this process: what checkpoints and kept writes take. From
    /// any thread.
    [[nodiscard]] static std::uint64_t bytes_in_use() { return bytes_; }
    static void* operator new(std::size_t size) {
        void* const object = ::operator new(size);
        bytes_ += size;
        return object;
    }
    static void operator delete(void* object, std::size_t size) {
        bytes_ -= size;
        ::operator delete(object); // clang 14 knows the sized one only when asked to
    }

private:
    template <class T>
    friend class Ref;
    // Not inlined: g++ 12 would see uses after this in other references' code, where there are none.
    [[gnu::noinline]] void let_go() {
        if (--references_ == 0) delete this;
    }
    inline static std::atomic<std::uint64_t> bytes_{};
    std::uint64_t references_{};
};

/// A reference to a RefCounted object, or to none. The last one to go takes the object with it.
template <class T>
class Ref {
public:
    Ref() = default;
    explicit Ref(T* object) : object_(object) {
        if (object_) object_->references_++;
    }
    Ref(const Ref& other) : Ref(other.object_) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    template <class U>
    requires std::is_convertible_v<U*, T*> Ref(const Ref<U>& other) : Ref(static_cast<T*>(other.get())) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_) object_->let_go();
    }

    [[nodiscard]] T* get() const { return object_; }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }
    /// Somebody else refers to it too: what is seen through this reference must not change.
    [[nodiscard]] bool shared() const { return object_ && object_->references_ > 1; }

private:
    T* object_{};
};

template <class T, class... Arguments>
[[nodiscard]] Ref<T> make_ref(Arguments&&... arguments) {
    return Ref<T>(new T(std::forward<Arguments>(arguments)...));
}

} // namespace btvm
