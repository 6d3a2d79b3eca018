// The encoder of constriction's range coder: queue, 64 bits of state, words of 32 bits, probabilities of 24 bits.
#pragma once

#include <vector>

#include "plain.hpp"

namespace ride {

class Encoder {
  public:
    void put(const Interval& i) {
        const uint64_t scale = range_ >> 24, add = scale * i.start;
        low_ += add;
        if (low_ < add) carry();
        range_ = scale * i.width;
        if (range_ < uint64_t(1) << 32) {
            words_.push_back(uint32_t(low_ >> 32));
            low_ <<= 32, range_ <<= 32;
        }
        empty_ = false;
    }

    // The shortest bytes that decode to the symbols, words big-endian.
    std::vector<uint8_t> finish() {
        std::vector<uint8_t> code;
        if (empty_) return code;
        int kept = 0;
        uint64_t point = 0;
        for (; kept <= 8; kept++) {  // the shortest number from low on and below low + range
            const uint64_t rest = kept == 8 ? 0 : ~uint64_t(0) >> (8 * kept);
            point = (low_ + rest) & ~rest;
            if (point - low_ < range_) break;  // modulo 2^64: a point of 2^64 is 0 and a carry
        }
        if (point < low_) carry();
        code.reserve(words_.size() * 4 + 8);
        for (uint32_t word : words_)
            for (int shift = 24; shift >= 0; shift -= 8)
                code.push_back(uint8_t(word >> shift));
        for (int i = 0; i < kept; i++)
            code.push_back(uint8_t(point >> (56 - 8 * i)));
        return code;
    }

    size_t bytes() const { return words_.capacity() * 4; }

  private:
    void carry() {
        for (size_t i = words_.size(); i-- && ++words_[i] == 0;) {
        }
    }

    uint64_t low_ = 0, range_ = ~uint64_t(0);
    std::vector<uint32_t> words_;
    bool empty_ = true;
};

}  // namespace ride
