// Tables, selections, and what learns.
#include <algorithm>

#include "planner.hpp"

namespace ride {
namespace {

constexpr size_t FEW_COLUMNS = 8;  // tables with more are read a row at a time

}  // namespace

void Planner::lookup(int v) {
    const Array& table = op(v).array("table");
    size_t entries = table.shape.at(0), columns = table.shape.at(1);
    int32_t kept = I16;
    for (int64_t x : table.value)
        kept = std::max(kept, type_of(x, x));
    if (kept > I32) throw Unsupported("tables of more than 32 bits");
    const void* data;
    if (kept == I16) {
        plan_.shorts.emplace_back(table.value.begin(), table.value.end());
        data = plan_.shorts.back().data();
    } else {
        plan_.ids.emplace_back(table.value.begin(), table.value.end());
        data = plan_.ids.back().data();
    }
    const auto& x = rows(op(v).inputs[0]);
    for (int row : x)
        if (lo_[row] < 0 || hi_[row] >= int64_t(entries)) throw Unsupported("a look-up outside of its table");
    for (size_t i = 0; i < x.size(); i++) {
        int index = type(x[i]) == I64 ? as(x[i], I32) : x[i];
        Draft draft{columns > FEW_COLUMNS ? LOOKUP_MANY : LOOKUP, op(v).stage};
        draft.x = {index}, draft.count = int(columns), draft.table_type = kept;
        if (draft.what == LOOKUP_MANY) {
            draft.tables = {data};
            look_up(v, draft, i * columns);
            if (x.size() == 1) looked_[v] = draft;
            continue;
        }
        for (size_t j = 0; j < columns; j++) {
            size_t r = i * columns + j;
            draft.out = {add_row(range(v).lo[r], range(v).hi[r], draft.stage)};
            draft.table = kept == I16 ? static_cast<const void*>(static_cast<const int16_t*>(data) + j)
                                      : static_cast<const void*>(static_cast<const int32_t*>(data) + j);
            plan_.values[v].push_back(draft.out[0]);
            drafts_.push_back(draft);
        }
    }
}

// Rows of v from `first` on, which a draft looks up in many columns.
void Planner::look_up(int v, Draft draft, size_t first) {
    const Range& r = range(v);
    const size_t end = first + size_t(draft.count);
    int32_t wanted = I16;
    for (size_t j = first; j < end; j++)
        wanted = std::max(wanted, type_of(r.lo[j], r.hi[j]));
    for (size_t j = first; j < end; j++)
        draft.out.push_back(add_row(r.lo[j], r.hi[j], draft.stage, wanted));
    plan_.values[v].insert(plan_.values[v].end(), draft.out.begin(), draft.out.end());
    drafts_.push_back(draft);
}

// Make one draft of a sum of two values that are looked up, and used nowhere else.
bool Planner::add_lookups(int v) {
    const int x = op(v).inputs[0], y = op(v).inputs[1];
    const auto one = looked_.find(x), other = looked_.find(y);
    if (whole_ || one == looked_.end() || other == looked_.end() || uses_[x] != 1 || uses_[y] != 1) return false;
    Draft draft = one->second;
    const Draft& more = other->second;
    if (draft.tables.size() + more.tables.size() > MOST_TABLES || draft.table_type != more.table_type ||
        draft.count != more.count)
        return false;
    for (size_t i = 0; i < range(v).lo.size(); i++)
        if (type_of(range(v).lo[i], range(v).hi[i]) > I32) return false;
    draft.stage = op(v).stage;
    draft.tables.insert(draft.tables.end(), more.tables.begin(), more.tables.end());
    draft.x.insert(draft.x.end(), more.x.begin(), more.x.end());
    draft.x = as(draft.x, widest(draft.x));
    look_up(v, draft, 0);
    looked_[v] = draft;
    return true;
}

void Planner::select(int v) {
    const auto &index = rows(op(v).inputs[0]), &x = rows(op(v).inputs[1]);
    size_t count = size_t(op(v).number("count")), size = x.size() / count;
    std::map<int, Draft> made;
    plan_.values[v].resize(size);
    for (size_t j = 0; j < size; j++) {
        std::vector<int> alternatives;
        for (size_t g = 0; g < count; g++)
            alternatives.push_back(x[g * size + j]);
        int32_t wanted = widest(alternatives);
        Draft base{SELECT, op(v).stage};
        base.x = {type(index[0]) == I64 ? as(index[0], I32) : index[0]}, base.count = int(count);
        Draft& draft = made.try_emplace(wanted, base).first->second;
        for (int row : as(alternatives, wanted))
            draft.y.push_back(row);
        plan_.values[v][j] = add_row(range(v).lo[j], range(v).hi[j], base.stage, wanted);
        draft.out.push_back(plan_.values[v][j]);
    }
    for (auto& [wanted, draft] : made)
        drafts_.push_back(draft);
}

void Planner::memory(int v) {
    const Array& ends = op(v).array("ends");
    const size_t n = ends.value.size();
    const auto& x = rows(op(v).inputs[0]);
    if (ends.value.back() > int64_t(x.size())) throw Unsupported("contexts of more rows than there are");
    const int32_t wanted = std::max<int32_t>(I32, type_of(-1, op(v).number("top")));
    Draft draft{LOOK, op(v).stage};
    draft.x = as(std::vector<int>(x.begin(), x.begin() + ends.value.back()), std::max<int32_t>(I32, widest(x)));
    for (size_t i = 0; i < 4 * n; i++)
        draft.out.push_back(add_row(range(v).lo[i], range(v).hi[i], draft.stage, i < 2 * n ? wanted : int32_t(I32)));
    plan_.ids.emplace_back(ends.value.begin(), ends.value.end());
    draft.table = plan_.ids.back().data(), draft.count = int(n), draft.bits = int(plan_.memories.size());
    plan_.memories.push_back(int(n));
    memories_[v] = draft;
    drafts_.push_back(draft);
    for (size_t i = 0; i < 4 * n; i++)
        plan_.values[v].push_back(as(draft.out[i], type_of(range(v).lo[i], range(v).hi[i])));
}

void Planner::learn(int v) {
    const auto found = memories_.find(op(v).inputs[0]);
    if (found == memories_.end()) throw Unsupported("learning without a memory or a system");
    const Draft& look = found->second;
    if (look.what == PREDICT) return observe(v, look);
    Draft draft{LEARN, op(v).stage};
    if (draft.stage <= look.stage) throw Unsupported("learning before all have looked");
    plan_.values[v] = rows(op(v).inputs[1]);
    draft.x = look.out, draft.y = as(plan_.values[v], type(look.out[0]));
    draft.count = look.count, draft.bits = look.bits;
    drafts_.push_back(draft);
}

void Planner::least_squares(int v) {
    const auto& x = rows(op(v).inputs[0]);
    const int block = int(op(v).number("block"));
    if (x.empty() || x.size() > size_t(MOST_INPUTS)) throw Unsupported("least squares of so many inputs");
    if (block < 1 || spec_.slope % block || spec_.slope / block < 2) throw Unsupported("least squares of this slope");
    if (op(v).stage < spec_.main_pass()) throw Unsupported("least squares ahead");
    const int32_t inputs = widest(x);
    if (inputs > I32) throw Unsupported("least squares of such inputs");
    Draft draft{PREDICT, op(v).stage};
    draft.x = as(x, inputs);
    draft.out = {add_row(range(v).lo[0], range(v).hi[0], draft.stage, I32)};
    draft.lo = range(v).lo[0], draft.hi = range(v).hi[0], draft.bits = int(plan_.systems.size());
    plan_.systems.push_back(
        {int(x.size()), block, int(op(v).number("along")), int(op(v).number("down")), op(v).number("ridge"), false});
    memories_[v] = draft;
    drafts_.push_back(draft);
    plan_.values[v] = {as(draft.out[0], type_of(draft.lo, draft.hi))};
}

void Planner::observe(int v, const Draft& predict) {
    Draft draft{OBSERVE, op(v).stage};
    if (draft.stage <= predict.stage) throw Unsupported("learning before all have looked");
    plan_.values[v] = rows(op(v).inputs[1]);
    draft.x = predict.x, draft.y = {as(plan_.values[v].at(0), I32), as(rows(op(v).inputs.at(2)).at(0), I32)};
    draft.bits = predict.bits, draft.count = predict.out[0];
    drafts_.push_back(draft);
}

}  // namespace ride
