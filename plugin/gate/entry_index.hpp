// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {

/// Finds T by T::key through T::hash: open addressing, linear probing, at most three eighths full,
/// so that a search looks at fewer than two places on average. Owns nothing.
template <class T>
class EntryIndex {
public:
    /// Makes room for `count` at once. Never shrinks.
    void reserve(std::size_t count) {
        const auto places = std::bit_ceil(count * 8 / 3 + 8);
        if (places <= slots_.size()) return;
        const auto before = std::move(slots_);
        slots_.assign(places, {});
        slots_.shrink_to_fit();
        mask_ = places - 1;
        for (const auto& slot : before)
            if (slot.value != nullptr) place(slot);
    }

    template <class Key>
    [[nodiscard]] T* find(std::uint64_t hash, const Key& key) const noexcept {
        ++searches_;
        for (auto at = hash & mask_;; at = (at + 1) & mask_) {
            ++probes_;
            const auto& slot = slots_[at];
            if (slot.value == nullptr) return nullptr;
            if (slot.hash == hash && slot.value->key == key) return slot.value;
        }
    }

    void insert(T* value) noexcept {
        assert(count_ * 8 < slots_.size() * 3);
        ++count_;
        place({.hash = value->hash, .value = value});
    }

    /// In: `before` is in the index; `after` has its key.
    void replace(const T* before, T* after) noexcept { slots_[where(before)].value = after; }

    void erase(const T* value) noexcept {
        auto hole = where(value);
        --count_;
        // Draws up what was pushed past the hole, so that no search ends too early.
        for (auto at = (hole + 1) & mask_; slots_[at].value != nullptr; at = (at + 1) & mask_) {
            const auto home = slots_[at].hash & mask_;
            if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole] = {};
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] std::size_t allocated_bytes() const noexcept {
        return slots_.capacity() * sizeof(Slot);
    }
    void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&slots_[hash & mask_]); }
    /// The value that stands in the hash's own place, right or not: what a search most likely reads
    /// next.
    [[nodiscard]] const T* guess(std::uint64_t hash) const noexcept {
        return slots_[hash & mask_].value;
    }

    [[nodiscard]] std::uint64_t searches() const noexcept { return searches_; }
    [[nodiscard]] std::uint64_t probes() const noexcept { return probes_; }

private:
    struct Slot {
        std::uint64_t hash = 0;
        T* value = nullptr;
    };

    void place(const Slot& slot) noexcept {
        auto at = slot.hash & mask_;
        while (slots_[at].value != nullptr) at = (at + 1) & mask_;
        slots_[at] = slot;
    }

    [[nodiscard]] std::size_t where(const T* value) const noexcept {
        auto at = value->hash & mask_;
        while (slots_[at].value != value) {
            assert(slots_[at].value != nullptr);
            at = (at + 1) & mask_;
        }
        return at;
    }

    std::vector<Slot> slots_;
    std::size_t mask_ = 0;
    std::size_t count_ = 0;
    mutable std::uint64_t searches_ = 0;
    mutable std::uint64_t probes_ = 0;
};

} // namespace ikefrag
