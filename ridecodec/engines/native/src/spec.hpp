// A program as Python hands it over, see exact/program.py: ranges, shapes and indices are proven there.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ride {

// What a tile's bytes or parameters cannot be.
struct Damaged : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A program that this engine does not run.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Array {
    std::vector<int64_t> value;
    std::vector<size_t> shape;
};

struct Operation {
    std::string kind;
    std::vector<int> inputs;
    int size, stage;  // the stages of the passes ahead come before those of the pass without a lead
    std::map<std::string, Array> attributes;

    const Array& array(const std::string& name) const {
        auto found = attributes.find(name);
        if (found == attributes.end()) throw Unsupported("an operation '" + kind + "' has no " + name);
        return found->second;
    }
    int64_t number(const std::string& name) const {
        const Array& found = array(name);
        if (found.value.size() != 1) throw Unsupported("an operation '" + kind + "' has no number " + name);
        return found.value[0];
    }
};

struct Range {
    std::vector<int64_t> lo, hi;  // by row
};

enum Rule { BORDER, CONSTANT };

struct Plane {
    int64_t lo, hi;
    int rule;
    int64_t initial;
    int pass;  // that makes it
};

struct Given {  // a plane that is known beforehand, with its margin
    int64_t lo, hi;
    int margin;
};

struct Output {
    std::string family;
    std::map<std::string, int> parts;
    std::map<std::string, Array> tables;
};

struct Spec {
    int channels, top, slope;
    int rows_above, left, right;  // the taps' reach
    std::vector<int> leads;       // of the passes, the largest first; the last has none
    bool halved;                  // pixels of even row and column are the first given planes'
    std::vector<Plane> planes;
    std::vector<Given> given;
    std::vector<size_t> parameters;  // sizes
    std::vector<Operation> operations;
    std::vector<Range> ranges;
    std::vector<Output> outputs;
    std::vector<std::pair<int, int>> kept;  // value and its row, of each plane behind the samples'

    int main_pass() const { return int(leads.size()) - 1; }  // the pass without a lead, and its first stage
};

}  // namespace ride
