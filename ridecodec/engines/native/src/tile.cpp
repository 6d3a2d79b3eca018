#include "tile.hpp"

#include <algorithm>
#include <stdexcept>

namespace ride {

int bits_of(int power) {
    int bits = 0;
    while (1 << bits < power)
        bits++;
    return bits;
}

Tile::Tile(const Plan& plan, const Parameters* parameters, const Shape& shape, int workers)
    : plan_(plan),
      spec_(plan.spec),
      height_(shape.height),
      width_(shape.width),
      tiles_(shape.count),
      tile_bits_(bits_of(shape.count)),
      extent_(plan, height_, width_, tiles_, workers),
      memory_(extent_.end),
      row_(plan.rows.size()) {
    for (size_t i = 0; i < row_.size(); i++) {
        const Row& r = plan.rows[i];
        const size_t start = r.space == TEMP ? extent_.temp : r.space == TILE ? extent_.tile : extent_.block;
        row_[i] = memory_.data() + start + r.offset;
    }
    char* slots = memory_.data() + extent_.slots;
    for (int contexts : plan.memories) {
        slots_.push_back(reinterpret_cast<Slot*>(slots));
        slots += sizeof(Slot) * size_t(tiles_) * size_t(contexts) << extent_.slot_bits;
    }
    for (int tile = 0; tile < tiles_; tile++)
        set_parameters(parameters[tile], tile);
    set_given(parameters);
    place_systems();
    Frame frame{row_.data(),
                plan.space.data(),
                {},
                0,
                0,
                0,
                0,
                spec_.slope,
                tile_bits_,
                height_,
                width_,
                slots_.data(),
                extent_.slot_bits,
                systems_.data(),
                given_.data()};
    for (int worker = 0; worker < workers; worker++) {
        frame.shift[TEMP] = ptrdiff_t(size_t(worker) * plan.space_bytes[TEMP]);
        frames_.push_back(frame);
    }
    for (int c = 0; c < int(plan.families.size()); c++)
        if (family(c).begin) family(c).begin(mixture(c), learnt(c));
    for (const RingPlane& p : plan.ring)
        fill_plane(p);
}

bool Tile::enter(int t, Crew& crew) {
    for (int pass = 0; pass < spec_.main_pass(); pass++)
        if (enter(t + spec_.leads[size_t(pass)], pass)) {
            crew.run(blocks(), [&](int b, int worker) { compute_in(pass, b, worker); });
            leave();
        }
    return t >= 0 && enter(t, spec_.main_pass());
}

bool Tile::enter(int t, int pass) {
    t_ = t, pass_ = pass;
    const int slope = spec_.slope, past = t - width_ + 1;
    y0_ = past > 0 ? (past + slope - 1) / slope : 0;
    y1_ = t < 0 ? 0 : std::min(height_ - 1, t / slope) + 1;
    if (y0_ >= y1_) {
        write_constants();
        return false;
    }
    if (pass == spec_.main_pass()) adapt();
    for (int tap : plan_.taps[size_t(pass)]) {
        const Row& r = plan_.rows[size_t(tap)];
        const RingPlane& p = *plane_[size_t(r.plane)];
        row_[size_t(tap)] =
            slot(p, t + r.dx + slope * r.dy) + (ptrdiff_t(spec_.rows_above) + r.dy + y0_) * tiles_ * TYPE_BYTES[p.type];
    }
    return true;
}

void Tile::place_systems() {
    float* at = reinterpret_cast<float*>(memory_.data() + extent_.systems);
    for (const System& s : plan_.systems) {
        constexpr float one = 65536;
        const size_t matrix = extent_.groups * system_entries(s) * CHUNK;
        LeastSquares own{s.inputs,
                         int32_t(system_entries(s)),
                         s.block,
                         spec_.slope / s.block,
                         tiles_,
                         float(s.along) / one,
                         float(s.down) / one,
                         float(s.ridge),
                         at,
                         at + matrix,
                         at + 2 * matrix,
                         at + 3 * matrix,
                         extent_.slot_floats(s),
                         nullptr};
        own.weights = own.below + size_t(own.lag) * own.slot;
        systems_.push_back(own);
        if (s.used) at += extent_.system_floats(s, spec_.slope);
    }
    adapted_.resize(systems_.size());
}

// Before a front: the systems' blocks that end and begin by then, in all rows that have pixels in them.
void Tile::adapt() {
    for (size_t k = 0; k < systems_.size(); k++) {
        const LeastSquares& s = systems_[k];
        if (!plan_.systems[k].used) continue;
        for (int& time = adapted_[k]; time <= t_ / s.block; time++) {
            const int past = (time - 1) * s.block - width_ + 1;
            const int first = (past > 0 ? (past + spec_.slope - 1) / spec_.slope : 0) * tiles_ / CHUNK * CHUNK;
            const int last = (std::min(height_ - 1, time * s.block / spec_.slope) + 1) * tiles_;
            for (int lane = first; lane < last; lane += CHUNK)
                plan_.kernels->end_block(s, time, lane);
            for (int lane = first; lane < last; lane += CHUNK)
                plan_.kernels->begin_block(s, time, lane);
        }
    }
}

void Tile::compute_in(int stage, int b, int worker) {
    Frame& f = frames_[size_t(worker)];
    f.pixels = in_block(b), f.lanes = (f.pixels + CHUNK - 1) / CHUNK * CHUNK;
    f.y = y(b * LANES), f.x = t_ - spec_.slope * f.y;
    f.shift[BLOCK] = ptrdiff_t(size_t(b) * plan_.space_bytes[BLOCK]);
    for (int t = 0; t < 3; t++)
        f.shift[RING16 + t] = ptrdiff_t(b) * LANES * TYPE_BYTES[t];
    for (const Step& step : plan_.stages[size_t(stage)])
        step.run(step, f);
    const int c = stage - spec_.main_pass();
    if (c >= 0 && c < spec_.channels && !plan_.families.empty())
        plan_.families[size_t(c)]->prepare(plan_.mixtures[size_t(c)], f, state(b));
    keep(stage, b, f);
}

bool Tile::coded(int p) const { return !spec_.halved || y(p) % 2 || x(p) % 2; }

uint8_t Tile::known(int c, int p) const {
    const int32_t* from = given_[size_t(c * tiles_ + tile(p))];
    return uint8_t(from[ptrdiff_t(y(p)) * (width_ + 2 * spec_.given[size_t(c)].margin) + x(p)]);
}

void Tile::leave() {
    for (size_t k : plan_.ring_of[size_t(pass_)])
        if (const RingPlane& p = plan_.ring[k]; p.plane < spec_.channels)
            for (int b = 0; b < blocks(); b++)
                put(p, b, samples(p.plane, b));
    write_constants();
    write_borders();
}

int64_t Tile::value(int row, int lane) const {
    const Row& r = plan_.rows[size_t(row)];
    const char* at = row_[size_t(row)] + frames_[0].shift[r.space];
    switch (r.type) {
        case I16: return reinterpret_cast<const int16_t*>(at)[lane];
        case I32: return reinterpret_cast<const int32_t*>(at)[lane];
        default: return reinterpret_cast<const int64_t*>(at)[lane];
    }
}

void Tile::load(const uint8_t* planes, int b) {
    for (int c = 0; c < channels(); c++) {
        int16_t* lanes = samples(c, b);
        for (int i = 0; i < in_block(b); i++) {
            const uint8_t value = planes[at(b * LANES + i, c, channels())];
            if (value > spec_.top) throw std::invalid_argument("a sample is larger than the program's largest");
            lanes[i] = value;
        }
    }
}

void Tile::set_parameters(const Parameters& parameters, int tile) {
    const size_t vectors = spec_.parameters.size();
    if (parameters.size() != vectors + spec_.given.size()) throw Damaged("a tile has another number of parameters");
    for (size_t i = 0; i < vectors; i++)
        if (parameters[i].size() != spec_.parameters[i]) throw Damaged("a tile's parameters have another size");
    for (const ParameterRow& p : plan_.parameters) {
        const int32_t value = parameters[size_t(p.parameter)][p.index];
        if (value < p.lo || value > p.hi) throw Damaged("a tile's parameters are out of range");
        char* row = row_[size_t(p.row)];
        for (int i = tile; i < LANES; i += tiles_)
            if (plan_.rows[size_t(p.row)].type == I16)
                reinterpret_cast<int16_t*>(row)[i] = int16_t(value);
            else
                reinterpret_cast<int32_t*>(row)[i] = value;
    }
}

void Tile::set_given(const Parameters* parameters) {
    for (size_t k = 0; k < spec_.given.size(); k++)
        for (int tile = 0; tile < tiles_; tile++) {
            const Given& plane = spec_.given[k];
            const auto& values = parameters[tile][spec_.parameters.size() + k];
            const size_t stride = size_t(width_ + 2 * plane.margin);
            if (values.size() != size_t(height_ + 2 * plane.margin) * stride)
                throw std::invalid_argument("a given plane has another size");
            for (int32_t value : values)
                if (value < plane.lo || value > plane.hi) throw Damaged("a tile's planes are out of range");
            given_.push_back(values.data() + size_t(plane.margin) * stride + size_t(plane.margin));
        }
}

}  // namespace ride
