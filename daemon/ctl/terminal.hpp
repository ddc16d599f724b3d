// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace ikefrag::ctl {

enum class Colour : std::uint8_t { bold, dim, red, yellow, green };

/// Where a command's output goes. What it writes for people may have colours; bytes of strangers
/// must have gone through escape_terminal before.
class Terminal {
public:
    Terminal(std::FILE* out, std::FILE* err) : out_(out), err_(err) {}

    bool json = false;
    bool colour = false;
    bool quiet = false; ///< no output for people on success

    /// A result: to standard output as it is.
    void write(std::string_view text) const;
    /// Output for people; nothing when quiet.
    void say(std::string_view text) const;
    /// A trouble, on one line of standard error, after the program's name.
    void complain(std::string_view text) const;
    /// The text in a colour, where colours are wanted.
    [[nodiscard]] std::string paint(Colour colour, std::string_view text) const;
    [[nodiscard]] std::FILE* out() const noexcept { return out_; }
    [[nodiscard]] std::FILE* err() const noexcept { return err_; }
    /// Whether all output has reached its place (a full disk, a closed pipe).
    [[nodiscard]] bool flush() const;

private:
    std::FILE* out_;
    std::FILE* err_;
};

} // namespace ikefrag::ctl
