// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

// The only file that includes Asio: one place for what its version needs.
#include <boost/asio.hpp>

#include <utility>

namespace ikefrag {
namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
} // namespace ikefrag
