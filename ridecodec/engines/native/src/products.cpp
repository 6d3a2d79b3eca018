// Sums of products: dense or sparse, of weights that are fixed or a tile's own.
#include <algorithm>
#include <limits>

#include "planner.hpp"

namespace ride {
namespace {

constexpr int32_t SHORT = std::numeric_limits<int16_t>::max();
constexpr size_t SPARSE_SHARE = 8;  // affines with fewer than one weight in this many are summed term by term

// Rows in blocks of four: [block][column][4].
template <class T>
std::vector<T> blocks(const std::vector<int64_t>& weight, size_t rows, size_t columns) {
    std::vector<T> found((rows + 3) / 4 * 4 * columns);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            found[(i / 4 * columns + j) * 4 + i % 4] = T(weight[i * columns + j]);
    return found;
}

}  // namespace

void Planner::sum(int v) {
    const auto& x = rows(op(v).inputs[0]);
    size_t group = size_t(op(v).number("group")), n = x.size() / group;
    Sum s;
    s.x = x, s.weight.assign(n * x.size(), 0), s.bias.assign(n, 0), s.shift.assign(n, 0);
    for (size_t i = 0; i < x.size(); i++)
        s.weight[i / group * x.size() + i] = 1;
    products(v, v, s, NOTHING, 0, 0);
}

void Planner::affine(int v) {
    Sum s;
    s.x = rows(op(v).inputs[0]);
    s.weight = op(v).array("weight").value, s.bias = op(v).array("bias").value;
    for (int64_t e : op(v).array("shift").value)
        s.shift.push_back(int32_t(e));
    if (op(v).inputs.size() == 2) s.plus = rows(op(v).inputs[1]);
    int last = v;
    int64_t lo = 0, hi = 0;
    if (int next = follower(v, "clamp"); next >= 0) {
        lo = op(next).number("lo"), hi = op(next).number("hi");
        last = next, done_[next] = true;
    }
    products(v, last, s, last == v ? NOTHING : CLAMPED, lo, hi);
}

// Bounds of the sums before the shift.
Range Planner::reach(const Sum& s) const {
    Range r{s.bias, s.bias};
    for (size_t i = 0; i < s.bias.size(); i++) {
        for (size_t j = 0; j < s.x.size(); j++) {
            int64_t w = s.weight[i * s.x.size() + j], lo = lo_[s.x[j]], hi = hi_[s.x[j]];
            r.lo[i] += w * (w > 0 ? lo : hi), r.hi[i] += w * (w > 0 ? hi : lo);
        }
        if (!s.plus.empty()) r.lo[i] += lo_[s.plus[i]], r.hi[i] += hi_[s.plus[i]];
    }
    return r;
}

void Planner::products(int v, int last, Sum& s, int then, int64_t lo, int64_t hi) {
    size_t n = s.bias.size(), columns = s.x.size(), terms = 0;
    Range sums = reach(s);
    int32_t summed = I16, outs = I16;
    for (size_t i = 0; i < n; i++) {
        summed = std::max(summed, type_of(sums.lo[i], sums.hi[i]));
        outs = std::max(outs, type_of(range(last).lo[i], range(last).hi[i]));
    }
    if (summed <= I32) outs = std::min<int32_t>(outs, I32);
    for (int64_t w : s.weight)
        terms += w != 0;
    Draft draft{AFFINE, op(v).stage};
    draft.then = then, draft.lo = lo, draft.hi = hi;
    Affine a{};
    a.rows = int32_t(n);
    plan_.numbers.push_back(s.bias), a.bias = plan_.numbers.back().data();
    plan_.ids.push_back(s.shift), a.shift = plan_.ids.back().data();
    bool shorts = true;
    for (int row : s.x)
        shorts = shorts && type_of(lo_[row], hi_[row]) == I16;
    if (terms * SPARSE_SHARE <= n * columns || columns <= 4) {
        sparse(s, a, draft, summed);
    } else if (summed <= I32 && shorts) {
        pairs(s, a, draft);
    } else if (summed <= I32) {
        a.kind = WORDS, a.columns = int32_t(columns);
        draft.x = as(s.x, I32);
        plan_.ids.push_back(blocks<int32_t>(s.weight, n, columns)), a.weight = plan_.ids.back().data();
    } else {
        a.kind = REALS, a.columns = int32_t(columns);
        draft.x = as(s.x, REAL);
        plan_.reals.push_back(blocks<double>(s.weight, n, columns)), a.weight = plan_.reals.back().data();
    }
    if (!s.plus.empty()) draft.y = as(s.plus, a.kind == REALS || a.kind == TERMS64 ? I64 : I32);
    finish(last, a, draft, outs);
}

void Planner::finish(int last, const Affine& a, Draft& draft, int32_t outs) {
    for (int i = 0; i < a.rows; i++)
        draft.out.push_back(add_row(range(last).lo[i], range(last).hi[i], draft.stage, outs));
    plan_.affines.push_back(a);
    draft.affine = &plan_.affines.back();
    plan_.values[last] = draft.out;
    drafts_.push_back(draft);
}

void Planner::sparse(const Sum& s, Affine& a, Draft& draft, int32_t summed) {
    std::vector<int32_t> first{0}, weight, types;
    for (size_t i = 0; i < s.bias.size(); i++) {
        for (size_t j = 0; j < s.x.size(); j++) {
            int64_t w = s.weight[i * s.x.size() + j];
            if (!w) continue;
            if (type_of(w, w) > I32) throw Unsupported("weights of more than 32 bits");
            draft.x.push_back(s.x[j]), weight.push_back(int32_t(w)), types.push_back(type(s.x[j]));
        }
        first.push_back(int32_t(weight.size()));
    }
    int32_t widest = s.plus.empty() ? summed : std::max<int32_t>(summed, I32);
    for (int32_t each : types)
        widest = std::max(widest, each);
    a.kind = widest == I16 ? TERMS16 : widest == I32 ? TERMS32 : TERMS64;
    a.columns = int32_t(weight.size());
    plan_.ids.push_back(first), a.first = plan_.ids.back().data();
    plan_.ids.push_back(weight), a.weight = plan_.ids.back().data();
    plan_.ids.push_back(types), a.type = plan_.ids.back().data();
}

// Inputs in pairs. A weight beyond int16 takes its input more than once.
void Planner::pairs(const Sum& s, Affine& a, Draft& draft) {
    size_t n = s.bias.size(), columns = s.x.size();
    std::vector<std::vector<int64_t>> weight;  // by column
    std::vector<int> x;
    auto column = [&](size_t j) {
        std::vector<int64_t> w(n);
        for (size_t i = 0; i < n; i++)
            w[i] = s.weight[i * columns + j];
        return w;
    };
    std::vector<std::pair<int, std::vector<int64_t>>> again;
    for (size_t j = 0; j < columns; j++) {
        auto all = column(j);
        std::vector<int64_t> part(n);
        for (bool first = true; first || std::any_of(all.begin(), all.end(), [](int64_t w) { return w != 0; });
             first = false) {
            for (size_t i = 0; i < n; i++)
                part[i] = std::clamp<int64_t>(all[i], -SHORT, SHORT), all[i] -= part[i];
            if (first)
                x.push_back(s.x[j]), weight.push_back(part);
            else
                again.emplace_back(s.x[j], part);
            if (again.size() > 4 * columns) throw Unsupported("weights of more than 18 bits");
        }
    }
    if (x.size() % 2) x.push_back(zero()), weight.emplace_back(n, 0);
    for (auto& [row, part] : again)
        x.push_back(row), weight.push_back(part);
    if (x.size() % 2) x.push_back(zero()), weight.emplace_back(n, 0);
    std::vector<size_t> used;
    for (size_t j = 0; j < x.size(); j += 2) {
        bool any = false;
        for (size_t i = 0; i < n; i++)
            any = any || weight[j][i] || weight[j + 1][i];
        if (any) used.push_back(j);
    }
    std::vector<int32_t> found((n + 3) / 4 * 4 * used.size());
    for (size_t k = 0; k < used.size(); k++) {
        draft.x.push_back(pair(x[used[k]], x[used[k] + 1]));
        for (size_t i = 0; i < n; i++)
            found[(i / 4 * used.size() + k) * 4 + i % 4] =
                int32_t(uint32_t(uint16_t(weight[used[k]][i])) | uint32_t(uint16_t(weight[used[k] + 1][i])) << 16);
    }
    a.kind = PAIRS, a.columns = int32_t(used.size());
    plan_.ids.push_back(found), a.weight = plan_.ids.back().data();
}

}  // namespace ride
