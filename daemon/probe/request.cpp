// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/request.hpp"

#include <algorithm>
#include <cassert>
#include <span>

namespace ikefrag::probe {

namespace {

using Out = std::vector<std::uint8_t>;

// Numbers of RFC 7296 §3 and the IANA registry.
constexpr std::uint8_t payload_none = 0;
constexpr std::uint8_t payload_sa = 33;
constexpr std::uint8_t payload_ke = 34;
constexpr std::uint8_t payload_nonce = 40;
constexpr std::uint8_t payload_notify = 41;
constexpr std::uint8_t payload_vendor = 43;
constexpr std::uint8_t exchange_init = 34;
constexpr std::uint8_t flag_initiator = 0x08;
constexpr std::uint16_t notify_cookie = 16390;
constexpr std::uint16_t notify_fragmentation = 16430;
constexpr std::uint16_t notify_padding = 61'440;

void u16(Out& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void u32(Out& out, std::size_t value) {
    u16(out, value >> 16 & 0xffff);
    u16(out, value & 0xffff);
}

void set_u16(Out& out, std::size_t at, std::size_t value) {
    out[at] = static_cast<std::uint8_t>(value >> 8);
    out[at + 1] = static_cast<std::uint8_t>(value);
}

void append(Out& out, std::span<const std::uint8_t> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

/// x coordinate, then y, of the curve's generator: a valid point with a known secret.
/// Source: RFC 5903 §3
constexpr std::array<std::uint8_t, 64> generator_256{
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};
constexpr std::array<std::uint8_t, 96> generator_384{
    0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20, 0xad, 0x74,
    0x6e, 0x1d, 0x3b, 0x62, 0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0, 0x82, 0x54, 0x2a, 0x38,
    0x55, 0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c, 0x3a, 0x54, 0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7,
    0x36, 0x17, 0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f, 0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29,
    0xf8, 0xf4, 0x1d, 0xbd, 0x28, 0x9a, 0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0,
    0x0a, 0x60, 0xb1, 0xce, 0x1d, 0x7e, 0x81, 0x9d, 0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f,
};

/// Size of a MODP group's public value. Source: RFC 3526 §2-7, RFC 2409 §6.2
constexpr std::size_t modp_bytes(std::uint16_t group) noexcept {
    switch (group) {
    case 2: return 128;
    case 5: return 192;
    case 14: return 256;
    case 15: return 384;
    case 16: return 512;
    case 17: return 768;
    case 18: return 1024;
    default: return 0;
    }
}

/// A public value that is valid in its group.
Out public_value(std::uint16_t group) {
    if (group == 19) return {generator_256.begin(), generator_256.end()};
    if (group == 20) return {generator_384.begin(), generator_384.end()};
    if (group == 31) { // the base point
        Out value(32, 0);
        value[0] = 9;
        return value;
    }
    // Less than the prime, whose first 64 bits are ones, and no power of two.
    Out value(modp_bytes(group), 0x5a);
    return value;
}

void transform(Out& out, std::uint8_t type, std::uint16_t id, std::uint16_t key_bits, bool last) {
    out.push_back(last ? 0 : 3);
    out.push_back(0);
    u16(out, key_bits == 0 ? 8 : 12);
    out.push_back(type);
    out.push_back(0);
    u16(out, id);
    if (key_bits == 0) return;
    u16(out, 0x800e); // key length, in place
    u16(out, key_bits);
}

struct Transform {
    std::uint8_t type;
    std::uint16_t id;
    std::uint16_t key_bits;
};

void proposal(Out& out, std::uint8_t number, bool last, std::span<const Transform> transforms) {
    const std::size_t start = out.size();
    out.push_back(last ? 0 : 2);
    out.push_back(0);
    u16(out, 0);
    out.push_back(number);
    out.push_back(1); // IKE
    out.push_back(0);
    out.push_back(static_cast<std::uint8_t>(transforms.size()));
    for (std::size_t i = 0; i < transforms.size(); ++i)
        transform(out,
                  transforms[i].type,
                  transforms[i].id,
                  transforms[i].key_bits,
                  i + 1 == transforms.size());
    set_u16(out, start + 2, out.size() - start);
}

/// What most servers accept one of. With the group a server asked for, only that one: the message
/// stays below 548 octets and so below any link's MTU.
Out security_association(std::uint16_t group) {
    std::vector<Transform> groups;
    if (group != 31) {
        groups.push_back({4, group, 0});
    } else {
        groups = {
            {4, 31, 0},
            {4, 19, 0},
            {4, 20, 0},
            {4, 14, 0},
            {4, 15, 0},
            {4, 16, 0},
            {4, 5,  0},
            {4, 2,  0}
        };
    }
    // AES-CBC 256, 128 and 3DES; PRF and integrity SHA-2 256, 384 and SHA-1
    std::vector<Transform> classic{
        {1, 12, 256},
        {1, 12, 128},
        {1, 3,  0  },
        {2, 5,  0  },
        {2, 6,  0  },
        {2, 2,  0  },
        {3, 12, 0  },
        {3, 13, 0  },
        {3, 2,  0  }
    };
    // AES-GCM 256 and 128 with 16 octets of ICV
    std::vector<Transform> aead{
        {1, 20, 256},
        {1, 20, 128},
        {2, 5,  0  },
        {2, 6,  0  },
        {2, 7,  0  }
    };
    classic.insert(classic.end(), groups.begin(), groups.end());
    aead.insert(aead.end(), groups.begin(), groups.end());
    Out out;
    proposal(out, 1, false, classic);
    proposal(out, 2, true, aead);
    return out;
}

/// Payloads one after the other; each learns the next one's type when that is added.
class Payloads {
public:
    explicit Payloads(Out& message) : message_(message) {}

    void add(std::uint8_t type, std::span<const std::uint8_t> body) {
        message_[next_at_] = type;
        next_at_ = message_.size();
        message_.push_back(payload_none);
        message_.push_back(0);
        u16(message_, body.size() + 4);
        append(message_, body);
    }
    void notify(std::uint16_t type, std::span<const std::uint8_t> data) {
        Out body{0, 0};
        u16(body, type);
        append(body, data);
        add(payload_notify, body);
    }

private:
    Out& message_;
    std::size_t next_at_ = 16;
};

Out header(const Spi& spi, std::uint8_t version) {
    Out out(spi.begin(), spi.end());
    out.resize(16, 0);
    out.push_back(payload_none);
    out.push_back(version);
    out.push_back(exchange_init);
    out.push_back(flag_initiator);
    u32(out, 0);
    u32(out, 0);
    return out;
}

void set_length(Out& message) {
    set_u16(message, 24, message.size() >> 16);
    set_u16(message, 26, message.size() & 0xffff);
}

} // namespace

bool knows_group(std::uint16_t group) noexcept {
    return group == 19 || group == 20 || group == 31 || modp_bytes(group) != 0;
}

Out encode_init(const InitRequest& request) {
    assert(knows_group(request.group));
    Out message = header(request.spi, 0x20);
    Payloads payloads(message);
    if (!request.cookie.empty()) payloads.notify(notify_cookie, request.cookie);
    payloads.add(payload_sa, security_association(request.group));
    Out key;
    u16(key, request.group);
    u16(key, 0);
    append(key, public_value(request.group));
    payloads.add(payload_ke, key);
    payloads.add(payload_nonce, request.nonce);
    payloads.notify(notify_fragmentation, {});
    // Status notifies of the private range must be ignored (RFC 7296 §3.10.1) and, unlike vendor
    // IDs, are not written out in a server's log. None is so large that a fixed buffer would not
    // hold it.
    constexpr std::size_t largest = 512;
    constexpr std::size_t smallest = 8;
    while (message.size() + smallest <= request.bytes) {
        const std::size_t missing = request.bytes - message.size();
        std::size_t size = std::min(missing, largest);
        if (missing - size != 0 && missing - size < smallest) size -= smallest;
        payloads.notify(notify_padding, Out(size - smallest, 0));
    }
    set_length(message);
    return message;
}

Out encode_version3(const Spi& spi, std::size_t bytes) {
    assert(bytes >= smallest_version3);
    Out message = header(spi, 0x30);
    Payloads(message).add(payload_vendor, Out(bytes - message.size() - 4, 0));
    set_length(message);
    return message;
}

} // namespace ikefrag::probe
