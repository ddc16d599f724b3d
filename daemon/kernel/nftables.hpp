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
    /// Both without the elements of named sets, of which a firewall may have millions
    enum class Output { json, text };

    /// In: json: with numbers for names; text: priorities as numbers, rules with their handles
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
