// Operations that take a step or none: what a pixel sees, and arithmetic row by row.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <tuple>

#include "planner.hpp"

namespace ride {
namespace {

int64_t limited(int64_t x) {
    return std::clamp<int64_t>(x, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
}

}  // namespace

void Planner::count_uses() {
    size_t n = spec_.operations.size();
    uses_.assign(n, 0), user_.assign(n, -1), done_.assign(n, false);
    for (size_t v = 0; v < n; v++)
        for (int x : op(int(v)).inputs)
            uses_[x]++, user_[x] = int(v);
    for (const Output& output : spec_.outputs)
        for (auto& [name, v] : output.parts)
            uses_[v] += 2;
    for (auto& [v, row] : spec_.kept)
        uses_[v] += 2;
    for (int v : wanted_)
        uses_.at(v) += 2;
}

// The only user of a value, where it is of this kind and has no other input.
int Planner::follower(int v, const char* kind) const {
    if (whole_ || uses_[v] != 1) return -1;
    const Operation& next = op(user_[v]);
    return next.kind == kind && next.inputs.size() == 1 ? user_[v] : -1;
}

void Planner::operation(int v) {
    const std::string& kind = op(v).kind;
    static const std::map<std::string, void (Planner::*)(int)> makers = {
        {"tap", &Planner::tap},
        {"place", &Planner::place},
        {"sample", &Planner::sample},
        {"parameter", &Planner::parameter},
        {"affine", &Planner::affine},
        {"absolute", &Planner::absolute},
        {"clamp", &Planner::clamp},
        {"shift", &Planner::shift},
        {"sum", &Planner::sum},
        {"lookup", &Planner::lookup},
        {"select", &Planner::select},
        {"take", &Planner::take},
        {"concatenate", &Planner::concatenate},
        {"memory", &Planner::memory},
        {"learn", &Planner::learn},
        {"given", &Planner::given},
        {"least_squares", &Planner::least_squares},
    };
    static const std::map<std::string, int> pairs = {
        {"add", ADD},         {"subtract", SUBTRACT}, {"multiply", MULTIPLY}, {"minimum", MINIMUM},
        {"maximum", MAXIMUM}, {"less", LESS},         {"equal", EQUAL},
    };
    if (auto maker = makers.find(kind); maker != makers.end())
        (this->*maker->second)(v);
    else if (auto pairing = pairs.find(kind); pairing != pairs.end())
        pairwise(v, pairing->second);
    else
        throw Unsupported("operations '" + kind + "'");
}

void Planner::tap(int v) {
    const Array &planes = op(v).array("planes"), &dy = op(v).array("dy"), &dx = op(v).array("dx");
    for (size_t i = 0; i < planes.value.size(); i++) {
        auto key = std::make_tuple(int(planes.value[i]), int(dy.value[i]), int(dx.value[i]), op(v).stage);
        auto [found, isnew] = tapped_.try_emplace(key, 0);
        if (isnew) {
            const Plane& plane = spec_.planes.at(std::get<0>(key));
            found->second = add_row(plane.lo, plane.hi, op(v).stage);
            Row& row = plan_.rows[found->second];
            row.space = row.type == I16 ? RING16 : row.type == I32 ? RING32 : RING64;
            std::tie(row.plane, row.dy, row.dx, row.pass) = key;
        }
        plan_.values[v].push_back(found->second);
    }
}

void Planner::given(int v) {
    const Array &planes = op(v).array("planes"), &dy = op(v).array("dy"), &dx = op(v).array("dx");
    for (size_t i = 0; i < planes.value.size(); i++) {
        Draft draft{GIVE, op(v).stage};
        const Given& plane = spec_.given.at(size_t(planes.value[i]));
        draft.op = int(planes.value[i]), draft.bits = plane.margin;
        draft.lo = dy.value.at(i), draft.hi = dx.value.at(i);
        if (std::max(std::abs(draft.lo), std::abs(draft.hi)) > plane.margin) throw Unsupported("a reach out of planes");
        if (type_of(plane.lo, plane.hi) > I32) throw Unsupported("given planes of more than 32 bits");
        draft.out = {add_row(plane.lo, plane.hi, draft.stage)};
        plan_.values[v].push_back(draft.out[0]);
        drafts_.push_back(draft);
    }
}

void Planner::place(int v) {
    int limit = int(op(v).number("limit"));
    Draft draft{PLACE, op(v).stage};
    for (int i = 0; i < 6; i++)
        draft.out.push_back(add_row(0, i < 4 ? limit : 1, draft.stage, type_of(0, limit)));
    draft.hi = limit;
    plan_.values[v] = draft.out;
    drafts_.push_back(draft);
}

void Planner::sample(int v) { plan_.values[v] = {plan_.samples.at(op(v).number("channel"))}; }

void Planner::parameter(int v) {
    int number = int(op(v).number("parameter"));
    for (size_t i = 0; i < spec_.parameters.at(number); i++) {
        int64_t lo = range(v).lo[i], hi = range(v).hi[i];
        int row = add_row(lo, hi, op(v).stage);
        plan_.rows[row].space = TILE;
        plan_.parameters.push_back({row, number, i, lo, hi});
        plan_.values[v].push_back(row);
    }
}

void Planner::take(int v) {
    for (int64_t i : op(v).array("rows").value)
        plan_.values[v].push_back(rows(op(v).inputs[0]).at(i));
}

void Planner::concatenate(int v) {
    for (int x : op(v).inputs)
        plan_.values[v].insert(plan_.values[v].end(), rows(x).begin(), rows(x).end());
}

// Make a draft for the rows of each combination of types. In int64 all three are; the result is then converted.
void Planner::row_by_row(int v, const Draft& base, const std::vector<int>& x, const std::vector<int>& y,
                         const Range& out, const std::vector<bool>& wide) {
    std::map<std::array<int, 3>, Draft> made;
    std::vector<int> result(out.lo.size());
    std::vector<std::pair<size_t, int>> later;
    for (size_t i = 0; i < result.size(); i++) {
        int a = x[i], b = y.empty() ? -1 : y[y.size() == 1 ? 0 : i];
        if (wide[i]) {
            a = as(a, I64);
            if (b >= 0) b = as(b, I64);
        }
        int row = add_row(out.lo[i], out.hi[i], base.stage, wide[i] ? int32_t(I64) : -1);
        Draft& draft =
            made.try_emplace(std::array<int, 3>{type(a), b < 0 ? 0 : type(b), type(row)}, base).first->second;
        draft.x.push_back(a), draft.out.push_back(row);
        if (b >= 0) draft.y.push_back(b);
        result[i] = row;
    }
    for (auto& [key, draft] : made)
        drafts_.push_back(draft);
    for (size_t i = 0; i < result.size(); i++)
        if (int32_t wanted = type_of(out.lo[i], out.hi[i]); type(result[i]) != wanted)
            result[i] = as(result[i], wanted);
    plan_.values[v] = result;
}

std::vector<bool> Planner::wide_rows(const std::vector<int>& x, const std::vector<int>& y, const Range& out) const {
    std::vector<bool> wide(out.lo.size());
    for (size_t i = 0; i < wide.size(); i++) {
        wide[i] = type(x[i]) > I32 || type_of(out.lo[i], out.hi[i]) > I32;
        if (!y.empty()) wide[i] = wide[i] || type(y[y.size() == 1 ? 0 : i]) > I32;
    }
    return wide;
}

void Planner::pairwise(int v, int pairing) {
    if (pairing == ADD && add_lookups(v)) return;
    const auto &x = rows(op(v).inputs[0]), &y = rows(op(v).inputs[1]);
    Draft draft{PAIRWISE_STEP, op(v).stage};
    draft.op = pairing;
    auto wide = wide_rows(x, y, range(v));
    int last = v;
    if (pairing <= MULTIPLY && std::none_of(wide.begin(), wide.end(), [](bool w) { return w; })) {
        if (int next = follower(last, "shift"); next >= 0 && op(next).number("bits") >= 0) {
            draft.then |= SHIFTED, draft.bits = int(std::min<int64_t>(op(next).number("bits"), 31));
            last = next;
        }
        if (int next = follower(last, "clamp"); next >= 0) {
            draft.then |= CLAMPED, draft.lo = limited(op(next).number("lo")), draft.hi = limited(op(next).number("hi"));
            last = next;
        }
    }
    for (int u = v; u != last; u = user_[u])
        done_[user_[u]] = true;
    row_by_row(last, draft, x, y, range(last), wide);
}

void Planner::unary(int v, Draft draft) {
    const auto& x = rows(op(v).inputs[0]);
    row_by_row(v, draft, x, {}, range(v), wide_rows(x, {}, range(v)));
}
void Planner::absolute(int v) { unary(v, Draft{ABSOLUTE, op(v).stage}); }
void Planner::clamp(int v) {
    Draft draft{CLAMP, op(v).stage};
    draft.lo = op(v).number("lo"), draft.hi = op(v).number("hi");
    unary(v, draft);
}
void Planner::shift(int v) {
    Draft draft{SHIFT, op(v).stage};
    draft.bits = int(op(v).number("bits"));
    unary(v, draft);
}

}  // namespace ride
