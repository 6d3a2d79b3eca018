// From operations to steps.
#include <limits>

#include "planner.hpp"

namespace ride {

void Planner::make() {
    count_uses();
    plan_.values.resize(spec_.operations.size());
    plan_.samples.resize(spec_.channels);
    for (int& row : plan_.samples) {
        row = add_row(0, spec_.top, 0);
        plan_.rows[row].space = BLOCK;
    }
    for (size_t c = 0; c < plan_.samples.size(); c++)
        stage_[plan_.samples[c]] = spec_.main_pass() + int(c) + 1;
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

Rows Planner::list(const std::vector<int>& rows) {
    plan_.ids.emplace_back(rows.begin(), rows.end());
    return {plan_.ids.back().data(), int32_t(rows.size()), rows.empty() ? I16 : type(rows[0])};
}

void Planner::emit() {
    plan_.stages.resize(size_t(spec_.main_pass() + spec_.channels) + 1);
    for (const Draft& draft : drafts_) {
        Step step{};
        step.x = list(draft.x), step.y = list(draft.y), step.out = list(draft.out);
        step.lo = draft.lo, step.hi = draft.hi, step.bits = draft.bits, step.count = draft.count;
        step.table = draft.table, step.affine = draft.affine;
        if (draft.what == GIVE) step.count = draft.op;
        if (draft.what == PREDICT) plan_.systems[size_t(draft.bits)].used = true;
        if (draft.what == AFFINE && !(draft.then & CLAMPED))
            step.lo = std::numeric_limits<int64_t>::min(), step.hi = std::numeric_limits<int64_t>::max();
        if (draft.what == LOOKUP_MANY) {
            plan_.tables.push_back(draft.tables);
            step.table = plan_.tables.back().data();
        }
        step.run = kernel(draft, step);
        plan_.stages[draft.stage].push_back(step);
    }
}

Run Planner::kernel(const Draft& draft, const Step& step) const {
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
        case PREDICT: found = k.predict(x); break;
        case OBSERVE: found = k.observe(x); break;
        case GIVE: found = k.give(out); break;
    }
    if (!found) throw Unsupported("operations on these types");
    return found;
}

std::unique_ptr<Plan> make_plan(const Spec& spec, const Kernels& kernels, Purpose purpose,
                                const std::vector<int>& wanted) {
    auto plan = std::make_unique<Plan>();
    plan->kernels = &kernels;
    plan->spec = spec;
    Planner(*plan, purpose, wanted).make();
    return plan;
}

}  // namespace ride
