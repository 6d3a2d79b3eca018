#include "together.hpp"

namespace ride {
namespace {

bool same_weights(const Plan& plan, const Parameters& one, const Parameters& other) {
    for (const FittedWeights& w : plan.fitted) {
        const size_t k = size_t(w.parameter);
        if (k >= one.size() || k >= other.size() || one[k] != other[k]) return false;
    }
    return true;
}

}  // namespace

int most_together(const Plan& plan, int height, int width) {
    int found = 1;
    while (2 * size_t(found) * longest_front(plan.spec, height, width) <= LANES)
        found *= 2;
    return found;
}

int together(const Plan& plan, const Parameters* parameters, int count, int most) {
    int found = 1, same = 1;
    while (2 * found <= std::min(count, most)) {
        for (; same < 2 * found; same++)
            if (!same_weights(plan, parameters[0], parameters[same])) return found;
        found *= 2;
    }
    return found;
}

int useful_threads(const Plan& plan, const Shape& shape, int threads) {
    if (plan.learns()) return 1;
    const size_t most = longest_front(plan.spec, shape.height, shape.width) * size_t(shape.count) / LANES;
    return std::max(1, int(std::min(size_t(std::max(threads, 1)), most)));
}

}  // namespace ride
