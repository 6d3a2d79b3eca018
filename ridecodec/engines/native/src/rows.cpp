// Rows of a plan, of each type, and conversions between them.
#include <algorithm>

#include "planner.hpp"

namespace ride {

int Planner::add_row(int64_t lo, int64_t hi, int stage, int32_t type) {
    plan_.rows.push_back(Row{type < 0 ? type_of(lo, hi) : type});
    lo_.push_back(lo), hi_.push_back(hi), stage_.push_back(stage);
    return int(plan_.rows.size()) - 1;
}

int Planner::as(int row, int32_t wanted) {
    if (type(row) == wanted) return row;
    auto [found, isnew] = converted_.try_emplace({row, wanted}, 0);
    if (isnew) {
        found->second = add_row(lo_[row], hi_[row], stage_[row], wanted);
        Draft draft{CONVERT, stage_[row]};
        draft.x = {row}, draft.out = {found->second};
        drafts_.push_back(draft);
    }
    return found->second;
}
std::vector<int> Planner::as(const std::vector<int>& rows, int32_t wanted) {
    std::vector<int> found;
    for (int row : rows)
        found.push_back(as(row, wanted));
    return found;
}
int32_t Planner::widest(const std::vector<int>& rows) const {
    int32_t found = I16;
    for (int row : rows)
        found = std::max(found, type(row));
    return found;
}

int Planner::zero() {
    if (zero_ < 0) {
        zero_ = add_row(0, 0, 0, I16);
        plan_.rows[zero_].space = TILE;
    }
    return zero_;
}

int Planner::pair(int even, int odd) {
    even = as(even, I16), odd = as(odd, I16);
    auto [found, isnew] = packed_.try_emplace({even, odd}, 0);
    if (isnew) {
        int stage = std::max(stage_[even], stage_[odd]);
        found->second = add_row(0, 0, stage, PAIR);
        Draft draft{PACK, stage};
        draft.x = {even}, draft.y = {odd}, draft.out = {found->second};
        drafts_.push_back(draft);
    }
    return found->second;
}

}  // namespace ride
