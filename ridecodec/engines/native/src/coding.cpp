#include "coding.hpp"

#include <chrono>
#include <cmath>

#include "coder.hpp"
#include "tile.hpp"

namespace ride {
namespace {

constexpr auto TICK_EVERY = std::chrono::milliseconds(50);
constexpr uint64_t MOST_BEYOND = 8;  // bytes that a decoder reads behind the end of a whole code

// Throws for symbols that no code has, and for those behind the end of it.
void check(bool good, const Reading& reading) {
    if (reading.beyond > MOST_BEYOND) throw Damaged("its code ends before the pixels do");
    if (!good) throw Damaged("it is not a code");
}

// The high or low nibbles of a front's channel; of those that are not coded, what is known.
void read(const Kernels& kernels, Reading& reading, Tile& tile, int c, int low) {
    if (!tile.halved())
        return check(kernels.symbols(reading, tile.edges(0), tile.pixels(), tile.nibbles(low, 0)), reading);
    for (int p = 0; p < tile.pixels(); p++) {
        uint8_t* to = tile.nibbles(low, 0) + p;
        if (tile.coded(p))
            check(kernels.symbols(reading, tile.edges(0) + ptrdiff_t(p) * SYMBOLS, 1, to), reading);
        else
            *to = low ? tile.known(c, p) % SYMBOLS : tile.known(c, p) / SYMBOLS;
    }
}

// Code a block's pixels of a channel that learns; `odds`: of the front's pixels, how likely they were.
void put_learnt(Tile& tile, int c, int b, Encoder& encoder, std::vector<double>& odds) {
    Interval found[VALUES];
    for (int i = 0; i < tile.in_block(b); i++) {
        const int p = b * LANES + i;
        if (!tile.coded(p)) continue;
        const int count = tile.family(c).known(tile.mixture(c), tile.frame(), tile.state(b), tile.learnt(c), i,
                                               tile.samples(c, b)[i], found);
        for (int k = 0; k < count; k++)
            encoder.put(found[k]), odds[size_t(p)] *= found[k].width * (1.0 / (1 << 24));
    }
}

// Their nibbles.
void read_learnt(Tile& tile, int c, int b, Reading& reading) {
    for (int i = 0; i < tile.in_block(b); i++) {
        const int p = b * LANES + i;
        int value = tile.coded(p) ? 0 : tile.known(c, p);
        if (tile.coded(p)) {
            value = tile.family(c).read(tile.mixture(c), tile.frame(), tile.state(b), tile.learnt(c), i, reading);
            check(value >= 0, reading);
        }
        tile.nibbles(1, b)[i] = uint8_t(value % SYMBOLS), tile.nibbles(0, b)[i] = uint8_t(value / SYMBOLS);
    }
}

class Ticker {
  public:
    explicit Ticker(const Tick& tick) : tick_(tick), last_(std::chrono::steady_clock::now()) {}
    void done(int pixels, double bits) {
        if (!tick_) return;
        pixels_ += size_t(pixels), bits_ += bits;
        if (++fronts_ % 16) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < TICK_EVERY) return;
        last_ = now;
        flush();
    }
    void flush() {
        if (tick_) tick_(pixels_, bits_);
        pixels_ = 0, bits_ = 0;
    }

  private:
    const Tick& tick_;
    std::chrono::steady_clock::time_point last_;
    size_t pixels_ = 0, fronts_ = 0;
    double bits_ = 0;
};

}  // namespace

std::vector<uint8_t> encode(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height,

                            int width, float* bits, const Tick& tick) {
    Tile tile(plan, parameters, height, width);
    Encoder encoder;
    Ticker ticker(tick);
    const int slope = plan.spec.slope;
    std::vector<double> odds;
    for (int t = tile.first_front(); t < tile.fronts(); t++) {
        if (!tile.enter(t)) continue;
        tile.load(planes);
        const int n = tile.pixels();
        odds.assign(size_t(n), 1.0);
        for (int c = 0; c < tile.channels(); c++) {
            for (int b = 0; b < tile.blocks(); b++) {
                tile.compute(c, b);
                if (tile.family(c).known) {
                    put_learnt(tile, c, b, encoder, odds);
                    continue;
                }
                tile.family(c).intervals(tile.mixture(c), tile.state(b), tile.in_block(b), tile.samples(c, b),
                                         tile.intervals(0, b), tile.intervals(1, b));
            }
            for (int low = 0; low < 2 && !tile.family(c).known; low++) {
                const Interval* i = tile.intervals(low, 0);
                for (int p = 0; p < n; p++)
                    if (tile.coded(p)) encoder.put(i[p]);
                for (int p = 0; p < n; p++)
                    if (tile.coded(p)) odds[size_t(p)] *= i[p].width * (1.0 / (1 << 24));
            }
        }
        for (int b = 0; b < tile.blocks(); b++)
            tile.compute(tile.channels(), b);
        tile.leave();
        double length = 0;
        for (int p = 0; p < n; p++) {
            const ptrdiff_t y = tile.first_row() + p;
            const double own = 0.0 - std::log2(odds[size_t(p)]);
            bits[y * width + t - slope * y] = float(own);
            length += own;
        }
        ticker.done(n, length);
    }
    ticker.flush();
    return encoder.finish();
}

void decode(const Plan& plan, const uint8_t* code, size_t size, const Parameters& parameters, int height, int width,
            uint8_t* planes, const Tick& tick) {
    Tile tile(plan, parameters, height, width);
    const Kernels& kernels = *plan.kernels;
    Reading reading{0, ~uint64_t(0), code, code + size, 0};
    for (int i = 0; i < 8; i++) {
        reading.point = reading.point << 8 | (reading.next < reading.end ? *reading.next : 0);
        if (reading.next < reading.end)
            reading.next++;
        else
            reading.beyond++;
    }
    Ticker ticker(tick);
    const int slope = plan.spec.slope;
    for (int t = tile.first_front(); t < tile.fronts(); t++) {
        if (!tile.enter(t)) continue;
        const int n = tile.pixels();
        for (int c = 0; c < tile.channels(); c++) {
            const Family& family = tile.family(c);
            for (int b = 0; b < tile.blocks(); b++) {
                tile.compute(c, b);
                if (family.read)
                    read_learnt(tile, c, b, reading);
                else
                    family.high(tile.mixture(c), tile.state(b), tile.in_block(b), tile.edges(b), tile.below(b));
            }
            if (!family.read) {
                read(kernels, reading, tile, c, 0);
                for (int b = 0; b < tile.blocks(); b++)
                    family.low(tile.mixture(c), tile.state(b), tile.in_block(b), tile.nibbles(0, b), tile.below(b),
                               tile.edges(b));
                read(kernels, reading, tile, c, 1);
            }
            for (int b = 0; b < tile.blocks(); b++) {
                int16_t* lanes = tile.samples(c, b);
                const ptrdiff_t y = tile.first_row() + b * LANES;
                uint8_t* to = planes + (ptrdiff_t(c) * height + y) * width + t - slope * y;
                const uint8_t *high = tile.nibbles(0, b), *low = tile.nibbles(1, b);
                for (int i = 0; i < tile.in_block(b); i++, to += width - slope) {
                    const int value = high[i] * SYMBOLS + low[i];
                    if (value > plan.spec.top) throw Damaged("it is not a code");
                    lanes[i] = int16_t(value), *to = uint8_t(value);
                }
            }
        }
        for (int b = 0; b < tile.blocks(); b++)
            tile.compute(tile.channels(), b);
        tile.leave();
        ticker.done(n, 0);
    }
    ticker.flush();
}

}  // namespace ride
