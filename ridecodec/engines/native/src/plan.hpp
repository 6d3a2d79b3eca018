// A program laid out for an instruction set: rows with their types and places, and the steps of each stage.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "plain.hpp"
#include "spec.hpp"

namespace ride {

struct Row {
    int32_t type;
    Space space = TEMP;
    size_t offset = 0;                         // in its space; of the ring: unused
    int plane = -1, dy = 0, dx = 0, pass = 0;  // of a row in the ring
};

struct RingPlane {
    int plane;  // of the program
    int32_t type;
    int slots;  // fronts that it holds, a power of two
    size_t at;  // its first slot among those of its type
    int row;    // that goes into it; none of a sample's
    int stage;  // after which it does
};

struct System {  // of least squares
    int inputs, block, along, down;
    int64_t ridge;
    bool used;
};

struct ParameterRow {
    int row, parameter;
    size_t index;
    int64_t lo, hi;
};

struct Plan {
    const Kernels* kernels;
    Spec spec;
    std::vector<Row> rows;
    std::vector<uint8_t> space;             // of every row
    std::vector<std::vector<Step>> stages;  // of all passes
    std::vector<Mixture> mixtures;          // [channels]
    std::vector<const Family*> families;    // [channels]
    std::vector<int> samples;               // rows that hold the pixel's own samples, [channels]
    std::vector<int> kept;                  // rows that go into the planes behind the samples
    std::vector<std::vector<int>> values;   // rows of each value
    std::vector<std::vector<int>> wanted;   // rows, in int32, of the values that were asked for
    std::vector<RingPlane> ring;
    std::vector<std::vector<int>> taps;        // rows in the ring, of each pass
    std::vector<std::vector<size_t>> ring_of;  // planes in the ring, of each pass
    std::vector<std::vector<size_t>> kept_at;  // those that are filled after each stage
    std::vector<int> memories;                 // contexts of each
    std::vector<System> systems;
    std::vector<ParameterRow> parameters;
    size_t space_bytes[SPACES] = {};
    size_t slots_of[3] = {};  // in the ring, by type
    int lead;                 // fronts that taps reach back

    // Whether pixels see what others of their front left, so that these come one after the other.
    bool learns() const {
        bool found = !memories.empty() || mixes();
        for (const System& s : systems)
            found = found || s.used;
        return found;
    }
    // Whether distributions learn from symbol to symbol.
    bool mixes() const {
        bool found = false;
        for (const Family* family : families)
            found = found || family->known;
        return found;
    }

    // what Steps and Mixtures point to
    std::deque<std::vector<int32_t>> ids;
    std::deque<std::vector<int64_t>> numbers;
    std::deque<std::vector<double>> reals;
    std::deque<std::vector<int16_t>> shorts;
    std::deque<std::vector<const void*>> tables;
    std::deque<Affine> affines;
};

// What a plan is made for: to code; to know all values, each of which is then kept apart; or to know some of them.
enum class Purpose { CODE, TRACE, MEASURE };

std::unique_ptr<Plan> make_plan(const Spec& spec, const Kernels& kernels, Purpose purpose,
                                const std::vector<int>& wanted = {});

}  // namespace ride
