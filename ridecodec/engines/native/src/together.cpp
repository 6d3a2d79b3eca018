#include "together.hpp"

#include <algorithm>

namespace ride {

int most_together(const Plan& plan, int height, int width) {
    if (plan.mixes()) return 1;
    int found = 1;
    while (2 * size_t(found) * longest_front(plan.spec, height, width) <= LANES)
        found *= 2;
    return found;
}

int together(int count, int most) {
    int found = 1;
    while (2 * found <= std::min(count, most))
        found *= 2;
    return found;
}

int useful_threads(const Plan& plan, const Shape& shape, int threads) {
    if (plan.learns()) return 1;
    const size_t most = longest_front(plan.spec, shape.height, shape.width) * size_t(shape.count) / LANES;
    return std::max(1, int(std::min(size_t(std::max(threads, 1)), most)));
}

}  // namespace ride
