// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {

/// An open file read front to back through one large buffer. Files and pipes alike; no mapping,
/// because a mapped file that shrinks kills its reader.
class ByteSource {
public:
    /// In: `descriptor` is taken over and closed at the end.
    explicit ByteSource(int descriptor);
    ~ByteSource();
    ByteSource(ByteSource&& other) noexcept;
    ByteSource& operator=(ByteSource&&) = delete;

    /// The next `count` bytes without taking them; fewer where the file ends first.
    /// Out:     valid until the next call
    /// Bounds:  the buffer grows to `count`, which the caller bounds
    [[nodiscard]] Bytes peek(std::size_t count);
    /// Takes bytes that peek() has shown.
    void take(std::size_t count) noexcept;
    /// Passes over bytes. Out: false where the file ends first.
    bool skip(std::uint64_t count);
    /// Copies up to `count` of the next bytes and takes them. Out: how many; 0 at the end.
    std::size_t read(std::uint8_t* to, std::size_t count);
    /// errno of the read that failed; 0 for a file that simply ended.
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    bool fill(std::size_t wanted);

    int descriptor_ = -1;
    int error_ = 0;
    std::vector<std::uint8_t> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

} // namespace ikefrag
