// SPDX-License-Identifier: GPL-2.0-or-later
// Boost.JSON is used header-only: this file is its one compilation.
#include <boost/json/src.hpp>
