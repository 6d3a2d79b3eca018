// The ring of fronts: row y of front t stands at slot(t) + (rows_above + y) * tiles, all tiles of it together.
#include <algorithm>
#include <cstring>

#include "tile.hpp"

namespace ride {

char* Tile::slot(const RingPlane& p, int t) {
    const size_t n = size_t(t) & size_t(p.slots - 1);
    return memory_.data() + extent_.ring[p.type] + (p.at + n) * extent_.ring_rows * size_t(TYPE_BYTES[p.type]);
}

namespace {

template <class T>
void fill_rows(char* at, ptrdiff_t first, ptrdiff_t last, T value) {
    T* row = reinterpret_cast<T*>(at);
    for (ptrdiff_t i = first; i < last; i++)
        row[i] = value;
}

}  // namespace

void Tile::fill(const RingPlane& p, int t, ptrdiff_t first, ptrdiff_t last) {
    first *= tiles_, last *= tiles_;
    const int64_t value = spec_.planes[size_t(p.plane)].initial;
    if (p.type == I16)
        fill_rows(slot(p, t), first, last, int16_t(value));
    else if (p.type == I32)
        fill_rows(slot(p, t), first, last, int32_t(value));
    else
        fill_rows(slot(p, t), first, last, value);
}

void Tile::fill_plane(const RingPlane& p) {
    for (int t = 0; t < p.slots; t++)
        fill(p, t, 0, ptrdiff_t(extent_.ring_rows) / tiles_);
    plane_.resize(spec_.planes.size());
    plane_[size_t(p.plane)] = &p;
}

void Tile::put(const RingPlane& p, int b, const void* lanes) {
    const size_t bytes = size_t(TYPE_BYTES[p.type]);
    std::memcpy(slot(p, t_) + (size_t(spec_.rows_above + y0_) * size_t(tiles_) + size_t(b) * LANES) * bytes, lanes,
                size_t(in_block(b)) * bytes);
}

void Tile::keep(int stage, int b, const Frame& f) {
    for (size_t k : plan_.kept_at[size_t(stage)]) {
        const RingPlane& p = plan_.ring[k];
        put(p, b, row_[size_t(p.row)] + f.shift[plan_.rows[size_t(p.row)].space]);
    }
}

void Tile::write_constants() {
    const int above = spec_.rows_above;
    const int first = std::max(0, std::min(y0_, y1_) - above - 1 - spec_.right / spec_.slope);
    const int last = std::min(height_, std::max(y1_, (t_ + plan_.lead) / spec_.slope + 1));
    for (size_t k : plan_.ring_of[size_t(pass_)]) {
        const RingPlane& p = plan_.ring[k];
        if (spec_.planes[size_t(p.plane)].rule == CONSTANT) {
            if (y0_ >= y1_) {
                fill(p, t_, above + first, above + last);
            } else {
                fill(p, t_, above + first, above + y0_);
                fill(p, t_, above + y1_, above + last);
            }
        }
    }
}

// See exact/order.py: left of a row stands the first pixel of the row above, right of it its own last, and above
// row 0 the same front's pixel of row 0.
void Tile::write_border(const RingPlane& p) {
    const int above = spec_.rows_above, slope = spec_.slope;
    const size_t bytes = size_t(tiles_) * size_t(TYPE_BYTES[p.type]);
    auto row = [&](int t, int y) { return slot(p, t) + size_t(above + y) * bytes; };
    if (y0_ == 0)
        for (int y = -above; y < 0; y++)
            std::memcpy(row(t_, y), row(t_, 0), bytes);
    if (t_ % slope == 0 && t_ / slope + 1 < height_) {
        const int y = t_ / slope;
        if (y >= y0_ && y < y1_)
            for (int t = t_ + slope - plan_.lead; t < t_ + slope; t++)
                std::memcpy(row(t, y + 1), row(t_, y), bytes);
    }
    const int past = t_ - width_ + 1;
    if (past >= 0 && past % slope == 0 && past / slope < height_) {
        const int last = past / slope;
        for (int t = t_ + 1; t <= t_ + spec_.right; t++)
            for (int y = last == 0 ? -above : last; y <= last; y++)
                std::memcpy(row(t, y), row(t_, last), bytes);
    }
}

void Tile::write_borders() {
    for (size_t k : plan_.ring_of[size_t(pass_)])
        if (const RingPlane& p = plan_.ring[k]; spec_.planes[size_t(p.plane)].rule == BORDER) write_border(p);
}

}  // namespace ride
