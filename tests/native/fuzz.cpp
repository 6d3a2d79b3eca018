// Feeds forged codes and parameters to the decoder, and any pictures to the encoder, for libFuzzer. See fuzz.sh.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "coding.hpp"
#include "dispatch.hpp"
#include "reader.hpp"
#include "together.hpp"

namespace {

using namespace ride;

std::vector<std::vector<std::unique_ptr<Plan>>> plans;  // of each instruction set

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* folder = std::getenv("RIDE_PROGRAMS");
    if (!folder) std::abort();
    for (const Kernels* kernels : usable_kernels())
        plans.push_back(read_plans(folder, *kernels));
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 7) return 0;
    const auto& set = plans[data[0] % plans.size()];
    const Plan& plan = *set[data[1] % set.size()];
    const int height = 1 + data[2] % 12, width = 1 + data[3] % 20;
    const bool encoding = data[4] & 1;
    const int shift = data[4] >> 1 & 31;  // of parameters: how large they are
    const int wanted = 1 + data[5] % 16;  // tiles
    data += 6, size -= 6;
    Parameters parameters;
    for (size_t count : plan.spec.parameters) {
        parameters.emplace_back(count);
        for (int32_t& value : parameters.back()) {
            uint8_t bytes[4] = {};
            const size_t n = std::min<size_t>(size, 4);
            std::memcpy(bytes, data, n);
            data += n, size -= n;
            std::memcpy(&value, bytes, 4);
            value >>= shift;
        }
    }
    for (const Given& plane : plan.spec.given) {
        parameters.emplace_back(size_t(height + 2 * plane.margin) * size_t(width + 2 * plane.margin));
        for (size_t i = 0; i < parameters.back().size() && size; i++)
            parameters.back()[i] = int32_t(plane.lo + data[i % size] % (plane.hi - plane.lo + 1));
    }
    const std::vector<Parameters> all(size_t(wanted), parameters);
    const Shape shape{height, width, together(plan, all.data(), wanted, most_together(plan, height, width))};
    const size_t count = size_t(shape.count), samples = size_t(plan.spec.channels) * shape.pixels();
    std::vector<uint8_t> planes(count * samples);
    std::vector<Code> codes;
    try {
        if (!encoding) {
            for (size_t tile = 0; tile < count; tile++)  // each begins later in the data
                codes.push_back({data + size * tile / count, size - size * tile / count});
            decode(plan, codes.data(), all.data(), shape, 1, planes.data(), nullptr);
            return 0;
        }
        for (size_t i = 0; i < planes.size() && size; i++)
            planes[i] = data[i % size];
        if (plan.spec.halved) halve(plan.spec, parameters, height, width, count, planes);
        std::vector<float> bits(count * shape.pixels());
        const auto made = encode(plan, planes.data(), all.data(), shape, 1, bits.data(), nullptr);
        for (const auto& code : made)
            codes.push_back({code.data(), code.size()});
        std::vector<uint8_t> back(planes.size());
        decode(plan, codes.data(), all.data(), shape, 1, back.data(), nullptr);
        if (back != planes) std::abort();
    } catch (const Damaged&) {
    }
    return 0;
}
