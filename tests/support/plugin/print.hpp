// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/words.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <type_traits>

/// Failures show words and addresses, not numbers.
namespace Catch {

template <class E>
requires(std::is_enum_v<E>&& ikefrag::count_of<E> > 0) struct StringMaker<E> {
    static std::string convert(E value) { return std::string(ikefrag::to_string(value)); }
};

template <>
struct StringMaker<ikefrag::IpAddress> {
    static std::string convert(const ikefrag::IpAddress& address) {
        return ikefrag::to_string(address);
    }
};

} // namespace Catch
