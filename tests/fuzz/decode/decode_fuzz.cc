// libFuzzer: any bytes, as guest code is any bytes. The first input byte chooses the mode, the rest lie in a
// heap block of their exact size, so that AddressSanitizer sees a read too far. With 15 bytes or more the
// answer is compared with Capstone's; a difference must be one that capstone_differences.cc explains.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tests/unit/decode/capstone_differences.hh"

using namespace btvm;

namespace {

void require(bool holds, const char* what, const u8* bytes, u32 count) {
    if (holds) return;
    std::fprintf(stderr, "%s: %s\n", what, test::hex(bytes, std::min(count, 20u)).c_str());
    std::abort();
}

test::CapstoneOracle& oracle(CodeSize size) {
    static test::CapstoneOracle oracles[] = {test::CapstoneOracle(CodeSize::Bits16),
                                             test::CapstoneOracle(CodeSize::Bits32),
                                             test::CapstoneOracle(CodeSize::Bits64)};
    return oracles[static_cast<unsigned>(size)];
}

void compare_with_capstone(const u8* bytes, u32 count, CodeSize size) {
    test::Comparison c;
    c.size = size;
    std::copy_n(bytes, c.encoding.size(), c.encoding.begin());
    c.status = decode(c.encoding.data(), c.encoding.size(), size, c.ours);
    c.theirs = oracle(size).view(c.encoding);
    if (c.agrees()) return;
    for (const test::Difference& d : test::capstone_differences())
        if (d.applies(c)) return;
    std::fprintf(stderr, "mode %d, ours %d long, class %d; Capstone %u, class %d: %s\n",
                 static_cast<int>(size), c.ok() ? c.ours.length : 0, static_cast<int>(c.ours.cls),
                 c.theirs.length, static_cast<int>(c.theirs.cls),
                 oracle(size).view(c.encoding, true).text.c_str());
    require(false, "unexplained difference", bytes, count);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
    if (bytes == 0) return 0;
    const CodeSize size = static_cast<CodeSize>(data[0] % 3);
    const u32 count = static_cast<u32>(std::min<size_t>(bytes - 1, 32));
    const std::unique_ptr<u8[]> code(new u8[count]);
    std::memcpy(code.get(), data + 1, count);

    Instruction i;
    const DecodeStatus status = decode(code.get(), count, size, i);
    require(i.length <= count && i.length <= kMaxInstructionLength, "length out of bounds", code.get(),
            count);
    if (status == DecodeStatus::Ok) {
        require(i.length > 0, "empty instruction", code.get(), count);
        for (u32 part = 0; part < i.length; ++part) {
            const std::unique_ptr<u8[]> prefix(new u8[part]);
            std::memcpy(prefix.get(), code.get(), part);
            Instruction ignored;
            require(decode(prefix.get(), part, size, ignored) == DecodeStatus::Truncated,
                    "a strict prefix is not truncated", code.get(), count);
        }
    } else {
        require(i.cls == InstructionClass::Unrecognised, "a class without an instruction", code.get(), count);
    }
    if (count >= kMaxInstructionLength) compare_with_capstone(code.get(), count, size);
    return 0;
}
