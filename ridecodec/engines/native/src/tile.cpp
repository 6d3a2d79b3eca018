#include "tile.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace ride {

Tile::Tile(const Plan& plan, const Parameters& parameters, int height, int width)
    : plan_(plan),
      spec_(plan.spec),
      height_(height),
      width_(width),
      extent_(plan, height, width),
      memory_(extent_.end),
      row_(plan.rows.size()) {
    frame_ =
        Frame{row_.data(), plan.space.data(), {}, 0, 0, 0, 0, spec_.slope, height, width, nullptr, nullptr, 0, nullptr};
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
    for (int c = 0; c < int(plan.families.size()); c++)
        if (family(c).begin) family(c).begin(mixture(c), learnt(c));
    set_parameters(parameters);
    for (const RingPlane& p : plan.ring)
        fill_plane(p);
}

bool Tile::enter(int t) {
    for (int pass = 0; pass < spec_.main_pass(); pass++)
        if (enter(t + spec_.leads[size_t(pass)], pass)) {
            for (int b = 0; b < blocks(); b++)
                compute_in(pass, b);
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
    for (int tap : plan_.taps[size_t(pass)]) {
        const Row& r = plan_.rows[size_t(tap)];
        const RingPlane& p = *plane_[size_t(r.plane)];
        row_[size_t(tap)] =
            slot(p, t + r.dx + slope * r.dy) + (ptrdiff_t(spec_.rows_above) + r.dy + y0_) * TYPE_BYTES[p.type];
    }
    return true;
}

void Tile::compute_in(int stage, int b) {
    Frame& f = frame_;
    f.pixels = in_block(b), f.lanes = (f.pixels + CHUNK - 1) / CHUNK * CHUNK;
    f.y = y0_ + b * LANES, f.x = t_ - spec_.slope * f.y;
    f.shift[BLOCK] = ptrdiff_t(size_t(b) * plan_.space_bytes[BLOCK]);
    for (int t = 0; t < 3; t++)
        f.shift[RING16 + t] = ptrdiff_t(b) * LANES * TYPE_BYTES[t];
    for (const Step& step : plan_.stages[size_t(stage)])
        step.run(step, f);
    const int c = stage - spec_.main_pass();
    if (c >= 0 && c < spec_.channels && !plan_.families.empty())
        plan_.families[size_t(c)]->prepare(plan_.mixtures[size_t(c)], f, state(b));
    keep(stage, b);
}

bool Tile::coded(int p) const {
    const int y = y0_ + p, x = t_ - spec_.slope * y;
    return !spec_.halved || y % 2 || x % 2;
}

uint8_t Tile::known(int c, int p) const {
    const int y = y0_ + p, x = t_ - spec_.slope * y;
    return uint8_t(given_[size_t(c)][ptrdiff_t(y) * (width_ + 2 * spec_.given[size_t(c)].margin) + x]);
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
    const char* at = row_[size_t(row)] + frame_.shift[r.space];
    switch (r.type) {
        case I16: return reinterpret_cast<const int16_t*>(at)[lane];
        case I32: return reinterpret_cast<const int32_t*>(at)[lane];
        default: return reinterpret_cast<const int64_t*>(at)[lane];
    }
}

void Tile::load(const uint8_t* planes) {
    for (int c = 0; c < channels(); c++)
        for (int b = 0; b < blocks(); b++) {
            int16_t* lanes = samples(c, b);
            const ptrdiff_t y = y0_ + b * LANES;
            const uint8_t* from = planes + (ptrdiff_t(c) * height_ + y) * width_ + t_ - spec_.slope * y;
            for (int i = 0; i < in_block(b); i++, from += width_ - spec_.slope) {
                if (*from > spec_.top) throw std::invalid_argument("a sample is larger than the program's largest");
                lanes[i] = *from;
            }
        }
}

void Tile::set_parameters(const Parameters& parameters) {
    const size_t vectors = spec_.parameters.size();
    if (parameters.size() != vectors + spec_.given.size()) throw Damaged("a tile has another number of parameters");
    for (size_t k = 0; k < spec_.given.size(); k++) {
        const Given& plane = spec_.given[k];
        const auto& values = parameters[vectors + k];
        const size_t stride = size_t(width_ + 2 * plane.margin);
        if (values.size() != size_t(height_ + 2 * plane.margin) * stride)
            throw std::invalid_argument("a given plane has another size");
        for (int32_t value : values)
            if (value < plane.lo || value > plane.hi) throw Damaged("a tile's planes are out of range");
        given_.push_back(values.data() + size_t(plane.margin) * stride + size_t(plane.margin));
    }
    frame_.given = given_.data();
    for (size_t i = 0; i < vectors; i++)
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

}  // namespace ride
