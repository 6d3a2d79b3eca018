#include "spread.hpp"

#include <vector>

namespace ride::histories {

void spread(const uint8_t* part, const Line& rows, const Line& columns, uint8_t* pixels) {
    const size_t width = size_t(columns.end - columns.begin);
    const int shift = 2 * rows.smooth + 2 * columns.smooth;
    std::vector<int> sums(width);
    std::vector<int64_t> near, beside;
    for (int64_t x = columns.first; x < columns.first + columns.length; x++)
        near.push_back(columns.near(x)), beside.push_back(columns.beside(x));
    for (int64_t y = rows.first; y < rows.first + rows.length; y++) {
        const uint8_t* own = part + size_t(rows.near(y)) * width;
        if (rows.smooth) {
            const uint8_t* other = part + size_t(rows.beside(y)) * width;
            for (size_t k = 0; k < width; k++)
                sums[k] = 3 * own[k] + other[k];
        } else {
            for (size_t k = 0; k < width; k++)
                sums[k] = own[k];
        }
        if (columns.smooth) {
            for (size_t k = 0; k < near.size(); k++) {
                const int odd = int((columns.first + int64_t(k)) & 1);
                *pixels++ = uint8_t(
                    (3 * sums[size_t(near[k])] + sums[size_t(beside[k])] + (rows.smooth ? 8 - odd : 1 + odd)) >> shift);
            }
        } else {
            for (size_t k = 0; k < near.size(); k++)
                *pixels++ = uint8_t((sums[size_t(near[k])] + 1 + int(y & 1)) >> shift);
        }
    }
}

}  // namespace ride::histories
