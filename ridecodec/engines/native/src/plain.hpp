// What the interpreter and the kernels share: plain data and no function. The kernels' source is compiled once for each
// instruction set; an inline function seen by two of these objects could run with instructions that are not there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ride {

constexpr int LANES = 64;       // pixels of a front that are computed together, a row of a value
constexpr int CHUNK = 16;       // lanes are used in multiples of this
constexpr int SYMBOLS = 16;     // of a coding step
constexpr int MOST_TABLES = 4;  // that are looked up and added at once
constexpr int32_t TABLE_TOTAL = (1 << 24) - SYMBOLS;
constexpr int32_t VALUES = SYMBOLS * SYMBOLS;
constexpr int32_t GAIN = 64;
constexpr int32_t CDF_TOTAL = GAIN * (TABLE_TOTAL - VALUES);

// How the lanes of a row are stored. Pairs are two int16 rows in one of int32: the even row in the low half.
enum Type : int32_t { I16, I32, I64, REAL, PAIR, TYPES };
constexpr int32_t TYPE_BYTES[TYPES] = {2, 4, 8, 8, 4};

// Where a row is stored: in scratch that the blocks of a thread share, in the block's own, in the tiles' (the same for
// all pixels of a tile), or in the ring of fronts, whose planes are of three types.
enum Space : uint8_t { TEMP, BLOCK, TILE, RING16, RING32, RING64, SPACES };

struct Rows {  // rows of one type; `id` indexes Frame::row
    const int32_t* id;
    int32_t count;
    int32_t type;
};

struct Slot {  // of a table of contexts; a tag of 0 is none
    uint32_t latest, before, tag, count;
};

constexpr int MOST_INPUTS = 32;  // of a system of least squares
constexpr float LEAST_SUM = 1.0f;

// Least squares of a tile, see exact/least_squares.py: upper triangles of matrices, [groups of CHUNK
// lanes][entries][lanes]. The lanes are those of all rows, and in a row of all tiles side by side.
struct LeastSquares {
    int32_t inputs, entries, block, lag;  // columns of a block; blocks that a row is behind the one above it
    int32_t tiles;                        // side by side: lanes from a row to the next
    float along, down, ridge;
    float* sums;        // of the block
    float *left, *all;  // of the blocks to the left; of all that its weights were made of
    float* below;       // [lag] by block: what the row below will look at; groups of no row first
    size_t slot;        // floats of one of these
    float* weights;     // [groups][inputs][lanes]
};

struct Frame {  // where the rows of a block of pixels are, and where the block is
    char* const* row;
    const uint8_t* space;
    ptrdiff_t shift[SPACES];
    int32_t pixels, lanes;  // those in use, and rounded up to CHUNK
    int32_t y, x, slope;    // of the first pixel
    int32_t tile_bits;      // lane i is pixel (y + r, x - slope * r) of tile i mod 2^tile_bits, r = i >> tile_bits
    int32_t height, width;
    Slot* const* memory;  // tables of contexts, 2^slot_bits slots each, of each tile, by operation
    int32_t slot_bits;
    const LeastSquares* systems;  // by operation
    const int32_t* const* given;  // planes that are known beforehand, of each tile, from its first pixel on
};

struct Step;
using Run = void (*)(const Step&, const Frame&);

// How sums are formed: of int16 pairs or int32 in int32, which may wrap on the way to a sum that fits; in doubles,
// which hold all partial sums exactly; or term by term in int16, int32 or int64.
enum AffineKind : int32_t { PAIRS, WORDS, REALS, TERMS16, TERMS32, TERMS64 };

// floor((weight x + bias + plus) / 2^shift), clamped to lo..hi. Dense weights lie in blocks of four rows:
// [block][column][4]; a column of PAIRS is a pair of int16. TERMS: row r is the sum of x[k] times weight[k], k from
// first[r] to first[r + 1].
struct Affine {
    AffineKind kind;
    int32_t rows, columns;
    const void* weight;    // int32 or double
    const int64_t* bias;   // [rows]
    const int32_t* shift;  // [rows]
    const int32_t* first;  // [rows + 1]
    const int32_t* type;   // of each term's input
};

struct Step {  // one instruction
    Run run;
    Rows x, y, out;
    int64_t lo, hi;     // of a clamp
    int32_t bits;       // of a shift; number of a memory or a system; margin of a given plane, whose offset is lo, hi
    int32_t count;      // of a select's alternatives, a look-up's columns, a memory's contexts; a given plane's number
    const void* table;  // int16 or int32 [entries, count], or of LOOKUP_MANY pointers to them; int32 ends of contexts
    const Affine* affine;
};

enum Pairwise : int32_t { ADD, SUBTRACT, MULTIPLY, MINIMUM, MAXIMUM, LESS, EQUAL, PAIRWISE };
// What is done to a pairwise result at once: nothing, a shift, a clamp, or both.
enum Then : int32_t { NOTHING, SHIFTED = 1, CLAMPED = 2, THENS = 4 };

// A family's distributions of one channel: the rows of its parts, its tables, and what its state takes.
constexpr int PARTS = 8;
struct Mixture {
    Rows part[PARTS];
    const int32_t* table[PARTS];
    int32_t length[PARTS];  // of the tables
    int32_t count;          // of components
    const int32_t* sizes;   // of the sets of weights, where the family learns
};

struct Interval {
    uint32_t start, width;
};

struct Reading {            // the decoder of the range coder
    uint64_t point, range;  // the code's point, less the interval's lower end; the interval's width
    const uint8_t *next, *end;
    uint64_t beyond;  // bytes read behind the end
};

struct Family {
    size_t (*state)(const Mixture&);  // bytes that a block keeps for it
    void (*prepare)(const Mixture&, const Frame&, char* state);
    // edges of the steps' intervals below 2^24, [lanes][16], and for `low` what `high` left of the cumulatives
    void (*high)(const Mixture&, const char* state, int32_t pixels, uint32_t* edges, int32_t* below);
    void (*low)(const Mixture&, const char* state, int32_t pixels, const uint8_t* high, const int32_t* below,
                uint32_t* edges);
    void (*intervals)(const Mixture&, const char* state, int32_t pixels, const int16_t* value, Interval* high,
                      Interval* low);
    // Of a family that learns, in place of these three; else null. Bytes that a tile keeps for it, and what is in them
    // at first; then pixel by pixel, in the order of their coding, while the block's values are those of the frame.
    size_t (*learnt)(const Mixture&);
    void (*begin)(const Mixture&, char* memory);
    int32_t (*known)(const Mixture&, const Frame&, const char* state, char* memory, int32_t pixel, int32_t value,
                     Interval* out);
    int32_t (*read)(const Mixture&, const Frame&, const char* state, char* memory, int32_t pixel, Reading&);
};

enum FamilyKind : int32_t { LOGISTICS, EVEN, SPIKES, WIDE_HIGH, WIDE_LOW, GAUSSIANS, SOFTMAX, MIXED, FAMILIES };

struct Kernels {  // one instruction set
    const char* name;
    Run (*pairwise)(int op, int then, int x, int y, int out);  // by types
    Run (*absolute)(int x, int out);
    Run (*clamp)(int x, int out);
    Run (*shift)(int x, int out);
    Run (*convert)(int x, int out);
    Run (*lookup)(int table, int x, int out);
    Run (*lookup_many)(int table, int x, int out);
    Run (*select)(int index, int x);
    Run (*affine)(int kind, int out);
    Run (*look)(int x, int out);
    Run (*learn)(int x);
    Run (*predict)(int x);
    Run (*observe)(int x);
    Run (*give)(int out);
    Run place, pack;
    Family family[FAMILIES];
    // end the block before `time`, and begin the one at it, in CHUNK lanes from a multiple of it on
    void (*end_block)(const LeastSquares&, int32_t time, int32_t lane);
    void (*begin_block)(const LeastSquares&, int32_t time, int32_t lane);
    // symbols by their edges, of 2^tile_bits tiles in turn; false: a code is none of these tables'
    bool (*symbols)(Reading*, int32_t tile_bits, const uint32_t* edges, int32_t pixels, uint8_t* out);
};

}  // namespace ride
