// A tile's memory: how large it is, and where things stand in it.
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

struct Extent {  // offsets, in bytes
    size_t blocks, ring_rows;
    size_t ring[3], temp, tile, block, states, edges, below, high, intervals, slots, end;
    int slot_bits;
    size_t state_bytes;          // of a block
    std::vector<size_t> learnt;  // of each channel

    // Throws std::length_error for what is not to be counted.
    Extent(const Plan& plan, int height, int width);
};

}  // namespace ride
