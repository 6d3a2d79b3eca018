// Makes a plan of a program. Its members stand by subject: rows.cpp, operations.cpp, lookups.cpp, products.cpp and
// distributions.cpp turn operations into drafts of steps; placing.cpp drops what is not needed and gives rows their
// places; plan.cpp turns the drafts into steps.
#pragma once

#include <limits>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "plan.hpp"

namespace ride {

inline int32_t type_of(int64_t lo, int64_t hi) {
    if (lo >= std::numeric_limits<int16_t>::min() && hi <= std::numeric_limits<int16_t>::max()) return I16;
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
    LEARN,
    PREDICT,
    OBSERVE,
    GIVE
};

struct Draft {  // a step whose rows have no place yet
    What what;
    int stage;
    std::vector<int> x, y, out;
    int op = 0, then = NOTHING;
    int64_t lo = 0, hi = 0;
    int bits = 0, count = 0;
    const void* table = nullptr;
    std::vector<const void*> tables;
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

    void make();

  private:
    Plan& plan_;
    const Spec& spec_;
    bool whole_;
    Purpose purpose_;
    const std::vector<int>& wanted_;
    std::vector<Draft> drafts_;
    std::vector<int> uses_, user_;  // of each value: how often it is used, and by which operation
    std::vector<bool> done_;
    std::vector<int64_t> lo_, hi_;                          // of each row
    std::vector<int> stage_;                                // of each row
    std::map<std::pair<int, int>, int> converted_;          // (row, type) -> row
    std::map<std::pair<int, int>, int> packed_;             // (even row, odd row) -> row of pairs
    std::map<std::tuple<int, int, int, int>, int> tapped_;  // (plane, dy, dx, pass) -> row
    int zero_ = -1;
    std::map<int, Draft> looked_;         // values that one draft looks up: sums of entries of many columns
    std::map<int, Draft> memories_;       // what looks into each memory or system, by its value
    std::vector<std::vector<int>> ends_;  // rows that each channel's distribution needs

    const Operation& op(int v) const { return spec_.operations[v]; }
    const Range& range(int v) const { return spec_.ranges[v]; }
    const std::vector<int>& rows(int v) const { return plan_.values[v]; }
    int32_t type(int row) const { return plan_.rows[row].type; }
    size_t bytes(int row) const { return size_t(LANES) * TYPE_BYTES[type(row)]; }

    // rows
    int add_row(int64_t lo, int64_t hi, int stage, int32_t type = -1);
    int as(int row, int32_t wanted);
    std::vector<int> as(const std::vector<int>& rows, int32_t wanted);
    int32_t widest(const std::vector<int>& rows) const;
    int zero();
    int pair(int even, int odd);

    // operations
    void count_uses();
    int follower(int v, const char* kind) const;
    void operation(int v);
    void tap(int v);
    void given(int v);
    void place(int v);
    void sample(int v);
    void parameter(int v);
    void take(int v);
    void concatenate(int v);
    void row_by_row(int v, const Draft& base, const std::vector<int>& x, const std::vector<int>& y, const Range& out,
                    const std::vector<bool>& wide);
    std::vector<bool> wide_rows(const std::vector<int>& x, const std::vector<int>& y, const Range& out) const;
    void pairwise(int v, int pairing);
    void unary(int v, Draft draft);
    void absolute(int v);
    void clamp(int v);
    void shift(int v);

    // tables and memories
    void lookup(int v);
    void look_up(int v, Draft draft, size_t first);
    bool add_lookups(int v);
    void select(int v);
    void memory(int v);
    void learn(int v);
    void least_squares(int v);
    void observe(int v, const Draft& predict);

    // sums of products
    void sum(int v);
    void affine(int v);
    Range reach(const Sum& s) const;
    void products(int v, int last, Sum& s, int then, int64_t lo, int64_t hi);
    void finish(int last, const Affine& a, Draft& draft, int32_t outs);
    void sparse(const Sum& s, Affine& a, Draft& draft, int32_t summed);
    void pairs(const Sum& s, Affine& a, Draft& draft);

    // distributions
    void mixture(int channel);

    // what is needed, and where it is put
    void keep();
    void drop_dead();
    void place_ring();
    void place_rows();

    // steps
    Rows list(const std::vector<int>& rows);
    void emit();
    Run kernel(const Draft& draft, const Step& step) const;
};

}  // namespace ride
