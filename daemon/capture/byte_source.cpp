// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/byte_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ikefrag {

namespace {
constexpr std::size_t buffer_bytes = 1u << 20;
} // namespace

ByteSource::ByteSource(int descriptor) : descriptor_(descriptor), buffer_(buffer_bytes) {}

ByteSource::~ByteSource() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), error_(other.error_),
      buffer_(std::move(other.buffer_)), begin_(other.begin_), end_(other.end_) {}

bool ByteSource::fill(std::size_t wanted) {
    if (buffer_.size() - begin_ < wanted) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        if (buffer_.size() < wanted) buffer_.resize(wanted);
    }
    while (end_ - begin_ < wanted) {
        const ssize_t got = ::read(descriptor_, buffer_.data() + end_, buffer_.size() - end_);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) error_ = errno;
        if (got <= 0) return false;
        end_ += static_cast<std::size_t>(got);
    }
    return true;
}

Bytes ByteSource::peek(std::size_t count) {
    if (end_ - begin_ < count) fill(count);
    return {buffer_.data() + begin_, std::min(count, end_ - begin_)};
}

void ByteSource::take(std::size_t count) noexcept {
    assert(count <= end_ - begin_);
    begin_ += count;
}

bool ByteSource::skip(std::uint64_t count) {
    while (count > 0) {
        const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer_bytes));
        const auto got = peek(step).size();
        take(got);
        if (got < step) return false;
        count -= step;
    }
    return true;
}

std::size_t ByteSource::read(std::uint8_t* to, std::size_t count) {
    const auto bytes = peek(std::min(count, buffer_bytes));
    std::copy(bytes.begin(), bytes.end(), to);
    take(bytes.size());
    return bytes.size();
}

} // namespace ikefrag
