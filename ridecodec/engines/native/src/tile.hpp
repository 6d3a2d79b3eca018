// Tiles side by side, mostly one: their ring of fronts, and their scratch. Fronts are entered one after the other; in
// each, the stages of its blocks are computed, and its samples are set, channel by channel. A front's pixels stand by
// row, those of all tiles in a row together.
#pragma once

#include <algorithm>
#include <vector>

#include "crew.hpp"
#include "extent.hpp"
#include "plan.hpp"

namespace ride {

// Integers of a tile, by parameter, then by given plane [H + 2 margin, W + 2 margin]. They stay with the caller.
using Parameters = std::vector<std::vector<int32_t>>;

struct Shape {  // of equal tiles, `count` of them side by side: a power of two, a block of lanes at most
    int height, width, count = 1;
    size_t pixels() const { return size_t(height) * size_t(width); }
};

// Binary logarithm of a power of two.
int bits_of(int power);

class Tile {
  public:
    // `parameters`: one each. Throws Damaged for those that the plan does not take.
    Tile(const Plan& plan, const Parameters* parameters, const Shape& shape, int workers = 1);

    int first_front() const { return -spec_.leads.front(); }
    int fronts() const { return width_ + spec_.slope * (height_ - 1); }
    int channels() const { return spec_.channels; }
    int tile(int p) const { return p & (tiles_ - 1); }  // of the front's pixel p
    bool halved() const { return spec_.halved; }

    // Run the passes that are ahead of front t, then begin it: false where it has no pixels.
    bool enter(int t, Crew& crew);
    // Begin a pass at the front t of its own: false where it has no pixels.
    bool enter(int t, int pass);

    int pixels() const { return (y1_ - y0_) * tiles_; }  // of all tiles
    int first_row() const { return y0_; }
    int blocks() const { return (pixels() + LANES - 1) / LANES; }
    int in_block(int b) const { return std::min(LANES, pixels() - b * LANES); }

    // The samples of a channel of the front, by lane.
    int16_t* samples(int c, int b) {
        return reinterpret_cast<int16_t*>(row_[size_t(plan_.samples[size_t(c)])] +
                                          size_t(b) * plan_.space_bytes[BLOCK]);
    }
    // Where the front's pixel p is in planes of so many channels each, [tiles, channels, H, W].
    size_t at(int p, int c, int channels) const {
        const size_t plane = size_t(tile(p)) * size_t(channels) + size_t(c);
        return (plane * size_t(height_) + size_t(y(p))) * size_t(width_) + size_t(x(p));
    }
    // Set a block's samples to those of planes [tiles, C, H, W].
    void load(const uint8_t* planes, int b);
    char* state(int b) { return memory_.data() + extent_.states + size_t(b) * extent_.state_bytes; }

    // Compute what a block's pixels need of this stage; and of a channel's distribution, if it is one. Each worker has
    // its own scratch.
    void compute(int stage, int b, int worker = 0) { compute_in(spec_.main_pass() + stage, b, worker); }
    void compute_in(int stage, int b, int worker = 0);  // of all passes' stages
    // Whether the front's pixel of this number is coded, and if not, its sample.
    bool coded(int p) const;
    uint8_t known(int c, int p) const;
    const Frame& frame() const { return frames_[0]; }

    uint32_t* edges(int b) { return part<uint32_t>(extent_.edges) + b * LANES * SYMBOLS; }
    int32_t* below(int b) { return part<int32_t>(extent_.below) + b * LANES * SYMBOLS; }
    uint8_t* nibbles(int low, int b) { return part<uint8_t>(extent_.high) + (low * int(extent_.blocks) + b) * LANES; }
    Interval* intervals(int c, int low, int b) {
        return part<Interval>(extent_.intervals) + ((2 * c + low) * int(extent_.blocks) + b) * LANES;
    }
    char* learnt(int c) { return memory_.data() + extent_.learnt[size_t(c)]; }
    const Family& family(int c) const { return *plan_.families[size_t(c)]; }
    const Mixture& mixture(int c) const { return plan_.mixtures[size_t(c)]; }

    // End the front: its samples, and the border values they decide, into the ring.
    void leave();

    // Of the block that worker 0 computed last.
    int64_t value(int row, int lane) const;

  private:
    const Plan& plan_;
    const Spec& spec_;
    const int height_, width_, tiles_, tile_bits_;
    const Extent extent_;
    Memory memory_;
    std::vector<char*> row_;
    std::vector<Slot*> slots_;
    std::vector<LeastSquares> systems_;
    std::vector<int> adapted_;  // the first block of each system that has not begun
    std::vector<const RingPlane*> plane_;
    std::vector<Frame> frames_;  // of each worker
    std::vector<const int32_t*> given_;
    int t_ = 0, y0_ = 0, y1_ = 0, pass_ = 0;

    int y(int p) const { return y0_ + (p >> tile_bits_); }
    int x(int p) const { return t_ - spec_.slope * y(p); }
    template <class T>
    T* part(size_t at) {
        return reinterpret_cast<T*>(memory_.data() + at);
    }
    void place_systems();
    void adapt();
    void set_parameters(const Parameters& parameters, int tile);
    void set_given(const Parameters* parameters);

    char* slot(const RingPlane& p, int t);
    void fill(const RingPlane& p, int t, ptrdiff_t first, ptrdiff_t last);
    void fill_plane(const RingPlane& p);
    void put(const RingPlane& p, int b, const void* lanes);
    void keep(int stage, int b, const Frame& f);
    void write_constants();
    void write_border(const RingPlane& p);
    void write_borders();
};

}  // namespace ride
