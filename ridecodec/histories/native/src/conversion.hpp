// A conversion of YCbCr to RGB, as ridecodec/histories/conversions.py and lattice.py define it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ride::histories {

struct Fit {
    int64_t first, last, missed;
};

struct Conversion {
    int shift;
    const int32_t *light, *red, *green_b, *green_r, *blue;
    const int16_t* levels;  // the first Y not below each multiple of what a shift drops
    int64_t half_levels;

    // The first Y whose light is not below a sum; 256 where there is none.
    int64_t first(int64_t sum) const {
        int64_t y = levels[std::clamp<int64_t>(sum >> shift, -half_levels, half_levels - 1) + half_levels];
        while (y < 256 && light[y] < sum)
            y++;
        return y;
    }

    // The least and the most Y with which chroma gives a colour, and how far it is from doing so.
    Fit fit(const uint8_t* colour, size_t plane, uint8_t cb, uint8_t cr) const {
        constexpr int64_t FAR = int64_t(1) << 40;
        const int32_t green = int32_t(uint32_t(green_b[cb]) + uint32_t(green_r[cr]));  // sums wrap
        const int64_t parts[] = {red[cr], green, blue[cb]};
        int64_t low = -FAR, high = FAR;
        for (size_t c = 0; c < 3; c++) {
            const uint8_t value = colour[c * plane];
            const int64_t least = (int64_t(value) << shift) - parts[c];
            if (value > 0) low = std::max(low, least);
            if (value < 255) high = std::min(high, least + (int64_t(1) << shift) - 1);
        }
        const int64_t begin = first(low), end = first(high + 1) - 1;
        return {begin, end, begin <= end ? 0 : 1 + (std::max<int64_t>(low - high, 0) >> shift)};
    }
};

// How to find which YCbCr a colour was.
struct Inverse {
    const int32_t* lights;   // Y for R and Cr, -1 where there is none
    const int32_t* blues;    // Cb for B and Y
    const int32_t* guesses;  // [3, 4]: about Y, Cb and Cr times 4096
};

// Y, Cb and Cr of n colours, or about that where they are not known.
inline void find(const Conversion& of, const Inverse& inverse, const uint8_t* colours, size_t n, int32_t* found,
                 bool* known) {
    for (size_t i = 0; i < n; i++) {
        const int32_t r = colours[i], g = colours[n + i], b = colours[2 * n + i];
        int32_t guess[3];
        for (size_t k = 0; k < 3; k++) {
            const int32_t* by = inverse.guesses + 4 * k;
            guess[k] = (by[0] * r + by[1] * g + by[2] * b + by[3]) >> 12;
            found[k * n + i] = std::clamp(guess[k], 0, 255);
        }
        known[i] = false;
        for (int32_t step : {0, 1, -1}) {
            const int32_t red = std::clamp(guess[2] + step, 0, 255);
            const int32_t light = inverse.lights[r << 8 | red];
            const int32_t blue = inverse.blues[b << 8 | (light & 255)];
            if (light < 0 || blue < 0) continue;
            const uint32_t sum = uint32_t(of.light[light]) + uint32_t(of.green_b[blue]) + uint32_t(of.green_r[red]);
            if (int32_t(sum) >> of.shift != g) continue;
            found[i] = light, found[n + i] = blue, found[2 * n + i] = red, known[i] = g > 0 && g < 255;
            break;
        }
    }
}

}  // namespace ride::histories
