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
            if (!alive[i] && (drafts_[i].what == LEARN || drafts_[i].what == OBSERVE)) {
                const Draft& d = drafts_[i];
                const std::vector<int> looked = d.what == LEARN ? d.x : std::vector<int>{d.count};
                for (int row : looked)
                    alive[i] = alive[i] || needed[row];
                more = more || alive[i];
            }
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
    plan_.taps.resize(spec_.leads.size());
    for (size_t row = 0; row < plan_.rows.size(); row++)
        if (plan_.rows[row].plane >= 0 && needed[row]) plan_.taps.at(size_t(plan_.rows[row].pass)).push_back(int(row));
}

void Planner::place_ring() {
    plan_.lead = 1;
    std::vector<int> behind(spec_.planes.size(), -1);  // fronts that each plane must hold, beside the newest
    for (const auto& taps : plan_.taps)
        for (int row : taps) {
            const Row& r = plan_.rows[row];
            const int reach = -(r.dx + spec_.slope * r.dy), pass = spec_.planes.at(size_t(r.plane)).pass;
            const int back = reach + spec_.leads.at(size_t(pass)) - spec_.leads.at(size_t(r.pass));
            if (back < 0 || (back == 0 && pass >= r.pass)) throw Unsupported("taps that its fronts do not allow");
            if (-r.dy > spec_.rows_above || r.dx > spec_.right || -r.dx > spec_.left)
                throw Unsupported("taps out of reach");
            plan_.lead = std::max(plan_.lead, reach);
            behind[size_t(r.plane)] = std::max(behind[size_t(r.plane)], back);
        }
    plan_.ring_of.resize(spec_.leads.size());
    plan_.kept_at.resize(size_t(spec_.main_pass() + spec_.channels) + 1);
    for (size_t p = 0; p < behind.size(); p++) {
        if (behind[p] < 0) continue;
        const Plane& plane = spec_.planes[p];
        // border values are written ahead of their front
        const int held = plane.rule == BORDER ? plan_.lead + std::max(spec_.right, spec_.slope) : behind[p];
        int slots = 1;
        while (slots < held + 1)
            slots *= 2;
        const int32_t type = type_of(plane.lo, plane.hi);
        const int row = p < size_t(spec_.channels) ? -1 : plan_.kept.at(p - size_t(spec_.channels));
        const int stage = row < 0 ? -1 : stage_[size_t(row)];
        plan_.ring_of[size_t(plane.pass)].push_back(plan_.ring.size());
        if (row >= 0) plan_.kept_at.at(size_t(stage)).push_back(plan_.ring.size());
        plan_.ring.push_back({int(p), type, slots, plan_.slots_of[type], row, stage});
        plan_.slots_of[type] += size_t(slots);
    }
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
            use(row, end, spec_.main_pass() + int(c));
    for (const auto& rows : plan_.wanted)
        for (int row : rows)
            use(row, end, spec_.main_pass() + spec_.channels);
    for (int row : plan_.kept)
        use(row, end, stage_[row]);
    Pool temp, block, tile;
    for (size_t row = 0; row < n; row++) {
        Row& r = plan_.rows[row];
        if (r.space == TILE) r.offset = tile.take(bytes(int(row)));
        if (r.space == BLOCK) r.offset = block.take(bytes(int(row)));
        if (scratch[row]) r.space = whole_ || until[row] > stage_[row] ? BLOCK : TEMP;
    }
    for (int stage = 0; stage <= spec_.main_pass() + spec_.channels; stage++) {
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
