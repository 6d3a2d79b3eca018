#include "plan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <tuple>

namespace ride {
namespace {

constexpr int32_t SHORT = std::numeric_limits<int16_t>::max();
constexpr size_t SPARSE_SHARE = 8;  // affines with fewer than one weight in this many are summed term by term
constexpr size_t FEW_COLUMNS = 8;   // tables with more are read a row at a time
constexpr int64_t REAL_LIMIT = int64_t(1) << 53;

int32_t type_of(int64_t lo, int64_t hi) {
    if (lo >= -SHORT - 1 && hi <= SHORT) return I16;
    if (lo >= std::numeric_limits<int32_t>::min() && hi <= std::numeric_limits<int32_t>::max()) return I32;
    return I64;
}

enum What {
    PAIRWISE_STEP,
    ABSOLUTE,
    CLAMP,
    SHIFT,
    CONVERT,
    LOOKUP,
    LOOKUP_MANY,
    SELECT,
    AFFINE,
    PLACE,
    PACK,
    LOOK,
    LEARN
};

struct Draft {  // a step whose rows have no place yet
    What what;
    int stage;
    std::vector<int> x, y, out;
    int op = 0, then = NOTHING;
    int64_t lo = 0, hi = 0;
    int bits = 0, count = 0;
    const void* table = nullptr;
    int table_type = I16;
    const Affine* affine = nullptr;
};

struct Sum {  // what an affine operation computes, before its shift
    std::vector<int> x;
    std::vector<int64_t> weight, bias;  // [rows, columns], [rows]
    std::vector<int32_t> shift;
    std::vector<int> plus;  // rows, or none
};

class Planner {
  public:
    Planner(Plan& plan, Purpose purpose, const std::vector<int>& wanted)
        : plan_(plan), spec_(plan.spec), whole_(purpose == Purpose::TRACE), purpose_(purpose), wanted_(wanted) {}

    void make() {
        count_uses();
        plan_.values.resize(spec_.operations.size());
        plan_.samples.resize(spec_.channels);
        for (int& row : plan_.samples) {
            row = add_row(0, spec_.top, 0);
            plan_.rows[row].space = BLOCK;
        }
        for (size_t c = 0; c < plan_.samples.size(); c++)
            stage_[plan_.samples[c]] = int(c) + 1;
        for (size_t v = 0; v < spec_.operations.size(); v++)
            if (!done_[v]) operation(int(v));
        if (purpose_ == Purpose::MEASURE) {
            for (int v : wanted_)
                plan_.wanted.push_back(as(rows(v), I32));
        } else {
            for (int c = 0; c < spec_.channels; c++)
                mixture(c);
        }
        keep();
        drop_dead();
        place_ring();
        place_rows();
        emit();
    }

  private:
    Plan& plan_;
    const Spec& spec_;
    bool whole_;
    Purpose purpose_;
    const std::vector<int>& wanted_;
    std::vector<Draft> drafts_;
    std::vector<int> uses_, user_;  // of each value: how often it is used, and by which operation
    std::vector<bool> done_;
    std::vector<int64_t> lo_, hi_;                     // of each row
    std::vector<int> stage_;                           // of each row
    std::map<std::pair<int, int>, int> converted_;     // (row, type) -> row
    std::map<std::pair<int, int>, int> packed_;        // (even row, odd row) -> row of pairs
    std::map<std::tuple<int, int, int>, int> tapped_;  // (plane, dy, dx) -> row
    int zero_ = -1;

    const Operation& op(int v) const { return spec_.operations[v]; }
    const Range& range(int v) const { return spec_.ranges[v]; }
    const std::vector<int>& rows(int v) const { return plan_.values[v]; }

    // --- rows

    int add_row(int64_t lo, int64_t hi, int stage, int32_t type = -1) {
        plan_.rows.push_back(Row{type < 0 ? type_of(lo, hi) : type});
        lo_.push_back(lo), hi_.push_back(hi), stage_.push_back(stage);
        return int(plan_.rows.size()) - 1;
    }
    int32_t type(int row) const { return plan_.rows[row].type; }

    int as(int row, int32_t wanted) {
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
    std::vector<int> as(const std::vector<int>& rows, int32_t wanted) {
        std::vector<int> found;
        for (int row : rows)
            found.push_back(as(row, wanted));
        return found;
    }
    int32_t widest(const std::vector<int>& rows) const {
        int32_t found = I16;
        for (int row : rows)
            found = std::max(found, type(row));
        return found;
    }

    int zero() {
        if (zero_ < 0) {
            zero_ = add_row(0, 0, 0, I16);
            plan_.rows[zero_].space = TILE;
        }
        return zero_;
    }

    int pair(int even, int odd) {
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

    // --- operations that are done in one step

    void count_uses() {
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
    int follower(int v, const char* kind) const {
        if (whole_ || uses_[v] != 1) return -1;
        const Operation& next = op(user_[v]);
        return next.kind == kind && next.inputs.size() == 1 ? user_[v] : -1;
    }

    bool narrow(int v) const {  // fits int32
        const Range& r = range(v);
        for (size_t i = 0; i < r.lo.size(); i++)
            if (type_of(r.lo[i], r.hi[i]) > I32) return false;
        return true;
    }

    void operation(int v) {
        const std::string& kind = op(v).kind;
        static const std::map<std::string, void (Planner::*)(int)> makers = {
            {"tap", &Planner::tap},           {"place", &Planner::place},
            {"sample", &Planner::sample},     {"parameter", &Planner::parameter},
            {"affine", &Planner::affine},     {"fitted", &Planner::fitted},
            {"absolute", &Planner::absolute}, {"clamp", &Planner::clamp},
            {"shift", &Planner::shift},       {"sum", &Planner::sum},
            {"lookup", &Planner::lookup},     {"select", &Planner::select},
            {"take", &Planner::take},         {"concatenate", &Planner::concatenate},
            {"memory", &Planner::memory},     {"learn", &Planner::learn},
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

    void tap(int v) {
        const Array &planes = op(v).array("planes"), &dy = op(v).array("dy"), &dx = op(v).array("dx");
        for (size_t i = 0; i < planes.value.size(); i++) {
            auto key = std::make_tuple(int(planes.value[i]), int(dy.value[i]), int(dx.value[i]));
            auto [found, isnew] = tapped_.try_emplace(key, 0);
            if (isnew) {
                const Plane& plane = spec_.planes.at(std::get<0>(key));
                found->second = add_row(plane.lo, plane.hi, 0);
                Row& row = plan_.rows[found->second];
                row.space = row.type == I16 ? RING16 : row.type == I32 ? RING32 : RING64;
                std::tie(row.plane, row.dy, row.dx) = key;
            }
            plan_.values[v].push_back(found->second);
        }
    }

    void place(int v) {
        int limit = int(op(v).number("limit"));
        Draft draft{PLACE, 0};
        for (int i = 0; i < 6; i++)
            draft.out.push_back(add_row(0, i < 4 ? limit : 1, 0, type_of(0, limit)));
        draft.hi = limit;
        plan_.values[v] = draft.out;
        drafts_.push_back(draft);
    }

    void sample(int v) { plan_.values[v] = {plan_.samples.at(op(v).number("channel"))}; }

    void parameter(int v) {
        int number = int(op(v).number("parameter"));
        for (size_t i = 0; i < spec_.parameters.at(number); i++) {
            int64_t lo = range(v).lo[i], hi = range(v).hi[i];
            int row = add_row(lo, hi, 0);
            plan_.rows[row].space = TILE;
            plan_.parameters.push_back({row, number, i, lo, hi});
            plan_.values[v].push_back(row);
        }
    }

    void take(int v) {
        for (int64_t i : op(v).array("rows").value)
            plan_.values[v].push_back(rows(op(v).inputs[0]).at(i));
    }

    void concatenate(int v) {
        for (int x : op(v).inputs)
            plan_.values[v].insert(plan_.values[v].end(), rows(x).begin(), rows(x).end());
    }

    // --- operations row by row

    using Key = std::array<int, 3>;
    // Make a draft for the rows of each combination of types. In int64 all three are; the result is then converted.
    void row_by_row(int v, const Draft& base, const std::vector<int>& x, const std::vector<int>& y, const Range& out,
                    const std::vector<bool>& wide) {
        std::map<Key, Draft> made;
        std::vector<int> result(out.lo.size());
        std::vector<std::pair<size_t, int>> later;
        for (size_t i = 0; i < result.size(); i++) {
            int a = x[i], b = y.empty() ? -1 : y[y.size() == 1 ? 0 : i];
            if (wide[i]) {
                a = as(a, I64);
                if (b >= 0) b = as(b, I64);
            }
            int row = add_row(out.lo[i], out.hi[i], base.stage, wide[i] ? int32_t(I64) : -1);
            Draft& draft = made.try_emplace(Key{type(a), b < 0 ? 0 : type(b), type(row)}, base).first->second;
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

    std::vector<bool> wide_rows(const std::vector<int>& x, const std::vector<int>& y, const Range& out) const {
        std::vector<bool> wide(out.lo.size());
        for (size_t i = 0; i < wide.size(); i++) {
            wide[i] = type(x[i]) > I32 || type_of(out.lo[i], out.hi[i]) > I32;
            if (!y.empty()) wide[i] = wide[i] || type(y[y.size() == 1 ? 0 : i]) > I32;
        }
        return wide;
    }

    void pairwise(int v, int pairing) {
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
                draft.then |= CLAMPED, draft.lo = limited(op(next).number("lo")),
                                       draft.hi = limited(op(next).number("hi"));
                last = next;
            }
        }
        for (int u = v; u != last; u = user_[u])
            done_[user_[u]] = true;
        row_by_row(last, draft, x, y, range(last), wide);
    }

    static int64_t limited(int64_t x) {
        return std::clamp<int64_t>(x, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    }

    void unary(int v, Draft draft) {
        const auto& x = rows(op(v).inputs[0]);
        row_by_row(v, draft, x, {}, range(v), wide_rows(x, {}, range(v)));
    }
    void absolute(int v) { unary(v, Draft{ABSOLUTE, op(v).stage}); }
    void clamp(int v) {
        Draft draft{CLAMP, op(v).stage};
        draft.lo = op(v).number("lo"), draft.hi = op(v).number("hi");
        unary(v, draft);
    }
    void shift(int v) {
        Draft draft{SHIFT, op(v).stage};
        draft.bits = int(op(v).number("bits"));
        unary(v, draft);
    }

    // --- tables

    void lookup(int v) {
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
                int32_t wanted = I16;
                for (size_t j = i * columns; j < (i + 1) * columns; j++)
                    wanted = std::max(wanted, type_of(range(v).lo[j], range(v).hi[j]));
                for (size_t j = i * columns; j < (i + 1) * columns; j++)
                    draft.out.push_back(add_row(range(v).lo[j], range(v).hi[j], draft.stage, wanted));
                draft.table = data;
                plan_.values[v].insert(plan_.values[v].end(), draft.out.begin(), draft.out.end());
                drafts_.push_back(draft);
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

    void select(int v) {
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

    // --- memories

    void memory(int v) {
        const Array& ends = op(v).array("ends");
        const size_t n = ends.value.size();
        const auto& x = rows(op(v).inputs[0]);
        if (ends.value.back() > int64_t(x.size())) throw Unsupported("contexts of more rows than there are");
        const int32_t wanted = std::max<int32_t>(I32, type_of(-1, op(v).number("top")));
        Draft draft{LOOK, op(v).stage};
        draft.x = as(std::vector<int>(x.begin(), x.begin() + ends.value.back()), std::max<int32_t>(I32, widest(x)));
        for (size_t i = 0; i < 4 * n; i++)
            draft.out.push_back(
                add_row(range(v).lo[i], range(v).hi[i], draft.stage, i < 2 * n ? wanted : int32_t(I32)));
        plan_.ids.emplace_back(ends.value.begin(), ends.value.end());
        draft.table = plan_.ids.back().data(), draft.count = int(n), draft.bits = int(plan_.memories.size());
        plan_.memories.push_back(int(n));
        memories_[v] = draft;
        drafts_.push_back(draft);
        for (size_t i = 0; i < 4 * n; i++)
            plan_.values[v].push_back(as(draft.out[i], type_of(range(v).lo[i], range(v).hi[i])));
    }

    void learn(int v) {
        const auto found = memories_.find(op(v).inputs[0]);
        if (found == memories_.end()) throw Unsupported("learning without a memory");
        const Draft& look = found->second;
        Draft draft{LEARN, op(v).stage};
        if (draft.stage <= look.stage) throw Unsupported("learning before all have looked");
        plan_.values[v] = rows(op(v).inputs[1]);
        draft.x = look.out, draft.y = as(plan_.values[v], type(look.out[0]));
        draft.count = look.count, draft.bits = look.bits;
        drafts_.push_back(draft);
    }

    std::map<int, Draft> memories_;  // what looks into each, by its value

    // --- sums of products

    void sum(int v) {
        const auto& x = rows(op(v).inputs[0]);
        size_t group = size_t(op(v).number("group")), n = x.size() / group;
        Sum s;
        s.x = x, s.weight.assign(n * x.size(), 0), s.bias.assign(n, 0), s.shift.assign(n, 0);
        for (size_t i = 0; i < x.size(); i++)
            s.weight[i / group * x.size() + i] = 1;
        products(v, v, s, NOTHING, 0, 0);
    }

    void affine(int v) {
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
    Range reach(const Sum& s) const {
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

    void products(int v, int last, Sum& s, int then, int64_t lo, int64_t hi) {
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
        a.rows = int32_t(n), a.parameter = -1;
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

    void finish(int last, const Affine& a, Draft& draft, int32_t outs) {
        for (int i = 0; i < a.rows; i++)
            draft.out.push_back(add_row(range(last).lo[i], range(last).hi[i], draft.stage, outs));
        plan_.affines.push_back(a);
        draft.affine = &plan_.affines.back();
        plan_.values[last] = draft.out;
        drafts_.push_back(draft);
    }

    template <class T>
    static std::vector<T> blocks(const std::vector<int64_t>& weight, size_t rows, size_t columns) {
        std::vector<T> found((rows + 3) / 4 * 4 * columns);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                found[(i / 4 * columns + j) * 4 + i % 4] = T(weight[i * columns + j]);
        return found;
    }

    void sparse(const Sum& s, Affine& a, Draft& draft, int32_t summed) {
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
    void pairs(const Sum& s, Affine& a, Draft& draft) {
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

    void fitted(int v) {
        const auto& x = rows(op(v).inputs[0]);
        int number = int(op(v).number("parameter"));
        size_t n = spec_.parameters.at(number) / x.size();
        FittedWeights w{number, int(n)};
        w.reach = op(v).number("reach");
        Draft draft{AFFINE, op(v).stage};
        int64_t top = 0;
        for (size_t j = 0; j < x.size(); j++) {
            w.top.push_back(std::max(-lo_[x[j]], hi_[x[j]]));
            top = std::max(top, w.top.back());
            w.real = w.real || type_of(lo_[x[j]], hi_[x[j]]) > I16;
            w.column.push_back(int(j));
        }
        w.real = w.real || type_of(0, top * w.reach) > I32;
        Affine a{};
        a.rows = int32_t(n), a.parameter = int32_t(plan_.fitted.size());
        if (w.real) {
            draft.x = as(x, REAL);
            a.kind = REALS, a.columns = int32_t(x.size());
        } else {
            for (size_t j = 0; j < x.size(); j += 2)
                draft.x.push_back(pair(x[j], j + 1 < x.size() ? x[j + 1] : zero()));
            w.pairs = draft.x.size();
            a.kind = PAIRS, a.columns = int32_t(w.pairs);
        }
        plan_.fitted.push_back(w);
        plan_.numbers.emplace_back(n, 0), a.bias = plan_.numbers.back().data();
        plan_.ids.emplace_back(n, int32_t(op(v).number("shift"))), a.shift = plan_.ids.back().data();
        int32_t outs = I16;
        for (size_t i = 0; i < n; i++)
            outs = std::max(outs, type_of(range(v).lo[i], range(v).hi[i]));
        finish(v, a, draft, outs);
    }

    // --- ends

    Rows list(const std::vector<int>& rows) {
        plan_.ids.emplace_back(rows.begin(), rows.end());
        return {plan_.ids.back().data(), int32_t(rows.size()), rows.empty() ? I16 : type(rows[0])};
    }

    std::vector<std::vector<int>> ends_;  // rows that each channel's distribution needs

    void mixture(int channel) {
        static const std::map<std::string, std::pair<FamilyKind, std::array<std::vector<const char*>, 2>>> families = {
            {"logistics", {LOGISTICS, {{{"logits", "means", "scales"}, {"logistic", "inverse", "exponential"}}}}},
            {"even", {EVEN, {{{"top"}, {}}}}},
            {"spikes",
             {SPIKES,
              {{{"logits", "means", "scales", "values", "alive", "odds", "top"},
                {"logistic", "inverse", "exponential", "odds"}}}}},
            {"wide.high", {WIDE_HIGH, {{{"logits", "means", "scales"}, {"logistic", "inverse", "exponential"}}}}},
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
        plan_.mixtures.push_back(m);
        plan_.families.push_back(&plan_.kernels->family[kind]);
        ends_.push_back(needed);
    }

    void keep() {
        size_t plane = size_t(spec_.channels);
        for (auto& [v, row] : spec_.kept) {
            const Plane& wanted = spec_.planes.at(plane++);
            plan_.kept.push_back(as(rows(v).at(size_t(row)), type_of(wanted.lo, wanted.hi)));
        }
    }

    // --- what is needed, and where it is put

    void drop_dead() {
        std::stable_sort(drafts_.begin(), drafts_.end(),
                         [](const Draft& a, const Draft& b) { return a.stage < b.stage; });
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

    void place_ring() {
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
    size_t bytes(int row) const { return size_t(LANES) * TYPE_BYTES[type(row)]; }

    void place_rows() {
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

    void emit() {
        plan_.stages.resize(size_t(spec_.channels) + 1);
        for (const Draft& draft : drafts_) {
            Step step{};
            step.x = list(draft.x), step.y = list(draft.y), step.out = list(draft.out);
            step.lo = draft.lo, step.hi = draft.hi, step.bits = draft.bits, step.count = draft.count;
            step.table = draft.table, step.affine = draft.affine;
            if (draft.what == AFFINE && !(draft.then & CLAMPED))
                step.lo = std::numeric_limits<int64_t>::min(), step.hi = std::numeric_limits<int64_t>::max();
            step.run = kernel(draft, step);
            plan_.stages[draft.stage].push_back(step);
        }
    }

    Run kernel(const Draft& draft, const Step& step) const {
        const Kernels& k = *plan_.kernels;
        int x = step.x.type, y = step.y.type, out = step.out.type;
        Run found = nullptr;
        switch (draft.what) {
            case PAIRWISE_STEP: found = k.pairwise(draft.op, draft.then, x, y, out); break;
            case ABSOLUTE: found = k.absolute(x, out); break;
            case CLAMP: found = k.clamp(x, out); break;
            case SHIFT: found = k.shift(x, out); break;
            case CONVERT: found = k.convert(x, out); break;
            case LOOKUP: found = k.lookup(draft.table_type, x, out); break;
            case LOOKUP_MANY: found = k.lookup_many(draft.table_type, x, out); break;
            case SELECT: found = k.select(x, y); break;
            case AFFINE: found = k.affine(draft.affine->kind, out); break;
            case PLACE: found = k.place; break;
            case PACK: found = k.pack; break;
            case LOOK: found = k.look(x, out); break;
            case LEARN: found = k.learn(x); break;
        }
        if (!found) throw Unsupported("operations on these types");
        return found;
    }
};

}  // namespace

std::unique_ptr<Plan> make_plan(const Spec& spec, const Kernels& kernels, Purpose purpose,
                                const std::vector<int>& wanted) {
    auto plan = std::make_unique<Plan>();
    plan->kernels = &kernels;
    plan->spec = spec;
    Planner(*plan, purpose, wanted).make();
    return plan;
}

}  // namespace ride
