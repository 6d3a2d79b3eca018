// Values of a program where no code is made: all at one pixel, or sums over a tile.
#pragma once

#include <vector>

#include "tile.hpp"

namespace ride {

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
