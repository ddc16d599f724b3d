// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/terminal.hpp"

#include <array>

namespace ikefrag::ctl {

void Terminal::write(std::string_view text) const {
    std::fwrite(text.data(), 1, text.size(), out_);
}

void Terminal::say(std::string_view text) const {
    if (!quiet) write(text);
}

void Terminal::complain(std::string_view text) const {
    std::fprintf(err_, "ikefragctl: %.*s\n", static_cast<int>(text.size()), text.data());
}

std::string Terminal::paint(Colour which, std::string_view text) const {
    if (!colour) return std::string(text);
    static constexpr std::array<std::string_view, 5> codes{"1", "2", "31", "33", "32"};
    std::string painted = "\x1b[";
    painted += codes[static_cast<std::size_t>(which)];
    painted += 'm';
    painted += text;
    painted += "\x1b[0m";
    return painted;
}

bool Terminal::flush() const { return std::fflush(out_) == 0 && std::ferror(out_) == 0; }

} // namespace ikefrag::ctl
