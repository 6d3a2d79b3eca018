#include "photo_cd.hpp"

#include <algorithm>

namespace ride::histories {
namespace {

constexpr int32_t UNIT = 10000, LUMA = 13584, BLUE = 22179, RED = 18215, BLUE_ZERO = 156, RED_ZERO = 137;
constexpr int32_t FAR = 1 << 30;

int32_t floored(int32_t number, int32_t divisor) { return number / divisor - (number % divisor < 0); }

struct Tables {
    int32_t blue[256], red[256], green_of_first[256], green_of_second[256], lowest[256], highest[256];

    Tables() {
        for (int32_t v = 0; v < 256; v++) {
            blue[v] = BLUE * (v - BLUE_ZERO), red[v] = RED * (v - RED_ZERO);
            green_of_first[v] = -1940 * floored(blue[v], UNIT), green_of_second[v] = -5090 * floored(red[v], UNIT);
            lowest[v] = v > 0 ? UNIT * v : -FAR, highest[v] = v < 255 ? UNIT * (v + 1) : FAR;
        }
    }
};

const Tables tables;

// What 13584 Y is at least, and what it is below.
struct Sums {
    int32_t least, greatest;

    Sums(const uint8_t* pixel, int64_t plane, int32_t first, int32_t second) {
        const int32_t added[] = {tables.red[second], tables.green_of_first[first] + tables.green_of_second[second],
                                 tables.blue[first]};
        least = tables.lowest[pixel[0]] - added[0], greatest = tables.highest[pixel[0]] - added[0];
        for (int c = 1; c < 3; c++) {
            least = std::max(least, tables.lowest[pixel[c * plane]] - added[c]);
            greatest = std::min(greatest, tables.highest[pixel[c * plane]] - added[c]);
        }
    }

    int32_t low() const { return std::max(floored(least + LUMA - 1, LUMA), 0); }
    int32_t high() const { return std::min(floored(greatest - 1, LUMA), 255); }
    bool possible() const { return low() <= high(); }
};

int32_t clip(int32_t value) { return std::min(std::max(value, 0), 255); }

// Whether Y, C1 and C2 give a colour.
bool gives(int32_t luma, int32_t first, int32_t second, int32_t red, int32_t green, int32_t blue) {
    const int32_t light = LUMA * luma;
    return clip(floored(light + tables.red[second], UNIT)) == red &&
           clip(floored(light + tables.green_of_first[first] + tables.green_of_second[second], UNIT)) == green &&
           clip(floored(light + tables.blue[first], UNIT)) == blue;
}

// What is around one sample: nine samples of each plane, and the pixels.
struct Around {
    const uint8_t* pixels[9];
    bool there[9], own[9];
    int32_t near[2][9];
    int64_t plane;

    Around(const Picture& picture, const Halves& halves, const Tried& tried, size_t n) : plane(picture.pixels()) {
        const int64_t y = tried.y[n], x = tried.x[n];
        for (int i = 0; i < 9; i++) {
            const int64_t down = i / 3 - 1, right = i % 3 - 1;
            const int64_t row = std::clamp<int64_t>(y + down, 0, halves.height - 1);
            const int64_t column = std::clamp<int64_t>(x + right, 0, halves.width - 1);
            for (int half = 0; half < 2; half++)
                near[half][i] = halves.planes[half][row * halves.width + column];
            own[i] = row == y && column == x;
            there[i] = tried.there[size_t(i) * tried.count + n];
            pixels[i] = picture.at(std::clamp<int64_t>(halves.top + 2 * y + down, 0, picture.height - 1),
                                   std::clamp<int64_t>(halves.left + 2 * x + right, 0, picture.width - 1));
        }
    }

    bool possible(const int32_t* values) const {
        return !there[4] || Sums(pixels[4], plane, values[0], values[1]).possible();
    }

    // How many pixels do not come out; ``enough`` where it is that many.
    int wrong(const int32_t* values, int enough) const {
        int32_t means[2][9];
        for (int half = 0; half < 2; half++) {
            int32_t of[9];
            for (int i = 0; i < 9; i++)
                of[i] = own[i] ? values[half] : near[half][i];
            for (int i = 0; i < 9; i++)
                means[half][i] = (values[half] + of[i / 3 * 3 + 1] + of[3 + i % 3] + of[i] + 2) >> 2;
        }
        int found = 0;
        for (int i = 0; i < 9 && found < enough; i++)
            found += there[i] && !Sums(pixels[i], plane, means[0][i], means[1][i]).possible();
        return found;
    }
};

}  // namespace

void ranges(const Picture& picture, const uint8_t* first, const uint8_t* second, int32_t* low, int32_t* high) {
    for (int64_t i = 0; i < picture.pixels(); i++) {
        const Sums sums(picture.samples + i, picture.pixels(), first[i], second[i]);
        low[i] = sums.low(), high[i] = sums.high();
    }
}

void invert(const Picture& picture, int32_t* first, int32_t* second, bool* known) {
    const int64_t plane = picture.pixels();
    for (int64_t i = 0; i < plane; i++) {
        const uint8_t* pixel = picture.samples + i;
        const int32_t red = pixel[0], green = pixel[plane], blue = pixel[2 * plane];
        first[i] = second[i] = 0, known[i] = false;
        if (std::min({red, green, blue}) == 0 || std::max({red, green, blue}) == 255) continue;
        const int32_t about = (2990 * red + 5870 * green + 1140 * blue + 3063 + LUMA / 2) / LUMA;
        for (int32_t step : {0, 1, -1}) {
            const int32_t luma = clip(about + step);
            const int32_t one = BLUE_ZERO + floored(UNIT * blue + UNIT / 2 - LUMA * luma + BLUE / 2, BLUE);
            const int32_t two = RED_ZERO + floored(UNIT * red + UNIT / 2 - LUMA * luma + RED / 2, RED);
            if (clip(one) != one || clip(two) != two || !gives(luma, one, two, red, green, blue)) continue;
            first[i] = one, second[i] = two, known[i] = true;
            break;
        }
    }
}

void best(const Picture& picture, const Halves& halves, const Tried& tried, const int32_t* steps, size_t count,
          int32_t* found) {
    for (size_t n = 0; n < tried.count; n++) {
        const Around around(picture, halves, tried, n);
        const int32_t start[] = {tried.start[n], tried.start[tried.count + n]};
        int32_t chosen[] = {start[0], start[1]};
        int least = around.wrong(start, 10);
        for (size_t step = 0; step < count && least > 0; step++) {
            const int32_t values[] = {clip(start[0] + steps[2 * step]), clip(start[1] + steps[2 * step + 1])};
            if (!around.possible(values)) continue;
            const int wrong = around.wrong(values, least);
            if (wrong < least) least = wrong, chosen[0] = values[0], chosen[1] = values[1];
        }
        found[n] = chosen[0], found[tried.count + n] = chosen[1];
    }
}

}  // namespace ride::histories
