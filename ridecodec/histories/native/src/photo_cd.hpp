// Photo CD's colours and its chroma, as ridecodec/histories/photo_cd_colours.py and photo_cd_chroma.py define them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ride::histories {

// Planes of a colour picture, one after another.
struct Picture {
    const uint8_t* samples;
    int64_t height, width;

    const uint8_t* at(int64_t y, int64_t x) const { return samples + y * width + x; }
    int64_t pixels() const { return height * width; }
};

// The least and the greatest Y with which chroma gives each pixel.
void ranges(const Picture& picture, const uint8_t* first, const uint8_t* second, int32_t* low, int32_t* high);

// C1 and C2 of each pixel, and whether they are known.
void invert(const Picture& picture, int32_t* first, int32_t* second, bool* known);

// Planes of chroma, and the pixel that has their first sample.
struct Halves {
    const int32_t* planes[2];
    int64_t height, width, top, left;
};

// Samples [n], what they are now [2, n], and which of the nine pixels around count [9, n].
struct Tried {
    const int64_t *y, *x;
    const int32_t* start;
    const bool* there;
    size_t count;
};

// The best of some steps [n, 2] from the start, for each sample: [2, n].
void best(const Picture& picture, const Halves& halves, const Tried& tried, const int32_t* steps, size_t count,
          int32_t* found);

}  // namespace ride::histories
