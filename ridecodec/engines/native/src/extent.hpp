// The memory of tiles side by side: how large it is, and where things stand in it.
#pragma once

#include <cstring>
#include <new>

#include "plan.hpp"

namespace ride {

constexpr size_t ALIGNMENT = 64;

class Memory {  // zeroed and aligned
  public:
    explicit Memory(size_t bytes) : data_(static_cast<char*>(::operator new(bytes + 1, std::align_val_t(ALIGNMENT)))) {
        std::memset(data_, 0, bytes);
    }
    ~Memory() { ::operator delete(data_, std::align_val_t(ALIGNMENT)); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    char* data() { return data_; }

  private:
    char* data_;
};

// Entries of a system's matrix.
size_t system_entries(const System& s);

struct Extent {  // offsets, in bytes
    size_t blocks, ring_rows;
    size_t ring[3], temp, tile, block, states, edges, below, high, intervals, slots, systems, end;
    int slot_bits;
    size_t state_bytes;          // of a block
    size_t groups, spare;        // of CHUNK lanes, of all rows and of a row above them
    std::vector<size_t> learnt;  // of each channel

    // Of tiles side by side. Throws std::length_error for what is not to be counted.
    Extent(const Plan& plan, int height, int width, int tiles = 1, int workers = 1);

    // Of what the rows say at the columns of a block, and of all matrices and vectors of a system.
    size_t slot_floats(const System& s) const;
    size_t system_floats(const System& s, int slope) const;
};

// Pixels that a front of such a tile has at most.
size_t longest_front(const Spec& spec, int height, int width);

}  // namespace ride
