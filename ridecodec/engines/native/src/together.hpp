// Which equal tiles are coded side by side, and by how many threads.
#pragma once

#include "tile.hpp"

namespace ride {

// How many tiles stand side by side at most: as many as fill a front's lanes.
int most_together(const Plan& plan, int height, int width);

// How many of `count` tiles are coded together, from the first on: a power of two.
int together(int count, int most);

// How many of so many threads tiles can use.
int useful_threads(const Plan& plan, const Shape& shape, int threads);

}  // namespace ride
