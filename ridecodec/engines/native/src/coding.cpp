#include "coding.hpp"

#include <chrono>
#include <cmath>

#include "coder.hpp"
#include "together.hpp"

namespace ride {
namespace {

constexpr auto TICK_EVERY = std::chrono::milliseconds(50);
constexpr uint64_t MOST_BEYOND = 8;  // bytes that a decoder reads behind the end of a whole code

// Decoders of tiles side by side.
class Readings {
  public:
    Readings(const Code* codes, int count) : tile_bits_(bits_of(count)) {
        for (int tile = 0; tile < count; tile++) {
            const Code& code = codes[tile];
            Reading r{0, ~uint64_t(0), code.data, code.data + code.size, 0};
            for (int i = 0; i < 8; i++) {
                r.point = r.point << 8 | (r.next < r.end ? *r.next : 0);
                if (r.next < r.end)
                    r.next++;
                else
                    r.beyond++;
            }
            each_.push_back(r);
        }
    }

    // The high or low nibbles of a front's channel; of those that are not coded, what is known. Throws for symbols that
    // no code has, and for those behind the end of it.
    void read(const Kernels& kernels, Tile& tile, int c, int low) {
        uint8_t* to = tile.nibbles(low, 0);
        if (!tile.halved()) {
            check(kernels.symbols(each_.data(), tile_bits_, tile.edges(0), tile.pixels(), to));
        } else {
            for (int p = 0; p < tile.pixels(); p++)
                if (tile.coded(p)) {
                    Reading& own = each_[size_t(tile.tile(p))];
                    check(kernels.symbols(&own, 0, tile.edges(0) + ptrdiff_t(p) * SYMBOLS, 1, to + p));
                } else {
                    to[p] = low ? tile.known(c, p) % SYMBOLS : tile.known(c, p) / SYMBOLS;
                }
        }
    }

    // The nibbles of a block's pixels of a channel that learns.
    void read_learnt(Tile& tile, int c, int b) {
        for (int i = 0; i < tile.in_block(b); i++) {
            const int p = b * LANES + i;
            int value = tile.coded(p) ? 0 : tile.known(c, p);
            if (tile.coded(p)) {
                value = tile.family(c).read(tile.mixture(c), tile.frame(), tile.state(b), tile.learnt(c), i, each_[0]);
                check(value >= 0);
            }
            tile.nibbles(1, b)[i] = uint8_t(value % SYMBOLS), tile.nibbles(0, b)[i] = uint8_t(value / SYMBOLS);
        }
    }

  private:
    std::vector<Reading> each_;
    const int tile_bits_;

    void check(bool good) const {
        for (const Reading& r : each_)
            if (r.beyond > MOST_BEYOND) throw Damaged("its code ends before the pixels do");
        if (!good) throw Damaged("it is not a code");
    }
};

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

std::vector<std::vector<uint8_t>> encode(const Plan& plan, const uint8_t* planes, const Parameters* parameters,
                                         const Shape& shape, int threads, float* bits, const Tick& tick) {
    const int workers = useful_threads(plan, shape, threads);
    Tile tile(plan, parameters, shape, workers);
    Crew crew(workers);
    std::vector<Encoder> encoders(size_t(shape.count));
    Ticker ticker(tick);
    const int channels = tile.channels();
    const bool learns = plan.learns();
    std::vector<double> odds;  // of the front's pixels in the channels that learn
    auto compute = [&](int c, int b, int worker) {
        if (c == 0) tile.load(planes, b);
        tile.compute(c, b, worker);
        if (c < channels && tile.family(c).known)
            put_learnt(tile, c, b, encoders[0], odds);
        else if (c < channels)
            tile.family(c).intervals(tile.mixture(c), tile.state(b), tile.in_block(b), tile.samples(c, b),
                                     tile.intervals(c, 0, b), tile.intervals(c, 1, b));
    };
    auto measure = [&](int b) {
        for (int i = 0; i < tile.in_block(b); i++) {
            const int p = b * LANES + i;
            double own = learns ? odds[size_t(p)] : 1.0;
            for (int c = 0; c < channels && tile.coded(p); c++)
                for (int low = 0; low < 2 && !tile.family(c).known; low++)
                    own *= tile.intervals(c, low, b)[i].width * (1.0 / (1 << 24));
            bits[tile.at(p, 0, 1)] = float(0.0 - std::log2(own));
        }
    };
    auto put = [&](int c) {
        for (int low = 0; low < 2 && c < channels && !tile.family(c).known; low++)
            for (int p = 0; p < tile.pixels(); p++)
                if (tile.coded(p)) encoders[size_t(tile.tile(p))].put(tile.intervals(c, low, 0)[p]);
    };
    for (int t = tile.first_front(); t < tile.fronts(); t++) {
        if (!tile.enter(t, crew)) continue;
        if (learns) {  // all look before one learns
            odds.assign(size_t(tile.pixels()), 1.0);
            for (int c = 0; c <= channels; c++) {
                for (int b = 0; b < tile.blocks(); b++)
                    compute(c, b, 0);
                put(c);
            }
        }
        crew.run(tile.blocks(), [&](int b, int worker) {
            for (int c = 0; c <= channels && !learns; c++)
                compute(c, b, worker);
            measure(b);
        });
        const int n = tile.pixels();
        for (int c = 0; c < channels && !learns; c++)
            put(c);
        double length = 0;
        for (int p = 0; p < n; p++)
            length += bits[tile.at(p, 0, 1)];
        tile.leave();
        ticker.done(n, length);
    }
    ticker.flush();
    std::vector<std::vector<uint8_t>> codes;
    for (Encoder& encoder : encoders)
        codes.push_back(encoder.finish());
    return codes;
}

void decode(const Plan& plan, const Code* codes, const Parameters* parameters, const Shape& shape, int threads,
            uint8_t* planes, const Tick& tick) {
    const int workers = useful_threads(plan, shape, threads);
    Tile tile(plan, parameters, shape, workers);
    Crew crew(workers);
    const Kernels& kernels = *plan.kernels;
    Readings readings(codes, shape.count);
    Ticker ticker(tick);
    const int channels = tile.channels();
    auto settle = [&](int c, int b) {
        int16_t* lanes = tile.samples(c, b);
        const uint8_t *high = tile.nibbles(0, b), *low = tile.nibbles(1, b);
        for (int i = 0; i < tile.in_block(b); i++) {
            const int value = high[i] * SYMBOLS + low[i];
            if (value > plan.spec.top) throw Damaged("it is not a code");
            lanes[i] = int16_t(value), planes[tile.at(b * LANES + i, c, channels)] = uint8_t(value);
        }
    };
    for (int t = tile.first_front(); t < tile.fronts(); t++) {
        if (!tile.enter(t, crew)) continue;
        for (int c = 0; c <= channels; c++) {
            crew.run(tile.blocks(), [&](int b, int worker) {
                if (c > 0) settle(c - 1, b);
                tile.compute(c, b, worker);
                if (c < channels && tile.family(c).read)
                    readings.read_learnt(tile, c, b);
                else if (c < channels)
                    tile.family(c).high(tile.mixture(c), tile.state(b), tile.in_block(b), tile.edges(b), tile.below(b));
            });
            if (c == channels) break;
            if (tile.family(c).read) continue;
            readings.read(kernels, tile, c, 0);
            crew.run(tile.blocks(), [&](int b, int) {
                tile.family(c).low(tile.mixture(c), tile.state(b), tile.in_block(b), tile.nibbles(0, b), tile.below(b),
                                   tile.edges(b));
            });
            readings.read(kernels, tile, c, 1);
        }
        tile.leave();
        ticker.done(tile.pixels(), 0);
    }
    ticker.flush();
}

}  // namespace ride
