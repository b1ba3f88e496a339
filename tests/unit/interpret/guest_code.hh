// Guest code in the tests' own assembler: GUEST_CODE(name, 16, "mov ax, 1; hlt") makes the bytes reachable as
// code(name).
#pragma once

#include <span>

#include "vmm/base/types.hh"

#define GUEST_CODE(name, bits, text)                                                                         \
    extern "C" const ::btvm::u8 guest_##name##_begin[], guest_##name##_end[];                                \
    asm(".pushsection .rodata\n.intel_syntax noprefix\n.code" #bits "\nguest_" #name "_begin:\n" text        \
        "\nguest_" #name "_end:\n.code64\n.att_syntax prefix\n.popsection\n")

#define GUEST_BYTES(name) ::std::span<const ::btvm::u8>(guest_##name##_begin, guest_##name##_end)
