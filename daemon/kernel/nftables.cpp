// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/nftables.hpp"

#include <nftables/libnftables.h>

#include <new>

namespace ikefrag {

void Nftables::Free::operator()(nft_ctx* context) const noexcept { nft_ctx_free(context); }

Nftables::Nftables(Output output) : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
    if (!context_ || nft_ctx_buffer_output(context_.get()) != 0 ||
        nft_ctx_buffer_error(context_.get()) != 0)
        throw std::bad_alloc();
    nft_ctx_output_set_flags(context_.get(),
                             NFT_CTX_OUTPUT_TERSE |
                                 (output == Output::json
                                      ? NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL
                                      : NFT_CTX_OUTPUT_NUMERIC_PRIO | NFT_CTX_OUTPUT_HANDLE));
}

Result<std::string, std::string> Nftables::run(const std::string& text, Run run) {
    nft_ctx_set_dry_run(context_.get(), run == Run::dry);
    const int status = nft_run_cmd_from_buffer(context_.get(), text.c_str());
    std::string output = nft_ctx_get_output_buffer(context_.get());
    std::string error = nft_ctx_get_error_buffer(context_.get());
    if (status != 0) return fail(error.empty() ? std::string("nftables refused it") : error);
    return output;
}

} // namespace ikefrag
