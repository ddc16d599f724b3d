// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/result.hpp"

#include <memory>
#include <string>

struct nft_ctx;

namespace ikefrag {

/// libnftables, for the text only it understands. One thread.
class Nftables {
public:
    enum class Run { for_real, dry };
    /// text: without the elements of named sets, of which a firewall may have millions
    enum class Output { json, text };

    /// In: text: as `nft -y` prints it, with priorities as numbers
    explicit Nftables(Output output = Output::json);

    /// Runs nft text as one transaction. Out: what it printed
    /// Errors:  libnftables' own words
    Result<std::string, std::string> run(const std::string& text, Run run = Run::for_real);

private:
    struct Free {
        void operator()(nft_ctx* context) const noexcept;
    };
    std::unique_ptr<nft_ctx, Free> context_;
};

} // namespace ikefrag
