// What the coder needs of each channel.
#include <array>

#include "planner.hpp"

namespace ride {

void Planner::mixture(int channel) {
    static const std::map<std::string, std::pair<FamilyKind, std::array<std::vector<const char*>, 2>>> families = {
        {"logistics", {LOGISTICS, {{{"logits", "means", "scales"}, {"logistic", "inverse", "exponential"}}}}},
        {"even", {EVEN, {{{"top"}, {}}}}},
        {"spikes",
         {SPIKES,
          {{{"logits", "means", "scales", "values", "alive", "odds", "top"},
            {"logistic", "inverse", "exponential", "odds"}}}}},
        {"gaussians", {GAUSSIANS, {{{"logits", "means"}, {"normal", "exponential", "inverse"}}}}},
        {"wide.high", {WIDE_HIGH, {{{"logits", "means", "scales"}, {"logistic", "inverse", "exponential"}}}}},
        {"softmax", {SOFTMAX, {{{"logits"}, {"exponential"}}}}},
        {"mixed",
         {MIXED,
          {{{"logits", "means", "scales", "experts", "bins", "sets", "contexts"},
            {"logistic", "inverse", "exponential", "starts", "quantiles", "squash"}}}}},
        {"wide.low", {WIDE_LOW, {{{"logits", "means", "scales", "high"}, {"logistic", "inverse", "exponential"}}}}},
    };
    const Output& output = spec_.outputs.at(channel);
    auto found = families.find(output.family);
    if (found == families.end()) throw Unsupported("distributions '" + output.family + "'");
    auto& [kind, names] = found->second;
    Mixture m{};
    std::vector<int> needed;
    for (size_t i = 0; i < names[0].size(); i++) {
        auto rows32 = as(rows(output.parts.at(names[0][i])), I32);
        m.part[i] = list(rows32);
        needed.insert(needed.end(), rows32.begin(), rows32.end());
    }
    for (size_t i = 0; i < names[1].size(); i++) {
        const Array& table = output.tables.at(names[1][i]);
        plan_.ids.emplace_back(table.value.begin(), table.value.end());
        m.table[i] = plan_.ids.back().data(), m.length[i] = int32_t(table.value.size());
    }
    m.count = m.part[0].count;
    if (kind == MIXED) {
        const auto& most = spec_.ranges.at(size_t(output.parts.at("sets"))).hi;
        plan_.ids.emplace_back();
        for (int64_t each : most)
            plan_.ids.back().push_back(int32_t(each) + 1);
        m.sizes = plan_.ids.back().data();
    }
    plan_.mixtures.push_back(m);
    plan_.families.push_back(&plan_.kernels->family[kind]);
    ends_.push_back(needed);
}

}  // namespace ride
