// What of a plan is needed, and where its rows and planes stand.
#include <algorithm>

#include "planner.hpp"

namespace ride {
namespace {

struct Pool {  // room for rows, by their size
    std::map<size_t, std::vector<size_t>> free;
    size_t top = 0;
    size_t take(size_t bytes) {
        auto& found = free[bytes];
        if (found.empty()) return top += bytes, top - bytes;
        size_t at = found.back();
        found.pop_back();
        return at;
    }
};

}  // namespace

void Planner::keep() {
    size_t plane = size_t(spec_.channels);
    for (auto& [v, row] : spec_.kept) {
        const Plane& wanted = spec_.planes.at(plane++);
        plan_.kept.push_back(as(rows(v).at(size_t(row)), type_of(wanted.lo, wanted.hi)));
    }
}

void Planner::drop_dead() {
    std::stable_sort(drafts_.begin(), drafts_.end(), [](const Draft& a, const Draft& b) { return a.stage < b.stage; });
    std::vector<bool> needed(plan_.rows.size(), whole_), alive(drafts_.size());
    for (auto* ends : {&ends_, &plan_.wanted})
        for (auto& rows : *ends)
            for (int row : rows)
                needed[row] = true;
    for (bool more = true; more;) {
        for (size_t i = drafts_.size(); i--;) {
            const Draft& draft = drafts_[i];
            for (int row : draft.out)
                alive[i] = alive[i] || needed[row];
            if (!alive[i]) continue;
            for (auto* rows : {&draft.x, &draft.y})
                for (int row : *rows)
                    needed[row] = true;
        }
        more = false;
        for (size_t i = 0; i < drafts_.size(); i++)  // what is looked into must learn
            if (drafts_[i].what == LEARN && !alive[i])
                for (int row : drafts_[i].x)
                    more = more || needed[row], alive[i] = alive[i] || needed[row];
        for (size_t row = 0; row < plan_.rows.size(); row++)  // what is reached must be kept
            if (int plane = plan_.rows[row].plane; plane >= spec_.channels && needed[row]) {
                const int kept = plan_.kept[plane - spec_.channels];
                more = more || !needed[kept];
                needed[kept] = true;
            }
    }
    std::vector<Draft> left;
    for (size_t i = 0; i < drafts_.size(); i++)
        if (alive[i]) left.push_back(std::move(drafts_[i]));
    drafts_ = std::move(left);
    for (size_t row = 0; row < plan_.rows.size(); row++)
        if (plan_.rows[row].plane >= 0 && needed[row]) plan_.taps.push_back(int(row));
}

void Planner::place_ring() {
    int lead = 1;
    std::vector<bool> reached(spec_.planes.size());
    for (int row : plan_.taps) {
        const Row& r = plan_.rows[row];
        lead = std::max(lead, -(r.dx + spec_.slope * r.dy));
        if (r.dx + spec_.slope * r.dy >= 0) throw Unsupported("taps that its fronts do not allow");
        if (-r.dy > spec_.rows_above || r.dx > spec_.right || -r.dx > spec_.left)
            throw Unsupported("taps out of reach");
        reached[r.plane] = true;
    }
    for (size_t p = 0; p < reached.size(); p++) {
        if (!reached[p]) continue;
        int32_t type = type_of(spec_.planes[p].lo, spec_.planes[p].hi);
        plan_.ring.push_back({int(p), type, plan_.planes_of[type]++});
    }
    plan_.lead = lead, plan_.ahead = std::max(spec_.right, spec_.slope);
    plan_.slots = 1;
    while (plan_.slots < lead + 1 + plan_.ahead)
        plan_.slots *= 2;
}

void Planner::place_rows() {
    size_t n = plan_.rows.size(), end = drafts_.size();
    std::vector<size_t> last(n, 0);  // the draft that uses a row last
    std::vector<int> until(stage_);  // the stage that does
    std::vector<bool> scratch(n, false);
    auto use = [&](int row, size_t at, int stage) { last[row] = at, until[row] = std::max(until[row], stage); };
    for (size_t i = 0; i < end; i++) {
        for (int row : drafts_[i].x)
            use(row, i, drafts_[i].stage);
        for (int row : drafts_[i].y)
            use(row, i, drafts_[i].stage);
        for (int row : drafts_[i].out)
            use(row, i, drafts_[i].stage), scratch[row] = true;
    }
    for (size_t c = 0; c < ends_.size(); c++)
        for (int row : ends_[c])
            use(row, end, int(c));
    for (const auto& rows : plan_.wanted)
        for (int row : rows)
            use(row, end, spec_.channels);
    for (int row : plan_.kept)
        use(row, end, spec_.channels);
    Pool temp, block, tile;
    for (size_t row = 0; row < n; row++) {
        Row& r = plan_.rows[row];
        if (r.space == TILE) r.offset = tile.take(bytes(int(row)));
        if (r.space == BLOCK) r.offset = block.take(bytes(int(row)));
        if (scratch[row]) r.space = whole_ || until[row] > stage_[row] ? BLOCK : TEMP;
    }
    for (int stage = 0; stage <= spec_.channels; stage++) {
        for (size_t row = 0; row < n && !whole_; row++)
            if (scratch[row] && plan_.rows[row].space == BLOCK && stage_[row] < stage && until[row] == stage - 1)
                block.free[bytes(int(row))].push_back(plan_.rows[row].offset);
        Pool own;
        for (size_t i = 0; i < end; i++) {
            const Draft& draft = drafts_[i];
            if (draft.stage != stage) continue;
            for (int row : draft.out) {
                Row& r = plan_.rows[row];
                r.offset = (r.space == BLOCK ? block : own).take(bytes(row));
            }
            for (auto* rows : {&draft.x, &draft.y, &draft.out})
                for (int row : *rows)
                    if (scratch[row] && plan_.rows[row].space == TEMP && last[row] == i) {
                        own.free[bytes(row)].push_back(plan_.rows[row].offset);
                        last[row] = end + 1;  // once
                    }
        }
        temp.top = std::max(temp.top, own.top);
    }
    plan_.space_bytes[TEMP] = temp.top, plan_.space_bytes[BLOCK] = block.top, plan_.space_bytes[TILE] = tile.top;
    for (const Row& r : plan_.rows)
        plan_.space.push_back(r.space);
}

}  // namespace ride
