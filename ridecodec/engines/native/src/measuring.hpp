// Values of a program where no code is made: all at one pixel, or some at all pixels.
#pragma once

#include <vector>

#include "tile.hpp"

namespace ride {

// Every value at one pixel, given the planes. The plan keeps every value.
std::vector<std::vector<int64_t>> trace(const Plan& plan, const uint8_t* planes, const Parameters& parameters,
                                        int height, int width, int y, int x);

// The plan's wanted values at all pixels, given the planes: [rows of all of them, height, width].
void values(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height, int width, int32_t* out);

}  // namespace ride
