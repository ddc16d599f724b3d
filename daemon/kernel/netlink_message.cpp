// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/netlink_message.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>

#include <cassert>

namespace ikefrag {

nlmsghdr*
MessageWriter::begin(int subsystem, int type, int flags, int family, std::uint16_t resource) {
    assert(buffer_.size() - used_ >= 1024);
    nlmsghdr* message = mnl_nlmsg_put_header(buffer_.data() + used_);
    message->nlmsg_type = static_cast<std::uint16_t>(subsystem << 8 | type);
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    message->nlmsg_seq = ++sequence_;
    auto* family_header =
        static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
    family_header->nfgen_family = static_cast<std::uint8_t>(family);
    family_header->version = NFNETLINK_V0;
    family_header->res_id = htons(resource);
    return message;
}

} // namespace ikefrag
