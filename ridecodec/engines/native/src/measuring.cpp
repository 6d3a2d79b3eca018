#include "measuring.hpp"

#include <algorithm>
#include <stdexcept>

#include "tile.hpp"

namespace ride {

std::vector<std::vector<int64_t>> trace(const Plan& plan, const uint8_t* planes, const Parameters& parameters,
                                        int height, int width, int y, int x) {
    Tile tile(plan, &parameters, {height, width});
    const Spec& spec = plan.spec;
    const int wanted = x + spec.slope * y;
    std::vector<std::vector<int64_t>> found(plan.values.size());
    for (int t = tile.first_front(); t <= wanted; t++)
        for (int pass = 0; pass <= spec.main_pass(); pass++) {
            const int front = t + spec.leads[size_t(pass)];
            if (!tile.enter(front, pass)) continue;
            const int last = pass < spec.main_pass() ? pass : spec.main_pass() + spec.channels;
            for (int b = 0; b < tile.blocks(); b++) {
                if (pass == spec.main_pass()) tile.load(planes, b);
                for (int stage = pass; stage <= last; stage++)
                    tile.compute_in(stage, b);
                const int lane = y - tile.first_row() - b * LANES;
                if (front != wanted || lane < 0 || lane >= LANES) continue;
                for (size_t v = 0; v < found.size(); v++)
                    if (spec.operations[v].stage >= pass && spec.operations[v].stage <= last)
                        for (int row : plan.values[v])
                            found[v].push_back(tile.value(row, lane));
            }
            tile.leave();
        }
    return found;
}

Squares squares(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height, int width,
                int groups, int every) {
    if (plan.learns()) throw std::invalid_argument("memories learn only where tiles are coded");
    Tile tile(plan, &parameters, {height, width});
    Crew crew(1);
    const Kernels& kernels = *plan.kernels;
    const size_t vectors = plan.wanted.size() - 2;
    std::vector<Rows> rows;
    std::vector<std::vector<int32_t>> ids;
    for (const auto& wanted : plan.wanted)
        ids.emplace_back(wanted.begin(), wanted.end());
    for (const auto& each : ids)
        rows.push_back({each.data(), int32_t(each.size()), I32});
    Squares found;
    found.pixels.resize(size_t(groups));
    std::vector<int32_t> strides;
    std::vector<std::vector<double>> sums, lanes;
    for (size_t v = 0; v < vectors; v++) {
        strides.push_back((rows[v + 2].count + 7) / 8 * 8);
        sums.emplace_back(size_t(groups) * size_t(strides[v]) * size_t(strides[v]));
        lanes.emplace_back(size_t(LANES) * size_t(strides[v]));
    }
    std::vector<std::vector<int>> members(static_cast<size_t>(groups));  // lanes of a block, by group
    for (int t = tile.first_front(); t < tile.fronts(); t++) {
        if (!tile.enter(t, crew)) continue;
        for (int b = 0; b < tile.blocks(); b++) {
            tile.load(planes, b);
            for (int stage = 0; stage <= tile.channels(); stage++)
                tile.compute(stage, b);
            double group[LANES], weight[LANES];
            kernels.collect(rows[0], tile.frame(), group, 1);
            kernels.collect(rows[1], tile.frame(), weight, 1);
            for (auto& each : members)
                each.clear();
            for (int i = 0; i < tile.in_block(b); i++) {
                if ((tile.first_row() + b * LANES + i) / 2 % every) continue;
                if (group[i] < 0 || group[i] >= groups) throw std::invalid_argument("a pixel is of no group");
                members[size_t(group[i])].push_back(i);
            }
            for (size_t v = 0; v < vectors; v++)
                kernels.collect(rows[v + 2], tile.frame(), lanes[v].data(), strides[v]);
            for (size_t g = 0; g < members.size(); g++) {
                const auto& own = members[g];
                if (own.empty()) continue;
                found.pixels[g] += double(own.size());
                double weights[LANES];
                for (size_t i = 0; i < own.size(); i++)
                    weights[i] = weight[own[i]];
                for (size_t v = 0; v < vectors; v++) {
                    const size_t stride = size_t(strides[v]);
                    const double* apart[LANES];
                    for (size_t i = 0; i < own.size(); i++)
                        apart[i] = &lanes[v][size_t(own[i]) * stride];
                    kernels.add_squares(&sums[v][g * stride * stride], apart, weights, int32_t(own.size()), strides[v]);
                }
            }
        }
        tile.leave();
    }
    for (size_t v = 0; v < vectors; v++) {
        const size_t n = size_t(rows[v + 2].count), stride = size_t(strides[v]);
        std::vector<double> whole(size_t(groups) * n * n);
        for (size_t g = 0; g < size_t(groups); g++)
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                    whole[(g * n + i) * n + j] = sums[v][(g * stride + std::max(i, j)) * stride + std::min(i, j)];
        found.sums.push_back(std::move(whole));
    }
    return found;
}

}  // namespace ride
