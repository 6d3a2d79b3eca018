// Samples of planes and the pixels that depend on them, as ridecodec/histories/window.py and sampling.py define it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conversion.hpp"

namespace ride::histories {

// How blocks of samples and pixels along one axis depend on one another.
struct Axis {
    int64_t factor;
    bool smooth;
    int64_t first, pixels, samples;
};

// Steps of the samples of a block: [count, planes, down, across].
struct Moves {
    const int64_t* steps;
    size_t count, planes, down, across;
};

// What is wrong with a pixel: with its chroma, if that is known, or with a colour that has no Y.
struct Judge {
    int64_t most;
    const int32_t* seen;
    const bool* known;
    const Conversion* conversion;  // where there is one, ``seen`` and ``known`` are null
    const uint8_t* colours;
};

// Make the best of some moves of the samples of blocks [n], one after another; planes are [planes, rows, columns].
void mend(uint8_t* planes, const Axis& rows, const Axis& columns, const int64_t* y, const int64_t* x, size_t n,
          const Moves& moves, const Judge& judge);

// Undo the smoothing along the axes that have any: shown and found are [rows, columns].
void sharpen(const float* shown, size_t rows, size_t columns, bool down, bool across, int rounds, float* found);

}  // namespace ride::histories
