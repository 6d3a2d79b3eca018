// Reads programs as tests/native/specs.py writes them.
#pragma once

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "plan.hpp"

namespace ride {

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
        for (int64_t& value : found)
            value = number();
        return found;
    }
    std::string name() {
        const auto count = static_cast<size_t>(number());
        std::string found(count, ' ');
        for (char& each : found)
            each = data.at(at++);
        return found;
    }
    std::map<std::string, Array> arrays() {
        std::map<std::string, Array> found;
        for (int64_t n = number(); n--;) {
            std::string key = name();
            Array array{listed(), {}};
            for (int64_t length : listed())
                array.shape.push_back(size_t(length));
            found[key] = array;
        }
        return found;
    }
    Spec spec() {
        Spec spec;
        for (int* value : {&spec.channels, &spec.top, &spec.slope, &spec.rows_above, &spec.left, &spec.right})
            *value = int(number());
        for (int64_t lead : listed())
            spec.leads.push_back(int(lead));
        spec.halved = number() != 0;
        for (int64_t n = number(); n--;) {
            const int64_t lo = number(), hi = number(), rule = number(), initial = number(), pass = number();
            spec.planes.push_back({lo, hi, int(rule), initial, int(pass)});
        }
        for (int64_t n = number(); n--;) {
            const int64_t lo = number(), hi = number(), margin = number();
            spec.given.push_back({lo, hi, int(margin)});
        }
        for (int64_t size : listed())
            spec.parameters.push_back(size_t(size));
        for (int64_t n = number(); n--;) {
            Operation operation{name(), {}, 0, 0, {}};
            for (int64_t input : listed())
                operation.inputs.push_back(int(input));
            operation.size = int(number()), operation.stage = int(number());
            operation.attributes = arrays();
            spec.operations.push_back(operation);
            std::vector<int64_t> lo = listed(), hi = listed();
            spec.ranges.push_back({lo, hi});
        }
        for (int64_t n = number(); n--;) {
            Output output{name(), {}, {}};
            for (auto& [part, value] : arrays())
                output.parts[part] = int(value.value.at(0));
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

// Samples that are known beforehand, into planes [count, C, H, W].
inline void halve(const Spec& spec, const std::vector<std::vector<int32_t>>& parameters, int height, int width,
                  size_t count, std::vector<uint8_t>& planes) {
    for (int k = 0; k < int(count) * spec.channels; k++) {
        const int c = k % spec.channels, margin = spec.given[size_t(c)].margin;
        const auto& values = parameters[spec.parameters.size() + size_t(c)];
        for (int y = 0; y < height; y += 2)
            for (int x = 0; x < width; x += 2)
                planes[size_t((k * height + y) * width + x)] =
                    uint8_t(values[size_t((y + margin) * (width + 2 * margin) + x + margin)]);
    }
}

// The plans of all programs in a folder.
inline std::vector<std::unique_ptr<Plan>> read_plans(const std::string& folder, const Kernels& kernels) {
    std::vector<std::filesystem::path> paths;
    for (const auto& each : std::filesystem::directory_iterator(folder))
        paths.push_back(each.path());
    std::sort(paths.begin(), paths.end());
    std::vector<std::unique_ptr<Plan>> plans;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        Reader reader;
        reader.data.assign(std::istreambuf_iterator<char>(file), {});
        plans.push_back(make_plan(reader.spec(), kernels, Purpose::CODE));
    }
    return plans;
}

}  // namespace ride
