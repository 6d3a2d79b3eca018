#include "window.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace ride::histories {
namespace {

// A block along one axis: which samples are around it, and of its pixels in the picture the two samples that they are
// made of, by their places around, and how much they weigh those of the block.
struct Side {
    struct Pixel {
        int64_t at;
        size_t near, beside;
        bool odd;
    };

    std::vector<int64_t> around;
    std::vector<Pixel> pixels;
    std::vector<int32_t> own;  // [pixels, block]

    Side(const Axis& axis, int64_t begin, size_t block) {
        const int64_t more = axis.smooth ? 1 : 0, length = int64_t(block);
        for (int64_t k = -more; k < length + more; k++)
            around.push_back(std::clamp<int64_t>(begin + k, 0, axis.samples - 1));
        const int64_t last = axis.smooth ? 2 * length + 1 : axis.factor * length;
        for (int64_t offset = -more; offset < last; offset++) {
            const int64_t at = begin * axis.factor + offset - axis.first;
            if (at < 0 || at >= axis.pixels) continue;
            const bool odd = offset & 1;
            const size_t near = size_t(axis.smooth ? (offset + 2) / 2 : offset / axis.factor);
            pixels.push_back({at, near, axis.smooth ? near + 2 * size_t(odd) - 1 : near, odd});
            for (int64_t sample = begin; sample < begin + length; sample++)
                own.push_back(axis.smooth ? 3 * (around[near] == sample) + (around[pixels.back().beside] == sample)
                                          : around[near] == sample);
        }
    }
};

// The sides of an axis, each made when it is first needed.
class Sides {
  public:
    Sides(const Axis& axis, size_t block) : axis_(axis), block_(block), made_(size_t(axis.samples)) {}

    const Side& at(int64_t begin) {
        auto& side = made_[size_t(begin)];
        if (!side) side = std::make_unique<Side>(axis_, begin, block_);
        return *side;
    }

  private:
    const Axis& axis_;
    size_t block_;
    std::vector<std::unique_ptr<Side>> made_;
};

int32_t clip(int64_t value) { return int32_t(std::clamp<int64_t>(value, 0, 255)); }

}  // namespace

void mend(uint8_t* planes, const Axis& rows, const Axis& columns, const int64_t* y, const int64_t* x, size_t n,
          const Moves& moves, const Judge& judge) {
    const size_t size = size_t(rows.samples * columns.samples), block = moves.down * moves.across;
    const size_t pixels = size_t(rows.pixels * columns.pixels);
    const int shift = 2 * rows.smooth + 2 * columns.smooth;
    std::vector<int32_t> base, weights, delta(moves.planes * block), value(moves.planes);
    std::vector<size_t> places;
    Sides by_row(rows, moves.down), by_column(columns, moves.across);
    for (size_t i = 0; i < n; i++) {
        const Side &down = by_row.at(y[i]), &across = by_column.at(x[i]);
        const size_t count = down.pixels.size() * across.pixels.size();
        base.resize(moves.planes * count), weights.resize(count * block), places.resize(count);
        size_t at = 0;
        for (size_t v = 0; v < down.pixels.size(); v++)
            for (size_t h = 0; h < across.pixels.size(); h++, at++) {
                const Side::Pixel &row = down.pixels[v], &column = across.pixels[h];
                const bool odd = columns.smooth ? column.odd : row.odd;
                const int32_t rounding = !shift ? 0 : shift == 4 ? 8 - odd : 1 + odd;
                for (size_t plane = 0; plane < moves.planes; plane++) {
                    const uint8_t* near = planes + plane * size + down.around[row.near] * columns.samples;
                    const uint8_t* beside = planes + plane * size + down.around[row.beside] * columns.samples;
                    const int64_t own = across.around[column.near], other = across.around[column.beside];
                    const auto along = [&](const uint8_t* line) {
                        return columns.smooth ? 3 * line[own] + line[other] : line[own];
                    };
                    base[plane * count + at] = rounding + (rows.smooth ? 3 * along(near) + along(beside) : along(near));
                }
                for (size_t k = 0; k < moves.down; k++)
                    for (size_t m = 0; m < moves.across; m++)
                        weights[at * block + k * moves.across + m] =
                            down.own[v * moves.down + k] * across.own[h * moves.across + m];
                places[at] = size_t(row.at * columns.pixels + column.at);
            }
        const auto sample = [&](size_t plane, size_t k) -> uint8_t& {
            const int64_t row = y[i] + int64_t(k / moves.across), column = x[i] + int64_t(k % moves.across);
            return planes[plane * size + size_t(row * columns.samples + column)];
        };
        int64_t least = INT64_MAX;
        size_t chosen = 0;
        for (size_t move = 0; move < moves.count && least > 0; move++) {
            const int64_t* steps = moves.steps + move * moves.planes * block;
            for (size_t plane = 0; plane < moves.planes; plane++)
                for (size_t k = 0; k < block; k++) {
                    const int32_t old = sample(plane, k);
                    delta[plane * block + k] = clip(old + steps[plane * block + k]) - old;
                }
            int64_t wrong = 0;
            for (at = 0; at < count && wrong < least; at++) {
                for (size_t plane = 0; plane < moves.planes; plane++) {
                    int32_t sum = base[plane * count + at];
                    for (size_t k = 0; k < block; k++)
                        sum += weights[at * block + k] * delta[plane * block + k];
                    value[plane] = sum >> shift;
                }
                const size_t place = places[at];
                int64_t missed = 0;
                if (judge.conversion)
                    missed = judge.conversion->fit(judge.colours + place, pixels, uint8_t(value[0]), uint8_t(value[1]))
                                 .missed;
                else if (judge.known[place])
                    missed = std::abs(int64_t(value[0]) - judge.seen[place]);
                wrong += std::min(missed, judge.most);
            }
            if (wrong < least) least = wrong, chosen = move;
        }
        for (size_t plane = 0; plane < moves.planes; plane++)
            for (size_t k = 0; k < block; k++)
                sample(plane, k) =
                    uint8_t(clip(sample(plane, k) + moves.steps[(chosen * moves.planes + plane) * block + k]));
    }
}

void sharpen(const float* shown, size_t rows, size_t columns, bool down, bool across, int rounds, float* found) {
    const size_t size = rows * columns;
    std::vector<float> blurred(size), line(columns);
    std::memcpy(found, shown, size * sizeof(float));
    for (int round = 0; round < rounds; round++) {
        for (size_t y = 0; y < rows; y++) {
            const float *own = found + y * columns, *above = y ? own - columns : own,
                        *below = y + 1 < rows ? own + columns : own;
            float* out = blurred.data() + y * columns;
            for (size_t x = 0; x < columns; x++)
                out[x] = down ? 0.75f * own[x] + 0.125f * (above[x] + below[x]) : own[x];
            if (!across) continue;
            std::memcpy(line.data(), out, columns * sizeof(float));
            for (size_t x = 0; x < columns; x++)
                out[x] = 0.75f * line[x] + 0.125f * (line[x ? x - 1 : 0] + line[x + 1 < columns ? x + 1 : x]);
        }
        for (size_t i = 0; i < size; i++)
            found[i] = found[i] + 1.5f * (shown[i] - blurred[i]);
    }
}

}  // namespace ride::histories
