// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/protocol.hpp"
#include "plugin/address.hpp"
#include "plugin/words.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// A request's arguments, read one by one: each with its type, and none left over. What is wrong
/// collects; ask for error() once all are read.
class ControlArguments {
public:
    explicit ControlArguments(const boost::json::object& arguments) : arguments_(arguments) {}

    [[nodiscard]] std::optional<std::string> text(std::string_view name);
    [[nodiscard]] std::string required_text(std::string_view name);
    [[nodiscard]] bool flag(std::string_view name);
    /// Of list commands: 1..100 000, 1000 if absent.
    [[nodiscard]] std::size_t limit();
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name);
    [[nodiscard]] std::optional<IpAddress> address(std::string_view name);
    /// A word of one of the closed vocabularies.
    template <class E>
    std::optional<E> word(std::string_view name) {
        const auto value = text(name);
        if (!value) return std::nullopt;
        const auto parsed = parse_word<E>(*value);
        if (!parsed) {
            std::string known;
            for (const auto& word : words<E>())
                known += (known.empty() ? "one of " : ", ") + std::string(word.text);
            wrong(name, known);
        }
        return parsed;
    }

    /// The first mistake, an unknown argument included; empty when all is well.
    [[nodiscard]] std::optional<ControlError> error();

private:
    const boost::json::value* find(std::string_view name);
    void wrong(std::string_view name, std::string_view expected);

    const boost::json::object& arguments_;
    std::vector<std::string> known_;
    std::string message_;
};

} // namespace ikefrag
