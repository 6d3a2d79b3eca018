#include "tile.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "coder.hpp"

namespace ride {
namespace {

constexpr size_t ALIGNMENT = 64;
constexpr auto TICK_EVERY = std::chrono::milliseconds(50);
constexpr int MOST_SLOT_BITS = 16;   // of a table of contexts
constexpr uint64_t MOST_BEYOND = 8;  // bytes that a decoder reads behind the end of a whole code

// Throws for symbols that no code has, and for those behind the end of it.
void check(bool good, const Reading& reading) {
    if (reading.beyond > MOST_BEYOND) throw Damaged("its code ends before the pixels do");
    if (!good) throw Damaged("it is not a code");
}

class Memory {  // zeroed and aligned
  public:
    explicit Memory(size_t bytes) : bytes_(bytes) {
        data_ = static_cast<char*>(::operator new(bytes + 1, std::align_val_t(ALIGNMENT)));
        std::memset(data_, 0, bytes);
    }
    ~Memory() { ::operator delete(data_, std::align_val_t(ALIGNMENT)); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    char* data() { return data_; }

  private:
    char* data_;
    size_t bytes_;
};

// Sums of products of sizes, which may be too large to be counted.
class Size {
  public:
    Size& add(std::initializer_list<size_t> factors) {
        size_t product = 1;
        for (size_t factor : factors) {
            if (factor && product > std::numeric_limits<size_t>::max() / 2 / factor)
                throw std::length_error("the tile is too large");
            product *= factor;
        }
        bytes_ += (product + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (bytes_ > std::numeric_limits<size_t>::max() / 2) throw std::length_error("the tile is too large");
        return *this;
    }
    size_t bytes() const { return bytes_; }

  private:
    size_t bytes_ = 0;
};

// Where things stand in a tile's memory.
struct Extent {
    size_t blocks, ring_rows;
    size_t ring[3], temp, tile, block, states, edges, below, high, intervals, slots, end;
    int slot_bits;

    Extent(const Plan& plan, int height, int width) {
        const auto& spec = plan.spec;
        // a front has at most so many pixels
        const size_t longest =
            std::min<size_t>(size_t(height), (size_t(width) + size_t(spec.slope) - 1) / size_t(spec.slope));
        blocks = (longest + LANES - 1) / LANES;
        ring_rows = size_t(spec.rows_above) + size_t(height) + 2 * LANES;
        Size at;
        for (int t = 0; t < 3; t++) {
            ring[t] = at.bytes();
            at.add({plan.planes_of[t], size_t(plan.slots), ring_rows, size_t(TYPE_BYTES[t])});
        }
        temp = at.bytes(), at.add({plan.space_bytes[TEMP]});
        tile = at.bytes(), at.add({plan.space_bytes[TILE]});
        block = at.bytes(), at.add({blocks, plan.space_bytes[BLOCK]});
        size_t state = 0;
        for (size_t c = 0; c < plan.mixtures.size(); c++)
            state = std::max(state, plan.families[c]->state(plan.mixtures[c]));
        state_bytes = (state + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        states = at.bytes(), at.add({blocks, state_bytes});
        const size_t lanes = blocks * LANES;
        edges = at.bytes(), at.add({lanes, SYMBOLS, sizeof(uint32_t)});
        below = at.bytes(), at.add({lanes, SYMBOLS, sizeof(int32_t)});
        high = at.bytes(), at.add({2, lanes});
        intervals = at.bytes(), at.add({2, lanes, sizeof(Interval)});
        // four slots a pixel at least, where there may be as many
        slot_bits = 2;
        while (slot_bits < MOST_SLOT_BITS && (4 * size_t(height) * size_t(width) - 1) >> slot_bits)
            slot_bits++;
        slots = at.bytes();
        for (int contexts : plan.memories)
            at.add({size_t(contexts), sizeof(Slot) << slot_bits});
        end = at.bytes();
    }
    size_t state_bytes;
};

class Tile {
  public:
    Tile(const Plan& plan, const Parameters& parameters, int height, int width)
        : plan_(plan),
          spec_(plan.spec),
          height_(height),
          width_(width),
          extent_(plan, height, width),
          memory_(extent_.end),
          row_(plan.rows.size()) {
        frame_ = Frame{row_.data(), plan.space.data(), {}, 0, 0, 0, 0, spec_.slope, height, width, nullptr, nullptr, 0};
        for (size_t i = 0; i < row_.size(); i++) {
            const Row& r = plan.rows[i];
            const size_t start = r.space == TEMP ? extent_.temp : r.space == TILE ? extent_.tile : extent_.block;
            row_[i] = memory_.data() + start + r.offset;
        }
        char* slots = memory_.data() + extent_.slots;
        for (int contexts : plan.memories) {
            slots_.push_back(reinterpret_cast<Slot*>(slots));
            slots += sizeof(Slot) * size_t(contexts) << extent_.slot_bits;
        }
        frame_.memory = slots_.data(), frame_.slot_bits = extent_.slot_bits;
        set_parameters(parameters);
        for (const RingPlane& p : plan.ring)
            fill_plane(p);
    }

    int fronts() const { return width_ + spec_.slope * (height_ - 1); }
    int channels() const { return spec_.channels; }

    // Begin front t: false where it has no pixels.
    bool enter(int t) {
        t_ = t;
        const int slope = spec_.slope, past = t - width_ + 1;
        y0_ = past > 0 ? (past + slope - 1) / slope : 0;
        y1_ = std::min(height_ - 1, t / slope) + 1;
        if (y0_ >= y1_) {
            write_constants();
            return false;
        }
        for (int tap : plan_.taps) {
            const Row& r = plan_.rows[size_t(tap)];
            const RingPlane& p = *plane_[size_t(r.plane)];
            row_[size_t(tap)] =
                slot(p, t + r.dx + slope * r.dy) + (ptrdiff_t(spec_.rows_above) + r.dy + y0_) * TYPE_BYTES[p.type];
        }
        return true;
    }

    int pixels() const { return y1_ - y0_; }
    int first_row() const { return y0_; }
    int blocks() const { return (pixels() + LANES - 1) / LANES; }
    int in_block(int b) const { return std::min(LANES, pixels() - b * LANES); }

    // The samples of a channel of the front, by lane.
    int16_t* samples(int c, int b) {
        return reinterpret_cast<int16_t*>(row_[size_t(plan_.samples[size_t(c)])] +
                                          size_t(b) * plan_.space_bytes[BLOCK]);
    }
    char* state(int b) { return memory_.data() + extent_.states + size_t(b) * extent_.state_bytes; }

    // Compute what a block's pixels need of this stage; and of a channel's distribution, if it is one.
    void compute(int stage, int b) {
        Frame& f = frame_;
        f.pixels = in_block(b), f.lanes = (f.pixels + CHUNK - 1) / CHUNK * CHUNK;
        f.y = y0_ + b * LANES, f.x = t_ - spec_.slope * f.y;
        f.shift[BLOCK] = ptrdiff_t(size_t(b) * plan_.space_bytes[BLOCK]);
        for (int t = 0; t < 3; t++)
            f.shift[RING16 + t] = ptrdiff_t(b) * LANES * TYPE_BYTES[t];
        for (const Step& step : plan_.stages[size_t(stage)])
            step.run(step, f);
        if (stage < spec_.channels && !plan_.families.empty())
            plan_.families[size_t(stage)]->prepare(plan_.mixtures[size_t(stage)], f, state(b));
        if (stage == spec_.channels) keep(b);
    }
    const Frame& frame() const { return frame_; }

    uint32_t* edges(int b) { return part<uint32_t>(extent_.edges) + b * LANES * SYMBOLS; }
    int32_t* below(int b) { return part<int32_t>(extent_.below) + b * LANES * SYMBOLS; }
    uint8_t* nibbles(int low, int b) { return part<uint8_t>(extent_.high) + (low * int(extent_.blocks) + b) * LANES; }
    Interval* intervals(int low, int b) {
        return part<Interval>(extent_.intervals) + (low * int(extent_.blocks) + b) * LANES;
    }
    const Family& family(int c) const { return *plan_.families[size_t(c)]; }
    const Mixture& mixture(int c) const { return plan_.mixtures[size_t(c)]; }

    // End the front: its samples, and the border values they decide, into the ring.
    void leave() {
        for (const RingPlane& p : plan_.ring)
            if (p.plane < spec_.channels)
                for (int b = 0; b < blocks(); b++)
                    put(p, b, samples(p.plane, b));
        write_constants();
        for (const RingPlane& p : plan_.ring)
            if (spec_.planes[size_t(p.plane)].rule == BORDER) {
                if (p.type == I16)
                    write_border<int16_t>(p);
                else if (p.type == I32)
                    write_border<int32_t>(p);
                else
                    write_border<int64_t>(p);
            }
    }

    int64_t value(int row, int b, int lane) const {
        const Row& r = plan_.rows[size_t(row)];
        const char* at = row_[size_t(row)] + frame_.shift[r.space];
        (void)b;
        switch (r.type) {
            case I16: return reinterpret_cast<const int16_t*>(at)[lane];
            case I32: return reinterpret_cast<const int32_t*>(at)[lane];
            default: return reinterpret_cast<const int64_t*>(at)[lane];
        }
    }

  private:
    const Plan& plan_;
    const Spec& spec_;
    const int height_, width_;
    const Extent extent_;
    Memory memory_;
    std::vector<char*> row_;
    std::vector<std::vector<int32_t>> fitted_;
    std::vector<std::vector<double>> real_;
    std::vector<const void*> fitted_at_;
    std::vector<Slot*> slots_;
    std::vector<const RingPlane*> plane_;
    Frame frame_;
    int t_ = 0, y0_ = 0, y1_ = 0;

    template <class T>
    T* part(size_t at) {
        return reinterpret_cast<T*>(memory_.data() + at);
    }

    void set_parameters(const Parameters& parameters) {
        if (parameters.size() != spec_.parameters.size()) throw Damaged("a tile has another number of parameters");
        for (size_t i = 0; i < parameters.size(); i++)
            if (parameters[i].size() != spec_.parameters[i]) throw Damaged("a tile's parameters have another size");
        for (const ParameterRow& p : plan_.parameters) {
            const int32_t value = parameters[size_t(p.parameter)][p.index];
            if (value < p.lo || value > p.hi) throw Damaged("a tile's parameters are out of range");
            char* row = row_[size_t(p.row)];
            for (int i = 0; i < LANES; i++)
                if (plan_.rows[size_t(p.row)].type == I16)
                    reinterpret_cast<int16_t*>(row)[i] = int16_t(value);
                else
                    reinterpret_cast<int32_t*>(row)[i] = value;
        }
        for (const FittedWeights& w : plan_.fitted) {
            const auto& values = parameters[size_t(w.parameter)];
            const size_t columns = w.column.size();
            const size_t wide = (size_t(w.rows) + 3) / 4 * 4;
            std::vector<int32_t> found(w.real ? 0 : wide * w.pairs);
            std::vector<double> real(w.real ? wide * columns : 0);
            for (size_t r = 0; r < size_t(w.rows); r++) {
                int64_t sum = 0;
                for (size_t j = 0; j < columns; j++) {
                    const int64_t v = values[r * columns + j];
                    sum += std::abs(v);
                    if (w.real) {
                        real[(r / 4 * columns + j) * 4 + r % 4] = double(v);
                        continue;
                    }
                    if (std::abs(v) > std::numeric_limits<int16_t>::max())
                        throw Damaged("a tile's parameters are too large");
                    const uint32_t half = uint32_t(uint16_t(v)) << (w.column[j] % 2 * 16);
                    int32_t& pair = found[(r / 4 * w.pairs + size_t(w.column[j]) / 2) * 4 + r % 4];
                    pair = int32_t(uint32_t(pair) | half);
                }
                if (sum > w.reach) throw Damaged("a tile's parameters are too large");
            }
            fitted_.push_back(std::move(found));
            real_.push_back(std::move(real));
            fitted_at_.push_back(w.real ? static_cast<const void*>(real_.back().data()) : fitted_.back().data());
        }
        frame_.fitted = fitted_at_.data();
    }

    // --- the ring of fronts: row y of front t stands at slot(t) + rows_above + y

    char* slot(const RingPlane& p, int t) {
        const size_t n = size_t(t) & size_t(plan_.slots - 1);
        return memory_.data() + extent_.ring[p.type] +
               (p.at * size_t(plan_.slots) + n) * extent_.ring_rows * size_t(TYPE_BYTES[p.type]);
    }

    template <class T>
    static void fill(char* at, ptrdiff_t first, ptrdiff_t last, T value) {
        T* row = reinterpret_cast<T*>(at);
        for (ptrdiff_t i = first; i < last; i++)
            row[i] = value;
    }
    void fill(const RingPlane& p, int t, ptrdiff_t first, ptrdiff_t last) {
        const int64_t value = spec_.planes[size_t(p.plane)].initial;
        if (p.type == I16)
            fill(slot(p, t), first, last, int16_t(value));
        else if (p.type == I32)
            fill(slot(p, t), first, last, int32_t(value));
        else
            fill(slot(p, t), first, last, value);
    }

    void fill_plane(const RingPlane& p) {
        for (int t = 0; t < plan_.slots; t++)
            fill(p, t, 0, ptrdiff_t(extent_.ring_rows));
        plane_.resize(spec_.planes.size());
        plane_[size_t(p.plane)] = &p;
    }

    void put(const RingPlane& p, int b, const void* lanes) {
        const size_t bytes = size_t(TYPE_BYTES[p.type]);
        std::memcpy(slot(p, t_) + (size_t(spec_.rows_above + y0_) + size_t(b) * LANES) * bytes, lanes,
                    size_t(in_block(b)) * bytes);
    }

    void keep(int b) {
        for (const RingPlane& p : plan_.ring)
            if (p.plane >= spec_.channels) {
                const int row = plan_.kept[size_t(p.plane - spec_.channels)];
                put(p, b, row_[size_t(row)] + frame_.shift[plan_.rows[size_t(row)].space]);
            }
    }

    // Rows of this front's slot that stand outside of the tile, as far as taps reach.
    void write_constants() {
        const int above = spec_.rows_above;
        const int first = std::max(0, std::min(y0_, y1_) - above);
        const int last = std::min(height_, std::max(y1_, (t_ + plan_.lead) / spec_.slope + 1));
        for (const RingPlane& p : plan_.ring)
            if (spec_.planes[size_t(p.plane)].rule == CONSTANT) {
                if (y0_ >= y1_) {
                    fill(p, t_, above + first, above + last);
                } else {
                    fill(p, t_, above + first, above + y0_);
                    fill(p, t_, above + y1_, above + last);
                }
            }
    }

    // See exact/order.py: left of a row stands the first pixel of the row above, right of it its own last, and above
    // row 0 the same front's pixel of row 0.
    template <class T>
    void write_border(const RingPlane& p) {
        const int above = spec_.rows_above, slope = spec_.slope;
        T* own = reinterpret_cast<T*>(slot(p, t_));
        if (y0_ == 0)
            for (int i = 0; i < above; i++)
                own[i] = own[above];
        if (t_ % slope == 0 && t_ / slope + 1 < height_) {
            const int y = t_ / slope;
            if (y >= y0_ && y < y1_)
                for (int t = t_ + slope - plan_.lead; t < t_ + slope; t++)
                    reinterpret_cast<T*>(slot(p, t))[above + y + 1] = own[above + y];
        }
        const int past = t_ - width_ + 1;
        if (past >= 0 && past % slope == 0 && past / slope < height_) {
            const int y = past / slope;
            const T value = own[above + y];
            for (int t = t_ + 1; t <= t_ + spec_.right; t++) {
                T* row = reinterpret_cast<T*>(slot(p, t));
                for (int i = y == 0 ? 0 : above + y; i <= above + y; i++)
                    row[i] = value;
            }
        }
    }
};

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

void load_samples(Tile& tile, const uint8_t* planes, int t, int height, int width, int slope, int top) {
    for (int c = 0; c < tile.channels(); c++)
        for (int b = 0; b < tile.blocks(); b++) {
            int16_t* lanes = tile.samples(c, b);
            const ptrdiff_t y = tile.first_row() + b * LANES;
            const uint8_t* from = planes + (ptrdiff_t(c) * height + y) * width + t - slope * y;
            for (int i = 0; i < tile.in_block(b); i++, from += width - slope) {
                if (*from > top) throw std::invalid_argument("a sample is larger than the program's largest");
                lanes[i] = *from;
            }
        }
}

}  // namespace

size_t tile_bytes(const Plan& plan, int height, int width) { return Extent(plan, height, width).end; }

std::vector<uint8_t> encode(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height,
                            int width, float* bits, const Tick& tick) {
    Tile tile(plan, parameters, height, width);
    Encoder encoder;
    Ticker ticker(tick);
    const int slope = plan.spec.slope;
    std::vector<double> odds;
    for (int t = 0; t < tile.fronts(); t++) {
        if (!tile.enter(t)) continue;
        load_samples(tile, planes, t, height, width, slope, plan.spec.top);
        const int n = tile.pixels();
        odds.assign(size_t(n), 1.0);
        for (int c = 0; c < tile.channels(); c++) {
            for (int b = 0; b < tile.blocks(); b++) {
                tile.compute(c, b);
                tile.family(c).intervals(tile.mixture(c), tile.state(b), tile.in_block(b), tile.samples(c, b),
                                         tile.intervals(0, b), tile.intervals(1, b));
            }
            for (int low = 0; low < 2; low++) {
                const Interval* i = tile.intervals(low, 0);
                for (int p = 0; p < n; p++)
                    encoder.put(i[p]);
                for (int p = 0; p < n; p++)
                    odds[size_t(p)] *= i[p].width * (1.0 / (1 << 24));
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
    for (int t = 0; t < tile.fronts(); t++) {
        if (!tile.enter(t)) continue;
        const int n = tile.pixels();
        for (int c = 0; c < tile.channels(); c++) {
            const Family& family = tile.family(c);
            for (int b = 0; b < tile.blocks(); b++) {
                tile.compute(c, b);
                family.high(tile.mixture(c), tile.state(b), tile.in_block(b), tile.edges(b), tile.below(b));
            }
            bool good = kernels.symbols(reading, tile.edges(0), n, tile.nibbles(0, 0));
            check(good, reading);
            for (int b = 0; b < tile.blocks(); b++)
                family.low(tile.mixture(c), tile.state(b), tile.in_block(b), tile.nibbles(0, b), tile.below(b),
                           tile.edges(b));
            good = kernels.symbols(reading, tile.edges(0), n, tile.nibbles(1, 0));
            check(good, reading);
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

std::vector<std::vector<int64_t>> trace(const Plan& plan, const uint8_t* planes, const Parameters& parameters,
                                        int height, int width, int y, int x) {
    Tile tile(plan, parameters, height, width);
    const int slope = plan.spec.slope, wanted = x + slope * y;
    for (int t = 0; t <= wanted; t++) {
        if (!tile.enter(t)) continue;
        load_samples(tile, planes, t, height, width, slope, plan.spec.top);
        const int own = (y - tile.first_row()) / LANES;
        for (int stage = 0; stage <= tile.channels(); stage++)
            for (int b = 0; b < tile.blocks(); b++)
                if (t < wanted || b == own) tile.compute(stage, b);
        if (t < wanted) tile.leave();
    }
    const int lane = (y - tile.first_row()) % LANES, block = (y - tile.first_row()) / LANES;
    std::vector<std::vector<int64_t>> found;
    for (const auto& rows : plan.values) {
        found.emplace_back();
        for (int row : rows)
            found.back().push_back(tile.value(row, block, lane));
    }
    return found;
}

Squares squares(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height, int width,
                int groups, int every) {
    if (!plan.memories.empty()) throw std::invalid_argument("memories learn only where tiles are coded");
    Tile tile(plan, parameters, height, width);
    const Kernels& kernels = *plan.kernels;
    const size_t vectors = plan.wanted.size() - 2;
    std::vector<Rows> rows;
    std::vector<std::vector<int32_t>> ids;
    for (const auto& wanted : plan.wanted)
        ids.emplace_back(wanted.begin(), wanted.end());
    for (const auto& each : ids)
        rows.push_back({each.data(), int32_t(each.size()), I32});
    Squares found;
    found.pixels.resize(size_t(groups));
    std::vector<int32_t> strides;
    std::vector<std::vector<double>> sums;
    for (size_t v = 0; v < vectors; v++) {
        strides.push_back((rows[v + 2].count + 7) / 8 * 8);
        sums.emplace_back(size_t(groups) * size_t(rows[v + 2].count) * size_t(strides[v]));
    }
    for (int t = 0; t < tile.fronts(); t++) {
        if (!tile.enter(t)) continue;
        load_samples(tile, planes, t, height, width, plan.spec.slope, plan.spec.top);
        for (int b = 0; b < tile.blocks(); b++) {
            for (int stage = 0; stage <= tile.channels(); stage++)
                tile.compute(stage, b);
            double group[LANES], weight[LANES];
            kernels.collect(rows[0], tile.frame(), group, 1);
            kernels.collect(rows[1], tile.frame(), weight, 1);
            for (size_t v = 0; v < vectors; v++) {
                const int32_t n = rows[v + 2].count, stride = strides[v];
                std::vector<double> lanes(size_t(stride) * LANES);
                kernels.collect(rows[v + 2], tile.frame(), lanes.data(), stride);
                for (int i = 0; i < tile.in_block(b); i++) {
                    if ((tile.first_row() + b * LANES + i) / 2 % every) continue;
                    if (group[i] < 0 || group[i] >= groups) throw std::invalid_argument("a pixel is of no group");
                    if (v == 0) found.pixels[size_t(group[i])] += 1;
                    kernels.add_square(&sums[v][size_t(group[i]) * size_t(n) * size_t(stride)],
                                       &lanes[size_t(i * stride)], weight[i], n, stride);
                }
            }
        }
        tile.leave();
    }
    for (size_t v = 0; v < vectors; v++) {
        const size_t n = size_t(rows[v + 2].count), stride = size_t(strides[v]);
        std::vector<double> whole(size_t(groups) * n * n);
        for (size_t g = 0; g < size_t(groups); g++)
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                    whole[(g * n + i) * n + j] = sums[v][(g * n + std::max(i, j)) * stride + std::min(i, j)];
        found.sums.push_back(std::move(whole));
    }
    return found;
}

}  // namespace ride
