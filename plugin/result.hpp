// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cassert>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace ikefrag {

/// The reason a Result has no value; made by `fail`.
template <class E>
struct Failure {
    E error;
};

template <class E>
[[nodiscard]] constexpr Failure<std::decay_t<E>> fail(E&& error) {
    return {std::forward<E>(error)};
}

/// A value, or the reason there is none. The member names are std::expected's, whose place it keeps
/// until the project moves to C++23.
template <class T, class E>
class [[nodiscard]] Result {
public:
    constexpr Result(T value) : either_(std::in_place_index<0>, std::move(value)) {}
    constexpr Result(Failure<E> failure)
        : either_(std::in_place_index<1>, std::move(failure.error)) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return either_.index() == 0; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] constexpr T& operator*() & noexcept {
        assert(has_value());
        return *std::get_if<0>(&either_);
    }
    [[nodiscard]] constexpr const T& operator*() const& noexcept {
        assert(has_value());
        return *std::get_if<0>(&either_);
    }
    [[nodiscard]] constexpr T&& operator*() && noexcept {
        assert(has_value());
        return std::move(*std::get_if<0>(&either_));
    }
    [[nodiscard]] constexpr T* operator->() noexcept { return &**this; }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &**this; }
    [[nodiscard]] constexpr const E& error() const& noexcept {
        assert(!has_value());
        return *std::get_if<1>(&either_);
    }
    [[nodiscard]] constexpr E&& error() && noexcept {
        assert(!has_value());
        return std::move(*std::get_if<1>(&either_));
    }

private:
    std::variant<T, E> either_;
};

} // namespace ikefrag
