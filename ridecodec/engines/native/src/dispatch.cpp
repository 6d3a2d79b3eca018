#include "dispatch.hpp"

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ride {

namespace baseline {
extern const Kernels kernels;
}
#ifdef RIDE_AVX2
namespace avx2 {
extern const Kernels kernels;
}
#endif
#ifdef RIDE_AVX512
namespace avx512 {
extern const Kernels kernels;
}
#endif

#if defined(__x86_64__) || defined(_M_X64)
namespace {

struct Leaf {
    uint32_t a = 0, b = 0, c = 0, d = 0;

    Leaf(uint32_t number, uint32_t part) {
#ifdef _MSC_VER
        int found[4];
        __cpuid(found, 0);
        if (uint32_t(found[0]) < number) return;
        __cpuidex(found, int(number), int(part));
        a = uint32_t(found[0]), b = uint32_t(found[1]), c = uint32_t(found[2]), d = uint32_t(found[3]);
#else
        __get_cpuid_count(number, part, &a, &b, &c, &d);
#endif
    }
};

// Registers that the operating system saves.
uint64_t saved_registers() {
#ifdef _MSC_VER
    return _xgetbv(0);
#else
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return uint64_t(high) << 32 | low;
#endif
}

bool all(uint32_t flags, std::initializer_list<int> bits) {
    for (int bit : bits)
        if (!(flags >> bit & 1)) return false;
    return true;
}

bool has_avx2() {
    const Leaf one(1, 0), seven(7, 0);
    return all(one.c, {12, 23, 27, 28}) && (saved_registers() & 6) == 6 &&
           all(seven.b, {3, 5, 8});  // with FMA, POPCNT, BMI
}

bool has_avx512() {
    const Leaf seven(7, 0);
    return has_avx2() && (saved_registers() & 0xe6) == 0xe6 && all(seven.b, {16, 17, 30, 31}) && all(seven.c, {11});
}

}  // namespace
#endif

std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> found;
#ifdef RIDE_AVX512
    if (has_avx512()) found.push_back(&avx512::kernels);
#endif
#ifdef RIDE_AVX2
    if (has_avx2()) found.push_back(&avx2::kernels);
#endif
    found.push_back(&baseline::kernels);
    return found;
}

}  // namespace ride
