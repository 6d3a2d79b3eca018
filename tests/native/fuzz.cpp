// Feeds forged codes and parameters to the decoder, and any pictures to the encoder, for libFuzzer. See fuzz.sh.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "coding.hpp"
#include "dispatch.hpp"
#include "reader.hpp"

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
    if (size < 6) return 0;
    const auto& set = plans[data[0] % plans.size()];
    const Plan& plan = *set[data[1] % set.size()];
    const int height = 1 + data[2] % 12, width = 1 + data[3] % 20;
    const bool encoding = data[4] & 1;
    const int shift = data[4] >> 1 & 31;  // of parameters: how large they are
    data += 5, size -= 5;
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
    std::vector<uint8_t> planes(size_t(plan.spec.channels) * size_t(height) * size_t(width));
    try {
        if (!encoding) {
            decode(plan, data, size, parameters, height, width, planes.data(), nullptr);
            return 0;
        }
        for (size_t i = 0; i < planes.size() && size; i++)
            planes[i] = data[i % size];
        if (plan.spec.halved) halve(plan.spec, parameters, height, width, planes);
        std::vector<float> bits(size_t(height) * size_t(width));
        const auto code = encode(plan, planes.data(), parameters, height, width, bits.data(), nullptr);
        std::vector<uint8_t> back(planes.size());
        decode(plan, code.data(), code.size(), parameters, height, width, back.data(), nullptr);
        if (back != planes) std::abort();
    } catch (const Damaged&) {
    }
    return 0;
}
