// Codes noise by all programs of a folder with every instruction set, decodes it again, and prints a digest of the
// codes: the same on every processor. See elsewhere.sh.
#include <cstdio>

#include "coding.hpp"
#include "dispatch.hpp"
#include "reader.hpp"

int main(int, char** arguments) {
    using namespace ride;
    for (const Kernels* kernels : usable_kernels()) {
        uint64_t digest = 14695981039346656037u, state = 1;
        auto random = [&] { return state = state * 6364136223846793005u + 1442695040888963407u, state >> 33; };
        for (const auto& plan : read_plans(arguments[1], *kernels)) {
            const int height = 1 + int(random() % 90), width = 1 + int(random() % 50);
            Parameters parameters;
            for (size_t count : plan->spec.parameters) {
                parameters.emplace_back(count);
                for (int32_t& value : parameters.back())
                    value = int32_t(random() % 21) - 10;
            }
            for (const Given& plane : plan->spec.given) {
                parameters.emplace_back(size_t(height + 2 * plane.margin) * size_t(width + 2 * plane.margin));
                for (int32_t& value : parameters.back())
                    value = int32_t(plane.lo + int64_t(random()) % (plane.hi - plane.lo + 1));
            }
            std::vector<uint8_t> planes(size_t(plan->spec.channels) * size_t(height) * size_t(width)),
                back(planes.size());
            for (size_t i = 0; i < planes.size(); i++)
                planes[i] = uint8_t(i % 7 ? planes[i - 1] + random() % 3 : random());
            if (plan->spec.halved) halve(plan->spec, parameters, height, width, 1, planes);
            const Shape shape{height, width};
            std::vector<float> bits(shape.pixels());
            const auto code = encode(*plan, planes.data(), &parameters, shape, 1, bits.data(), nullptr)[0];
            const Code read{code.data(), code.size()};
            decode(*plan, &read, &parameters, shape, 1, back.data(), nullptr);
            if (back != planes) return std::puts("decoding gives other samples"), 1;
            for (uint8_t byte : code)
                digest = (digest ^ byte) * 1099511628211u;
        }
        std::printf("%s %016llx\n", kernels->name, static_cast<unsigned long long>(digest));
    }
}
