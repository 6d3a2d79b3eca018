// Smooth samples of a plane spread over pixels, as ridecodec/histories/sampling.py defines it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ride::histories {

// Pixels along an axis, counted from the first sample of the plane, and the samples [begin, end) that are at hand.
struct Line {
    int64_t first, length, samples, begin, end;
    bool smooth;

    int64_t near(int64_t pixel) const { return (smooth ? pixel / 2 : pixel) - begin; }
    int64_t beside(int64_t pixel) const {
        const int64_t at = pixel / 2 + 2 * (pixel % 2) - 1;
        return (at < 0 ? 0 : at >= samples ? samples - 1 : at) - begin;
    }
};

// One axis or both are smooth; ``pixels`` are [rows.length, columns.length].
void spread(const uint8_t* part, const Line& rows, const Line& columns, uint8_t* pixels);

}  // namespace ride::histories
