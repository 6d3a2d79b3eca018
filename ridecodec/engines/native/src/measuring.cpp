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

void values(const Plan& plan, const uint8_t* planes, const Parameters& parameters, int height, int width,
            int32_t* out) {
    Tile tile(plan, &parameters, {height, width});
    Crew crew(1);
    const ptrdiff_t slope = plan.spec.slope, size = ptrdiff_t(height) * width;
    for (int t = tile.first_front(); t < tile.fronts(); t++) {
        if (!tile.enter(t, crew)) continue;
        for (int b = 0; b < tile.blocks(); b++)
            tile.load(planes, b);
        for (int stage = 0; stage < tile.channels(); stage++)
            for (int b = 0; b < tile.blocks(); b++)
                tile.compute(stage, b);
        for (int b = 0; b < tile.blocks(); b++) {
            tile.compute(tile.channels(), b);
            const ptrdiff_t y = tile.first_row() + b * LANES;
            ptrdiff_t plane = y * width + t - slope * y;
            for (const auto& rows : plan.wanted)
                for (int row : rows) {
                    for (int i = 0; i < tile.in_block(b); i++)
                        out[plane + i * (width - slope)] = int32_t(tile.value(row, i));
                    plane += size;
                }
        }
        tile.leave();
    }
}

}  // namespace ride
