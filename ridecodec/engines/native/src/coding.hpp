// The loop of model and coder over a tile's fronts.
#pragma once

#include <functional>
#include <vector>

#include "tile.hpp"

namespace ride {

// Called now and then with the pixels done since the last call, and in encoding their bits; what it throws ends the
// work.
using Tick = std::function<void(size_t pixels, double bits)>;

// Code planes [C, H, W]. `bits`: [H, W], filled with the code length of every pixel.
std::vector<uint8_t> encode(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height,
                            int width, float* bits, const Tick& tick);

// Decode into planes [C, H, W]. Throws Damaged for what is no code of such a tile.
void decode(const Plan& plan, const uint8_t* code, size_t size, const Parameters& parameters, int height, int width,
            uint8_t* planes, const Tick& tick);

}  // namespace ride
