// SPDX-License-Identifier: GPL-2.0-or-later
// Memory that is true: what the gate says it has allocated is what the allocator gave it, to the
// byte. This program counts every operator new; so it is one of its own.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <random>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

std::size_t in_use = 0; ///< bytes asked for and not given back

/// In front of each allocation: its size.
constexpr std::size_t header = alignof(std::max_align_t);

void* take(std::size_t size) {
    auto* const block = static_cast<std::byte*>(std::malloc(header + size));
    if (block == nullptr) throw std::bad_alloc();
    new (block) std::size_t(size);
    in_use += size;
    return block + header;
}

void give_back(void* pointer) noexcept {
    if (pointer == nullptr) return;
    auto* const block = static_cast<std::byte*>(pointer) - header;
    in_use -= *std::launder(reinterpret_cast<std::size_t*>(block));
    std::free(block);
}

} // namespace

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void operator delete(void* pointer) noexcept { give_back(pointer); }
void operator delete[](void* pointer) noexcept { give_back(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { give_back(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { give_back(pointer); }

namespace {

/// A gate, and what it took from the allocator since it began.
class Weighed {
public:
    explicit Weighed(Policy policy)
        : policy_(std::make_shared<const Policy>(std::move(policy))), before_(in_use),
          gate_(policy_, {7}) {}

    void feed(const Buffer& bytes, TimePoint now) {
        // The output is the caller's: it is made and freed around each call.
        GateOutput out;
        Packet packet;
        packet.id.value = ++number_;
        packet.bytes = bytes;
        gate_.feed(packet, now, out);
    }
    void expire(TimePoint now) {
        GateOutput out;
        gate_.expire(now, out);
    }
    [[nodiscard]] std::size_t allocated() const noexcept { return in_use - before_; }
    [[nodiscard]] std::size_t accounted() const noexcept {
        const auto memory = gate_.memory();
        return memory.fixed_bytes + memory.reserved_bytes;
    }
    [[nodiscard]] Gate& gate() noexcept { return gate_; }

private:
    std::shared_ptr<const Policy> policy_;
    std::size_t before_;
    Gate gate_;
    std::uint32_t number_ = 0;
};

/// An attacker's fragment number i: heads, tails and middles of many datagrams of many sources.
Buffer hostile(std::mt19937& random, std::uint32_t piece_bytes) {
    auto flow = random() % 4 == 0 ? flow6() : flow4();
    for (std::size_t at = 1; at < 4; ++at)
        flow.ends.source.bytes[at] = static_cast<std::uint8_t>(random());
    if (random() % 5 == 0) flow = reversed(flow);
    // Made once, before anything is weighed; no flow's checksum is right, as none is ever whole.
    static const auto payload = udp(flow4(), ike_auth(16'000));
    const auto begin = random() % 3 == 0 ? 0 : static_cast<std::uint32_t>(random() % 1'800 * 8);
    return fragment(flow.ends,
                    payload,
                    begin,
                    begin + piece_bytes,
                    1 + static_cast<std::uint32_t>(random() % 4));
}

} // namespace

TEST_CASE("memory: accounted bytes are allocated bytes, empty and after a storm", "[memory]") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    auto policy = shipped_policy(GENERATE(Mode::guard, Mode::exclusive));
    (void)hostile(random, 8);
    Weighed weighed(policy);
    CHECK(weighed.accounted() == weighed.allocated());
    auto now = start_of_script;
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        now += 200us;
        weighed.feed(hostile(random, 8 + 8 * static_cast<std::uint32_t>(random() % 150)), now);
        if (i % 500 == 0) REQUIRE(weighed.accounted() == weighed.allocated());
        REQUIRE(weighed.allocated() <= policy.limits.table_bytes);
    }
    CHECK(weighed.gate().counters().evictions.get() > 0);
    weighed.expire(now + 10s);
    CHECK(weighed.gate().memory().held_bytes == 0);
    CHECK(weighed.accounted() == weighed.allocated());
    // Once the most was held, nothing allocates any more.
    const auto settled = weighed.allocated();
    for (std::uint32_t i = 0; i < 2'000; ++i) {
        now += 50ms;
        weighed.feed(hostile(random, 808), now);
    }
    CHECK(weighed.allocated() == settled);
}

TEST_CASE("memory: an output that told of many losses at once gives back what it took",
          "[memory]") {
    const auto before = in_use;
    GateOutput out;
    for (int i = 0; i < 64; ++i) (void)out.room_for(100'000);
    CHECK(in_use - before > std::size_t{6} * 1024 * 1024);
    out.clear();
    const auto kept = in_use - before;
    CHECK(kept <= std::size_t{600} * 1024);
    for (int i = 0; i < 4; ++i) (void)out.room_for(100'000); // and what it kept is used again
    CHECK(in_use - before == kept);
}

TEST_CASE("memory: a new policy is accounted for, and gives back what it replaced", "[memory]") {
    Weighed weighed(shipped_policy());
    std::vector<PolicyPointer> alive; // the policies are the caller's, and not what is weighed
    alive.reserve(20);
    for (std::uint32_t round = 1; round <= 20; ++round) {
        auto policy = shipped_policy();
        for (std::uint32_t i = 0; i < round % 7; ++i)
            policy.rules.push_back(
                rule("more" + std::to_string(i), PacketClass::other, Action::leave));
        policy.limits.table_datagrams = 100 * round;
        alive.push_back(std::make_shared<const Policy>(std::move(policy)));
        const auto allocated = weighed.allocated();
        const auto accounted = weighed.accounted();
        weighed.gate().set_policy(alive.back());
        CHECK(static_cast<std::ptrdiff_t>(weighed.accounted() - accounted) ==
              static_cast<std::ptrdiff_t>(weighed.allocated() - allocated));
    }
}

TEST_CASE("memory: floods of ever other shapes stay below the cap", "[memory]") {
    // With the shipped limits the packets held are the bound. Where bytes are, what is kept stays
    // (each kind of block its own high water), and not even all shapes in turn pass the cap.
    const bool shipped = GENERATE(true, false);
    std::mt19937 random(1);
    auto policy = shipped_policy();
    if (!shipped) {
        policy.limits.table_bytes = 4u << 20;
        policy.limits.table_datagrams = 100'000;
        policy.limits.table_packets = 100'000;
        policy.limits.source_datagrams = 64;
        policy.limits.source_packets = 10'000;
        policy.limits.source_bytes = 1u << 20;
    }
    (void)hostile(random, 8);
    Weighed weighed(policy);
    auto now = start_of_script;
    const auto storm = [&](std::uint32_t bytes, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            now += 10us;
            weighed.feed(hostile(random, bytes), now);
        }
    };
    for (const std::uint32_t bytes : {1'400u, 8u, 800u, 48u, 1'400u}) {
        storm(bytes, 10'000);
        CHECK(weighed.accounted() == weighed.allocated());
        const auto memory = weighed.gate().memory();
        CHECK(memory.fixed_bytes + memory.held_bytes <= policy.limits.table_bytes);
        CHECK(weighed.allocated() <= policy.limits.table_bytes);
    }
}
