// One tile: its ring of fronts, its scratch, and the loop of model and coder over its fronts.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "plan.hpp"

namespace ride {

// Called now and then with the pixels done since the last call, and in encoding their bits; what it throws ends the
// work.
using Tick = std::function<void(size_t pixels, double bits)>;
// Integers of a tile, by parameter.
using Parameters = std::vector<std::vector<int32_t>>;

// Bytes that a tile of this size takes. Throws std::length_error where they are not to be counted.
size_t tile_bytes(const Plan& plan, int height, int width);

// Code planes [C, H, W]. `bits`: [H, W], filled with the code length of every pixel.
std::vector<uint8_t> encode(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height,
                            int width, float* bits, const Tick& tick);

// Decode into planes [C, H, W]. Throws Damaged for what is no code of such a tile.
void decode(const Plan& plan, const uint8_t* code, size_t size, const Parameters& parameters, int height, int width,
            uint8_t* planes, const Tick& tick);

// Every value at one pixel, given the planes. The plan keeps every value.
std::vector<std::vector<int64_t>> trace(const Plan& plan, const uint8_t* planes, const Parameters& parameters,
                                        int height, int width, int y, int x);

// Sums of weight * v * v over the pixels of every `every`-th pair of rows, apart for each group. The plan's wanted
// values are the group, the weight, and the vectors v, each for itself.
struct Squares {
    std::vector<double> pixels;             // [groups]
    std::vector<std::vector<double>> sums;  // of each vector [groups, n, n]
};
Squares squares(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height, int width,
                int groups, int every);

}  // namespace ride
