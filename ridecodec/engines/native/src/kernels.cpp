// The operations on rows of lanes, and the families. Compiled once for each instruction set, as namespace RIDE_SET;
// what it includes has no inline function that another object could have too, and the standard library is not used.
#include <cstring>

#include "plain.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifdef _MSC_VER
#define RESTRICT __restrict
#define INLINE __forceinline
#define KEEP_IN_REGISTER(x)
#define UNROLL
#define PREFETCH(x) (void)(x)
#else
#define RESTRICT __restrict__
#define INLINE inline __attribute__((always_inline))
#define PREFETCH(x) __builtin_prefetch(x)
#if defined(__x86_64__)
#define KEEP_IN_REGISTER(x) __asm__("" : "+x"(x))  // else each use loads it again
#else
#define KEEP_IN_REGISTER(x)
#endif
#endif

namespace ride {
namespace RIDE_SET {
namespace {

#include "simd.hpp"

template <int TYPE>
struct Lane;
template <>
struct Lane<I16> {
    using T = int16_t;
};
template <>
struct Lane<I32> {
    using T = int32_t;
};
template <>
struct Lane<I64> {
    using T = int64_t;
};
template <>
struct Lane<REAL> {
    using T = double;
};
template <int TYPE>
using LaneOf = typename Lane<TYPE>::T;

// Unsigned twins: sums may wrap on their way.
template <class T>
struct Wrap;
template <>
struct Wrap<int16_t> {
    using T = uint16_t;
};
template <>
struct Wrap<int32_t> {
    using T = uint32_t;
};
template <>
struct Wrap<int64_t> {
    using T = uint64_t;
};

template <class T>
INLINE T* at(const Frame& f, int32_t row) {
    return reinterpret_cast<T*>(f.row[row] + f.shift[f.space[row]]);
}
template <class T>
INLINE T least(T a, T b) {
    return a < b ? a : b;
}
template <class T>
INLINE T most(T a, T b) {
    return a > b ? a : b;
}
// A bound of int64 in a narrower type.
template <class T>
INLINE T limit(int64_t x) {
    constexpr int64_t top = int64_t((uint64_t(1) << (8 * sizeof(T) - 1)) - 1);
    return T(x > top ? top : x < -top - 1 ? -top - 1 : x);
}

#include "affine.hpp"
#include "elementwise.hpp"
#include "even.hpp"
#include "gaussians.hpp"
#include "least_squares.hpp"
#include "logistics.hpp"
#include "memory.hpp"
#include "mixed.hpp"
#include "softmax.hpp"
#include "spikes.hpp"
#include "tables.hpp"
#include "wide.hpp"

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {
    RIDE_NAME,
    find_pairwise,
    find_absolute,
    find_clamp,
    find_shift,
    find_convert,
    find_lookup,
    find_lookup_many,
    find_select,
    find_affine,
    find_look,
    find_learn,
    find_predict,
    find_observe,
    find_give,
    place,
    pack,
    {family<Logistics>(), family<Even>(), family<Spikes>(), family<Wide<false>>(), family<Wide<true>>(),
     family<Gaussians>(), family<Softmax>(), Mixed::family()},
    end_block,
    begin_block,
    symbols,
};

}  // namespace RIDE_SET
}  // namespace ride
