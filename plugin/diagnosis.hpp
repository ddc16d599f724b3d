// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/handshake.hpp"
#include "plugin/shared_list.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ikefrag {

/// A row of the catalogue (DIAGNOSES §1.6): the product's vocabulary. CLI, JSON, metrics, manual
/// and docs come from it.
struct Diagnosis {
    std::string_view id;   ///< "D04"
    std::string_view slug; ///< "auth_partial_ipfrag"
    FindingKind kind = FindingKind::failure;
    Severity severity = Severity::warning;
    std::span<const Actor> actors; ///< those it may name; the first is the usual one
    std::string_view says;         ///< one line, for tables
    std::string_view sentence;     ///< what happened; `{name}` stands for a fact of the attempt
    std::string_view remedy;   ///< what to change; `{name}` as above, or a stack's exact command
    std::string_view meaning;  ///< a paragraph for the manual: signals, thresholds
    std::string_view not_when; ///< what looks like it and is not; what would disprove it
};

[[nodiscard]] std::span<const Diagnosis> catalogue() noexcept;
[[nodiscard]] const Diagnosis* find_diagnosis(std::string_view id_or_slug) noexcept;

/// How to turn IKE fragmentation on at a server of this vendor hint: the exact command; with none
/// known, the likely stacks.
[[nodiscard]] std::string server_fragmentation_switch(std::string_view vendor);
/// How to set the size of IKE fragments. In: mtu: size of the whole IP packet
[[nodiscard]] std::string fragment_size_switch(std::string_view vendor, std::size_t mtu);

/// One diagnosis of one attempt.
struct Finding {
    const Diagnosis* diagnosis = nullptr;
    Severity severity = Severity::warning;
    Confidence confidence = Confidence::medium;
    Actor actor = Actor::unknown;
    std::uint64_t handshake = 0; ///< Handshake::number; 0: none (server-wide)
    std::optional<Spi> initiator_spi;
    IpAddress client;
    IpAddress server;
    std::optional<std::size_t> server_index;
    TimePoint opened;
    TimePoint updated;
    bool closed = false;    ///< the attempt's outcome is final
    bool withdrawn = false; ///< closed because it did not hold: the attempt went on well,
                            ///< or a more specific diagnosis took its place
    std::string sentence;   ///< what happened, in one sentence
    std::string remedy;     ///< who must change what: the exact command where known
    /// Each cites message, time, size. Store, events and reports share it.
    SharedList<std::string> evidence;
};

/// Rules of this host that drop trailing IP fragments behind our hook, by Family; empty: none.
using FragmentDrops = std::array<std::string, count_of<Family>>;

} // namespace ikefrag
