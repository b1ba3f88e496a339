#include "tests/unit/decode/encodings.hh"

#include <initializer_list>
#include <vector>

namespace btvm::test {

namespace {

Encoding noise(Random& random) {
    Encoding e;
    for (u8& byte : e)
        byte = static_cast<u8>(random());
    return e;
}

/// Appends to the front of `e`, which is noise.
class Writer {
public:
    explicit Writer(Random& random) : encoding_(noise(random)) {}
    Writer& add(u8 byte) {
        if (position_ < encoding_.size()) encoding_[position_++] = byte;
        return *this;
    }
    Writer& add(const std::vector<u8>& bytes) {
        for (const u8 byte : bytes)
            add(byte);
        return *this;
    }
    [[nodiscard]] const Encoding& encoding() const { return encoding_; }

private:
    Encoding encoding_;
    unsigned position_{};
};

bool is_legacy_prefix(u8 byte) {
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3: return true;
    default: return false;
    }
}

struct LegacyMap {
    std::vector<u8> escape;
};

/// Where the ModRM byte is as good as an opcode.
bool modrm_is_opcode(unsigned map, unsigned opcode) {
    if (map == 0) return opcode >= 0xd8 && opcode <= 0xdf;
    return map == 1 && (opcode == 0x01 || opcode == 0xae || opcode == 0xc7);
}

std::vector<u8> sampled_modrms(Random& random) {
    std::vector<u8> out;
    for (unsigned reg = 0; reg < 8; ++reg) {
        out.push_back(static_cast<u8>(0xc0 | reg << 3 | (random() & 7)));
        out.push_back(static_cast<u8>((random() % 3) << 6 | reg << 3 | (random() & 7)));
    }
    return out;
}

} // namespace

void legacy_encodings(CodeSize size, Random& random, const Visitor& visit) {
    const std::vector<std::vector<u8>> escapes = {{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    std::vector<std::vector<u8>> prefixes = {{},           {0x66},       {0xf3},       {0xf2},
                                             {0x67},       {0x66, 0xf3}, {0x66, 0xf2}, {0xf2, 0x66},
                                             {0xf2, 0xf3}, {0xf3, 0xf2}, {0xf0},       {0xf0, 0x66},
                                             {0xf2, 0xf0}, {0x2e},       {0x66, 0x67}};
    if (size == CodeSize::Bits64) {
        for (const std::vector<u8>& p : std::initializer_list<std::vector<u8>>{{0x48},
                                                                               {0x4f},
                                                                               {0x44},
                                                                               {0x66, 0x48},
                                                                               {0xf3, 0x48},
                                                                               {0xf2, 0x4f},
                                                                               {0x48, 0x66},
                                                                               {0xf0, 0x48}})
            prefixes.push_back(p);
    }
    for (const std::vector<u8>& prefix : prefixes) {
        for (unsigned map = 0; map < escapes.size(); ++map) {
            for (unsigned opcode = 0; opcode < 256; ++opcode) {
                const bool all = prefix.empty() || modrm_is_opcode(map, opcode);
                if (all) {
                    for (unsigned modrm = 0; modrm < 256; ++modrm)
                        visit(Writer(random)
                                  .add(prefix)
                                  .add(escapes[map])
                                  .add(static_cast<u8>(opcode))
                                  .add(static_cast<u8>(modrm))
                                  .encoding());
                } else {
                    for (const u8 modrm : sampled_modrms(random))
                        visit(Writer(random)
                                  .add(prefix)
                                  .add(escapes[map])
                                  .add(static_cast<u8>(opcode))
                                  .add(modrm)
                                  .encoding());
                }
            }
        }
    }
}

void addressing_encodings(Random& random, const Visitor& visit) {
    for (const bool address_prefix : {false, true}) {
        for (unsigned modrm = 0; modrm < 256; ++modrm) {
            for (unsigned sib = 0; sib < 256; ++sib) {
                Writer w(random);
                if (address_prefix) w.add(0x67);
                visit(w.add(0x81).add(static_cast<u8>(modrm)).add(static_cast<u8>(sib)).encoding());
            }
        }
    }
}

void vector_encodings(bool evex, Random& random, const Visitor& visit) {
    struct Kind {
        u8 escape;
        u8 base; ///< The first payload byte without its map
        std::vector<u8> maps;
    };
    const std::vector<Kind> kinds =
        evex ? std::vector<Kind>{{0x62, 0xf0, {1, 2, 3, 5, 6}}}
             : std::vector<Kind>{{0xc4, 0xe0, {1, 2, 3}}, {0x8f, 0xe0, {8, 9, 10}}};
    for (const Kind& kind : kinds) {
        for (const u8 map : kind.maps) {
            for (unsigned n = 0; n < 256u * 4 * 2 * 4 * 3; ++n) {
                const unsigned opcode = n & 0xff;
                const unsigned pp = n >> 8 & 3;
                const unsigned w = n >> 10 & 1;
                const unsigned length = n >> 11 & 3;
                const unsigned form = n >> 13;
                if (!evex && length > 1) continue;
                Writer out(random);
                out.add(kind.escape).add(kind.base | map);
                if (evex)
                    out.add(static_cast<u8>(w << 7 | 0x7c | pp)).add(static_cast<u8>(length << 5 | 0x08));
                else
                    out.add(static_cast<u8>(w << 7 | 0x78 | length << 2 | pp));
                const u8 reg = static_cast<u8>((random() & 7) << 3);
                out.add(static_cast<u8>(opcode));
                if (form == 0) out.add(0xc1 | reg);
                if (form == 1) out.add(0x41 | reg);
                if (form == 2) out.add(0x04 | reg).add(0x91); // [ecx + edx * 4]
                visit(out.encoding());
            }
        }
    }
}

void random_vector_encodings(unsigned count, Random& random, const Visitor& visit) {
    for (unsigned n = 0; n < count; ++n) {
        Encoding e = noise(random);
        constexpr u8 kEscapes[] = {0xc4, 0xc5, 0x62, 0x8f};
        e[0] = kEscapes[n & 3];
        const bool rest = n & 4; // vvvv at rest, or nearly every encoding would be undefined
        switch (e[0]) {
        case 0xc4: e[1] = static_cast<u8>(0xc0 | (e[1] & 0x20) | (1 + e[1] % 3)); break;
        case 0xc5: e[1] |= 0xc0; break;
        case 0x62: e[1] = static_cast<u8>(0xc0 | (e[1] & 0x37)); break;
        default: e[1] = static_cast<u8>(0xe0 | (8 + e[1] % 3)); break;
        }
        if (rest) e[e[0] == 0xc5 ? 1 : 2] |= 0x78;
        if (e[0] == 0x62 && (n & 8)) {
            e[2] |= 4;
            e[3] = static_cast<u8>((e[3] & 0x67) | 8);
        }
        visit(e);
    }
}

void random_encodings(CodeSize size, unsigned count, Random& random, const Visitor& visit) {
    constexpr u8 kPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    for (unsigned n = 0; n < count; ++n) {
        Writer w(random);
        unsigned prefixes = random() % 4;
        if (random() % 8 == 0) prefixes = random() % 13;
        for (unsigned k = 0; k < prefixes; ++k)
            w.add(kPrefixes[random() % std::size(kPrefixes)]);
        if (size == CodeSize::Bits64 && random() % 4 == 0) w.add(static_cast<u8>(0x40 | (random() & 15)));
        u8 opcode = static_cast<u8>(random());
        while (is_legacy_prefix(opcode))
            opcode = static_cast<u8>(random());
        if (random() % 3 == 0) w.add(0x0f);
        visit(w.add(opcode).encoding());
    }
}

std::string hex(const u8* bytes, unsigned count) {
    std::string out;
    char buffer[4];
    for (unsigned n = 0; n < count; ++n) {
        std::snprintf(buffer, sizeof buffer, n == 0 ? "%02x" : " %02x", bytes[n]);
        out += buffer;
    }
    return out;
}

} // namespace btvm::test
