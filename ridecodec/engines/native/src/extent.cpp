#include "extent.hpp"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <stdexcept>

namespace ride {
namespace {

constexpr int MOST_SLOT_BITS = 16;  // of a table of contexts

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

}  // namespace

size_t system_entries(const System& s) { return size_t(s.inputs) * size_t(s.inputs + 3) / 2; }

size_t Extent::slot_floats(const System& s) const { return (groups + spare) * system_entries(s) * CHUNK; }

size_t Extent::system_floats(const System& s, int slope) const {
    const size_t lag = size_t(slope / s.block);
    return (3 * system_entries(s) + size_t(s.inputs)) * groups * CHUNK + lag * slot_floats(s);
}

size_t longest_front(const Spec& spec, int height, int width) {
    return std::min<size_t>(size_t(height), (size_t(width) + size_t(spec.slope) - 1) / size_t(spec.slope));
}

Extent::Extent(const Plan& plan, int height, int width, int tiles, int workers) {
    const auto& spec = plan.spec;
    blocks = (longest_front(spec, height, width) * size_t(tiles) + LANES - 1) / LANES;
    ring_rows = (size_t(spec.rows_above) + size_t(height)) * size_t(tiles) + 2 * LANES;
    Size at;
    for (int t = 0; t < 3; t++) {
        ring[t] = at.bytes();
        at.add({plan.slots_of[t], ring_rows, size_t(TYPE_BYTES[t])});
    }
    temp = at.bytes(), at.add({size_t(workers), plan.space_bytes[TEMP]});
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
    intervals = at.bytes(), at.add({2, size_t(spec.channels), lanes, sizeof(Interval)});
    // four slots a pixel at least, where there may be as many
    slot_bits = 2;
    while (slot_bits < MOST_SLOT_BITS && (4 * size_t(height) * size_t(width) - 1) >> slot_bits)
        slot_bits++;
    slots = at.bytes();
    for (int contexts : plan.memories)
        at.add({size_t(tiles), size_t(contexts), sizeof(Slot) << slot_bits});
    systems = at.bytes();
    groups = (size_t(height) * size_t(tiles) + CHUNK - 1) / CHUNK, spare = (size_t(tiles) + CHUNK - 1) / CHUNK;
    for (const System& s : plan.systems)
        if (s.used) at.add({system_floats(s, spec.slope), sizeof(float)});
    for (size_t c = 0; c < plan.mixtures.size(); c++) {
        const auto bytes = plan.families[c]->learnt;
        learnt.push_back(at.bytes()), at.add({bytes ? bytes(plan.mixtures[c]) : 0});
    }
    end = at.bytes();
}

}  // namespace ride
