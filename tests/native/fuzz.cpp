// Feeds forged codes and parameters to the decoder, and any pictures to the encoder, for libFuzzer. See fuzz.sh.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "dispatch.hpp"
#include "tile.hpp"

namespace {

using namespace ride;

struct Reader {  // of tests/native/specs.py
    std::vector<char> data;
    size_t at = 0;

    int64_t number() {
        int64_t value;
        std::memcpy(&value, &data.at(at + 7) - 7, 8);
        at += 8;
        return value;
    }
    std::vector<int64_t> listed() {
        const auto count = static_cast<size_t>(number());
        std::vector<int64_t> found(count);
        for (int64_t& value : found) value = number();
        return found;
    }
    std::string name() {
        const auto count = static_cast<size_t>(number());
        std::string found(count, ' ');
        for (char& each : found) each = data.at(at++);
        return found;
    }
    std::map<std::string, Array> arrays() {
        std::map<std::string, Array> found;
        for (int64_t n = number(); n--;) {
            std::string key = name();
            Array array{listed(), {}};
            for (int64_t length : listed()) array.shape.push_back(size_t(length));
            found[key] = array;
        }
        return found;
    }
    Spec spec() {
        Spec spec;
        for (int* value : {&spec.channels, &spec.top, &spec.slope, &spec.rows_above, &spec.left, &spec.right})
            *value = int(number());
        for (int64_t n = number(); n--;) {
            const int64_t lo = number(), hi = number(), rule = number(), initial = number();
            spec.planes.push_back({lo, hi, int(rule), initial});
        }
        for (int64_t size : listed()) spec.parameters.push_back(size_t(size));
        for (int64_t n = number(); n--;) {
            Operation operation{name(), {}, 0, 0, {}};
            for (int64_t input : listed()) operation.inputs.push_back(int(input));
            operation.size = int(number()), operation.stage = int(number());
            operation.attributes = arrays();
            spec.operations.push_back(operation);
            std::vector<int64_t> lo = listed(), hi = listed();
            spec.ranges.push_back({lo, hi});
        }
        for (int64_t n = number(); n--;) {
            Output output{name(), {}, {}};
            for (auto& [part, value] : arrays()) output.parts[part] = int(value.value.at(0));
            output.tables = arrays();
            spec.outputs.push_back(output);
        }
        for (int64_t n = number(); n--;) {
            const int64_t value = number(), row = number();
            spec.kept.emplace_back(int(value), int(row));
        }
        return spec;
    }
};

std::vector<std::vector<std::unique_ptr<Plan>>> plans;  // of each instruction set

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* folder = std::getenv("RIDE_PROGRAMS");
    if (!folder) std::abort();
    std::vector<std::filesystem::path> paths;
    for (const auto& each : std::filesystem::directory_iterator(folder)) paths.push_back(each.path());
    std::sort(paths.begin(), paths.end());
    for (const Kernels* kernels : usable_kernels()) {
        plans.emplace_back();
        for (const auto& path : paths) {
            std::ifstream file(path, std::ios::binary);
            Reader reader;
            reader.data.assign(std::istreambuf_iterator<char>(file), {});
            plans.back().push_back(make_plan(reader.spec(), *kernels, Purpose::CODE));
        }
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 6) return 0;
    const auto& set = plans[data[0] % plans.size()];
    const Plan& plan = *set[data[1] % set.size()];
    const int height = 1 + data[2] % 40, width = 1 + data[3] % 40;
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
    std::vector<uint8_t> planes(size_t(plan.spec.channels) * size_t(height) * size_t(width));
    try {
        if (!encoding) {
            decode(plan, data, size, parameters, height, width, planes.data(), nullptr);
            return 0;
        }
        for (size_t i = 0; i < planes.size() && size; i++) planes[i] = data[i % size];
        std::vector<float> bits(size_t(height) * size_t(width));
        const auto code = encode(plan, planes.data(), parameters, height, width, bits.data(), nullptr);
        std::vector<uint8_t> back(planes.size());
        decode(plan, code.data(), code.size(), parameters, height, width, back.data(), nullptr);
        if (back != planes) std::abort();
    } catch (const Damaged&) {
    }
    return 0;
}
