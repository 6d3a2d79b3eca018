// One tile: its ring of fronts, and its scratch. Fronts are entered one after the other; in each, the stages of its
// blocks are computed, and its samples are set, channel by channel.
#pragma once

#include <algorithm>
#include <vector>

#include "extent.hpp"
#include "plan.hpp"

namespace ride {

// Integers of a tile, by parameter, then by given plane [H + 2 margin, W + 2 margin]. They stay with the caller.
using Parameters = std::vector<std::vector<int32_t>>;

class Tile {
  public:
    // Throws Damaged for parameters that the plan does not take.
    Tile(const Plan& plan, const Parameters& parameters, int height, int width);

    int first_front() const { return -spec_.leads.front(); }
    int fronts() const { return width_ + spec_.slope * (height_ - 1); }
    int channels() const { return spec_.channels; }
    bool halved() const { return spec_.halved; }

    // Run the passes that are ahead of front t, then begin it: false where it has no pixels.
    bool enter(int t);
    // Begin a pass at the front t of its own: false where it has no pixels.
    bool enter(int t, int pass);

    int pixels() const { return y1_ - y0_; }
    int first_row() const { return y0_; }
    int blocks() const { return (pixels() + LANES - 1) / LANES; }
    int in_block(int b) const { return std::min(LANES, pixels() - b * LANES); }

    // The samples of a channel of the front, by lane.
    int16_t* samples(int c, int b) {
        return reinterpret_cast<int16_t*>(row_[size_t(plan_.samples[size_t(c)])] +
                                          size_t(b) * plan_.space_bytes[BLOCK]);
    }
    // Set the front's samples to those of planes [C, H, W].
    void load(const uint8_t* planes);
    char* state(int b) { return memory_.data() + extent_.states + size_t(b) * extent_.state_bytes; }

    // Compute what a block's pixels need of this stage; and of a channel's distribution, if it is one.
    void compute(int stage, int b) { compute_in(spec_.main_pass() + stage, b); }
    void compute_in(int stage, int b);  // of all passes' stages
    // Whether the front's pixel of this number is coded, and if not, its sample.
    bool coded(int p) const;
    uint8_t known(int c, int p) const;
    const Frame& frame() const { return frame_; }

    uint32_t* edges(int b) { return part<uint32_t>(extent_.edges) + b * LANES * SYMBOLS; }
    int32_t* below(int b) { return part<int32_t>(extent_.below) + b * LANES * SYMBOLS; }
    uint8_t* nibbles(int low, int b) { return part<uint8_t>(extent_.high) + (low * int(extent_.blocks) + b) * LANES; }
    Interval* intervals(int low, int b) {
        return part<Interval>(extent_.intervals) + (low * int(extent_.blocks) + b) * LANES;
    }
    char* learnt(int c) { return memory_.data() + extent_.learnt[size_t(c)]; }
    const Family& family(int c) const { return *plan_.families[size_t(c)]; }
    const Mixture& mixture(int c) const { return plan_.mixtures[size_t(c)]; }

    // End the front: its samples, and the border values they decide, into the ring.
    void leave();

    // Of the block that was computed last.
    int64_t value(int row, int lane) const;

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
    std::vector<const int32_t*> given_;
    int t_ = 0, y0_ = 0, y1_ = 0, pass_ = 0;

    template <class T>
    T* part(size_t at) {
        return reinterpret_cast<T*>(memory_.data() + at);
    }
    void set_parameters(const Parameters& parameters);

    // the ring of fronts: row y of front t stands at slot(t) + rows_above + y
    char* slot(const RingPlane& p, int t);
    void fill(const RingPlane& p, int t, ptrdiff_t first, ptrdiff_t last);
    void fill_plane(const RingPlane& p);
    void put(const RingPlane& p, int b, const void* lanes);
    void keep(int stage, int b);
    void write_constants();
    template <class T>
    void write_border(const RingPlane& p);
    void write_borders();
};

}  // namespace ride
