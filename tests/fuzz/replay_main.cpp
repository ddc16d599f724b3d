// SPDX-License-Identifier: GPL-2.0-or-later
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// Runs the target over each file named, then over random inputs, two thousand or five seconds of
/// them: a smoke where there is no libFuzzer.
int main(int count, char** arguments) {
    for (int i = 1; i < count; ++i) {
        std::ifstream file(arguments[i], std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "%s: cannot be read\n", arguments[i]);
            return 1;
        }
        const std::vector<char> read((std::istreambuf_iterator<char>(file)), {});
        const std::vector<std::uint8_t> bytes(read.begin(), read.end());
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::mt19937 random(1);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (int i = 0; i < 2'000 && std::chrono::steady_clock::now() < end; ++i) {
        std::vector<std::uint8_t> bytes(random() % 300);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    return 0;
}
