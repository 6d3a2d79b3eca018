// The loop of model and coder over the fronts of tiles.
#pragma once

#include <functional>
#include <vector>

#include "tile.hpp"

namespace ride {

// Called now and then with the pixels done since the last call, and in encoding their bits; what it throws ends the
// work.
using Tick = std::function<void(size_t pixels, double bits)>;

struct Code {
    const uint8_t* data;
    size_t size;
};

// Code planes [count, C, H, W]. `bits`: [count, H, W], filled with the code length of every pixel. `threads` share a
// front; codes are the same for any number of them.
std::vector<std::vector<uint8_t>> encode(const Plan& plan, const uint8_t* planes, const Parameters* parameters,
                                         const Shape& shape, int threads, float* bits, const Tick& tick);

// Decode into planes [count, C, H, W]. Throws Damaged for what are no codes of such tiles.
void decode(const Plan& plan, const Code* codes, const Parameters* parameters, const Shape& shape, int threads,
            uint8_t* planes, const Tick& tick);

}  // namespace ride
