// Distributions that learn while a tile is coded, see exact/families/mixed.py. Included inside the kernels' namespace.
//
// What a channel has learnt, all in int32: the weights [set][context][kind of decision][input], the final weights
// [kind][MOST_SETS], errors and how many were seen [expert][bin], slots, and the sub-pixels seen.

uint32_t next_word(Reading& r);  // of tables.hpp

INLINE int32_t log_of(int32_t x) {
    const float real = float(x);
    int32_t bits;
    std::memcpy(&bits, &real, sizeof bits);
    const int32_t place = (bits >> 13) - (127 << 10), beyond = place & 1023;
    return place + ((354 * ((beyond * (1024 - beyond)) >> 4)) >> 16);
}
INLINE int32_t bounded(int32_t x, int32_t limit) { return least(most(x, -limit), limit); }
INLINE int32_t rounded_up(int32_t n) { return (n + CHUNK - 1) / CHUNK * CHUNK; }

struct Mixed {
    enum { EXPERTS = Logistics::SCALES + 1, BINS, SETS, CONTEXTS };
    enum { STARTS = Logistics::EXPONENTIAL + 1, QUANTILES, SQUASH };
    static constexpr int DEPTH = 5, UPPER = 1 << DEPTH, LOWER = UPPER + 4, INSIDE = UPPER + 8, KINDS = UPPER + 12;
    static constexpr int MOST_INPUTS = 64, MOST_SETS = 8, SLOT_BITS = 16, MOST_LANES = Logistics::MOST + MOST_INPUTS;
    static constexpr int FAR_INPUT = 3072, FAR_NETWORK = 4095, BIAS = 128, FAR_ODDS = (1 << 16) - 1;
    static constexpr int32_t WEIGHT = 1 << 16, MOST_WEIGHT = (1 << 18) - 1, ONE = 1 << 24;
    static constexpr int32_t WHOLE = CDF_TOTAL / Logistics::WEIGHT_TOTAL;

    struct Layout {
        int32_t experts, contexts, sets, inputs, bins;
        size_t finals, errors, coded, slots, seen, end;  // behind the weights, in int32

        explicit INLINE Layout(const Mixture& m)
            : experts(m.part[EXPERTS].count),
              contexts(m.part[CONTEXTS].count),
              sets(m.part[SETS].count),
              inputs(rounded_up(experts + contexts + 2)),
              bins(m.length[STARTS]) {
            size_t at = 0;
            for (int32_t s = 0; s < sets; s++)
                at += size_t(m.sizes[s]) * KINDS * size_t(inputs);
            finals = at, at += KINDS * MOST_SETS;
            errors = at, at += size_t(experts) * size_t(bins);
            coded = at, at += size_t(experts) * size_t(bins);
            slots = at = (at + CHUNK - 1) / CHUNK * CHUNK, at += size_t(contexts) << SLOT_BITS;
            seen = at, end = at + 1;
        }
    };

    static size_t learnt(const Mixture& m) { return Layout(m).end * sizeof(int32_t); }

    // The rest begins with zeros, as all memory does.
    static void begin(const Mixture& m, char* memory) {
        const Layout at(m);
        int32_t* held = reinterpret_cast<int32_t*>(memory);
        for (size_t i = 0; i < at.finals; i += size_t(at.inputs))
            for (int32_t k = 0; k < at.inputs; k++) {
                const int32_t network = at.experts + at.contexts;
                held[i + size_t(k)] = k < at.experts ? WEIGHT / 5 / at.experts
                                      : k < network  ? WEIGHT * 3 / 5 / at.contexts
                                      : k == network ? WEIGHT * 4 / 5
                                                     : 0;
            }
        for (size_t i = at.finals; i < at.errors; i++)
            held[i] = WEIGHT / at.sets;
        for (size_t i = at.errors; i < at.coded; i++)
            held[i] = m.table[STARTS][(i - at.errors) % size_t(at.bins)];
    }

    // A sub-pixel under way: lanes are the mixture's components, then the experts.
    struct Walk {
        const Mixture& m;
        const Layout layout;
        int32_t* const held;
        int32_t lanes, centre, spread, rate;
        int64_t below, above, between;  // of the mixture, at the interval's ends and in between
        int32_t* weights[MOST_SETS];    // of the contexts, for the first kind of decision
        uint32_t state[MOST_INPUTS];    // of the contexts' hashes
        int32_t mean[MOST_INPUTS], row[MOST_INPUTS];
        alignas(64) float middle[MOST_LANES], inverse[MOST_LANES];
        alignas(64) int32_t low[MOST_LANES], high[MOST_LANES], own[MOST_LANES], log[MOST_LANES];
        alignas(64) int32_t input[MOST_INPUTS];
        int32_t share[Logistics::MOST];
        int32_t slot[MOST_INPUTS], sum[MOST_SETS], odds, network;

        INLINE Walk(const Mixture& mixture, const Frame& f, const char* prepared, char* memory, int32_t pixel)
            : m(mixture),
              layout(mixture),
              held(reinterpret_cast<int32_t*>(memory)),
              lanes(rounded_up(mixture.count + layout.experts)),
              below(0),
              above(CDF_TOTAL + GAIN * VALUES) {
            const auto value = [&](int32_t part, int32_t k) { return at<const int32_t>(f, m.part[part].id[k])[pixel]; };
            int32_t sum_of_means = 0, sum_of_scales = 0;
            for (int32_t k = 0; k < m.count; k++) {
                share[k] = Logistics::weights(prepared)[k * LANES + pixel];
                middle[k] = Logistics::centres(m, prepared)[k * LANES + pixel];
                inverse[k] = Logistics::centres(m, prepared)[(m.count + k) * LANES + pixel];
                sum_of_means += share[k] * value(Logistics::MEANS, k);
                sum_of_scales += share[k] * scale_of(value(Logistics::SCALES, k));
            }
            centre = sum_of_means >> 10;
            spread = (1 << 23) / m.table[Logistics::INVERSE][sum_of_scales >> 10];
            for (int32_t k = 0; k < layout.experts; k++) {
                mean[k] = value(EXPERTS, k), row[k] = k * layout.bins + value(BINS, k);
                const int32_t error = most(held[layout.errors + size_t(row[k])], 1);
                const int32_t found = m.table[Logistics::INVERSE][scale_of((log_of(error) - 6597) >> 6)];
                middle[m.count + k] = float(mean[k] + Logistics::MEAN_UNIT / 2) * (1.0f / Logistics::MEAN_UNIT);
                inverse[m.count + k] = float(found) * (float(Logistics::MEAN_UNIT) / (1 << Logistics::SHIFT));
            }
            for (int32_t k = m.count + layout.experts; k < lanes; k++)
                middle[k] = inverse[k] = 0;
            for (int32_t k = 0; k < lanes; k += CHUNK)
                for (int32_t i = k; i < k + CHUNK; i++)
                    low[i] = 0, high[i] = WHOLE;
            int32_t* to = held;
            for (int32_t s = 0; s < layout.sets; s++) {
                weights[s] = to + size_t(value(SETS, s)) * KINDS * size_t(layout.inputs);
                to += size_t(m.sizes[s]) * KINDS * size_t(layout.inputs);
            }
            for (int32_t k = 0; k < layout.contexts; k++)
                state[k] = uint32_t(value(CONTEXTS, k)) * 0x9E3779B1u + uint32_t(k) * 0x85EBCA6Bu;
            const int32_t guess = bounded((centre + 32) >> 5, VALUES - 1);
            for (int32_t k = 0; k < layout.contexts; k++)
                PREFETCH(held + layout.slots + size_t(line(k, most(guess, 0))));
            for (int32_t k = 0; k < layout.inputs; k++)
                input[k] = 0;
            input[layout.experts + layout.contexts + 1] = BIAS;
            rate = 5814 + (43606 << 10) / ((1 << 10) + held[layout.seen]);
        }

        // The first of 16 slots of a context, those of eight neighbours.
        INLINE int32_t line(int32_t context, int32_t mid) const {
            uint32_t hash = (state[context] + uint32_t(mid >> 3)) * 0x2C1B3C6Du;
            hash = (hash ^ hash >> 15) * 0x9E3779B1u;
            return int32_t(hash >> (32 - SLOT_BITS + 4)) * 16 + (context << SLOT_BITS);
        }

        INLINE int32_t scale_of(int32_t scale) const { return least(most(scale, 0), m.length[Logistics::INVERSE] - 1); }

        // How likely the value of the interval is mid or above, of ONE.
        INLINE int32_t likely(int32_t lo, int32_t mid, int32_t hi, int32_t kind) {
            for (int32_t k = 0; k < lanes; k += CHUNK) {
                alignas(64) int32_t place[CHUNK];
                for (int32_t i = 0; i < CHUNK; i++)
                    place[i] = Logistics::index(float(mid), middle[k + i], inverse[k + i]);
                gather(m.table[Logistics::LOGISTIC], place, own + k);
                for (int32_t i = 0; i < CHUNK; i++) {
                    const int32_t up = high[k + i] - own[k + i] + 1, down = own[k + i] - low[k + i] + 1;
                    log[k + i] = bounded((log_of(up) - log_of(down)) >> 2, FAR_INPUT);
                }
            }
            for (int32_t k = 0; k < layout.experts; k++)
                input[k] = log[m.count + k];
            between = GAIN * mid;
            for (int32_t k = 0; k < m.count; k++)
                between += share[k] * own[k];
            network = (log_of(int32_t(above - between)) - log_of(int32_t(between - below))) >> 2;
            network = bounded(network, FAR_NETWORK);
            for (int32_t k = 0; k < layout.contexts; k++) {
                slot[k] = line(k, mid) + 2 * (mid & 7) + int32_t(hi - mid == 1);
                input[layout.experts + k] = held[layout.slots + size_t(slot[k])] >> 12;
            }
            input[layout.experts + layout.contexts] = network;
            int64_t mixed = 0;
            const int32_t* final = held + layout.finals + kind * MOST_SETS;
            for (int32_t s = 0; s < layout.sets; s++) {
                const int32_t* RESTRICT weight = weights[s] + kind * layout.inputs;
                int32_t total = 0;
                for (int32_t k = 0; k < layout.inputs; k += CHUNK)
                    for (int32_t i = k; i < k + CHUNK; i++)
                        total += (weight[i] * input[i]) >> 6;
                sum[s] = bounded(total >> 6, FAR_ODDS);
                mixed += int64_t(final[s]) * sum[s];
            }
            odds = int32_t(least(most(mixed >> 16, -int64_t(FAR_ODDS)), int64_t(FAR_ODDS)));
            return squash(odds);
        }

        INLINE int32_t squash(int32_t x) const {
            const int32_t place = x + FAR_ODDS + 1;
            const int32_t* entry = m.table[SQUASH] + (place >> 7);
            return entry[0] + (((entry[1] - entry[0]) * (place & 127)) >> 7);
        }

        // What the decision was.
        INLINE void learn(bool up, int32_t kind, int32_t found) {
            const int32_t bit = int32_t(up) << 16;
            int32_t* final = held + layout.finals + kind * MOST_SETS;
            const int64_t missed = bit - (found >> 8);
            for (int32_t s = 0; s < layout.sets; s++) {
                const int32_t step = int32_t((int64_t(bit - (squash(sum[s]) >> 8)) * rate) >> 16);
                int32_t* RESTRICT weight = weights[s] + kind * layout.inputs;
                for (int32_t k = 0; k < layout.inputs; k += CHUNK)
                    for (int32_t i = k; i < k + CHUNK; i++)
                        weight[i] = bounded(weight[i] + ((input[i] * step + (1 << 13)) >> 14), MOST_WEIGHT);
                final[s] = bounded(final[s] + int32_t((missed * sum[s] * 11 + (1 << 24)) >> 25), MOST_WEIGHT);
            }
            for (int32_t k = 0; k < layout.contexts; k++) {
                int32_t& own_slot = held[layout.slots + size_t(slot[k])];
                const int32_t delta = own_slot >> 8, visits = own_slot & 255;
                const int32_t miss = bit - (squash(bounded(16 * network + delta, FAR_ODDS)) >> 8);
                const int32_t moved = delta + ((miss * most(23644 / (visits + 8), 118) + (1 << 15)) >> 16);
                own_slot = bounded(moved, 32767) * 256 + least(visits + 1, 255);
            }
            int32_t* end = up ? low : high;
            for (int32_t k = 0; k < lanes; k += CHUNK)
                for (int32_t i = k; i < k + CHUNK; i++)
                    end[i] = own[i];
            (up ? below : above) = between;
        }

        INLINE void learn_value(int32_t value) {
            for (int32_t k = 0; k < layout.experts; k++) {
                const int32_t miss = Logistics::MEAN_UNIT * value - mean[k];
                int32_t &error = held[layout.errors + size_t(row[k])], &coded = held[layout.coded + size_t(row[k])];
                error += ((64 * (miss < 0 ? -miss : miss) - error) * most(2048 / (coded + 6), 20)) >> 11;
                coded = least(coded + 1, 255);
            }
            held[layout.seen]++;
        }
    };

    // decide(mid, likely): whether the value is mid or above, or below 0 where that cannot be known; then this is -1.
    template <class Decide>
    INLINE static int32_t walk(Walk& w, const Decide& decide) {
        int32_t lo = 0, hi = VALUES, node = 1;
        for (int32_t depth = 0; hi - lo > 1; depth++) {
            int32_t mid, kind = node;
            if (depth < DEPTH) {
                mid = (w.centre + ((w.m.table[QUANTILES][node] * w.spread) >> 12) + 32) >> 5;
            } else {
                const int32_t beyond = depth - DEPTH, step = most((w.spread << least(beyond, 8)) >> 9, 1);
                kind += least(beyond, 3);
                mid = node == UPPER ? lo + step : node == LOWER ? hi - step : (lo + hi) >> 1;
            }
            mid = least(most(mid, lo + 1), hi - 1);
            const int32_t found = w.likely(lo, mid, hi, kind);
            const int32_t bit = decide(mid, found);
            if (bit < 0) return -1;
            w.learn(bit, kind, found);
            (bit ? lo : hi) = mid;
            if (depth < DEPTH)
                node = 2 * node + bit;
            else if (node == (bit ? LOWER : UPPER))
                node = INSIDE;
            if (depth == DEPTH - 1) node = node == 2 * UPPER - 1 ? UPPER : node == UPPER ? LOWER : INSIDE;
        }
        w.learn_value(lo);
        return lo;
    }

    // Learn a pixel's value; its intervals go to `out`, which has room for VALUES. Gives their number.
    static int32_t known(const Mixture& m, const Frame& f, const char* prepared, char* memory, int32_t pixel,
                         int32_t value, Interval* out) {
        Walk w(m, f, prepared, memory, pixel);
        int32_t count = 0;
        walk(w, [&](int32_t mid, int32_t likely) {
            const bool up = value >= mid;
            out[count++] = {uint32_t(up ? ONE - likely : 0), uint32_t(up ? likely : ONE - likely)};
            return int32_t(up);
        });
        return count;
    }

    // Decode and learn a pixel's value; -1: the code is none of these distributions'.
    static int32_t read(const Mixture& m, const Frame& f, const char* prepared, char* memory, int32_t pixel,
                        Reading& reading) {
        Walk w(m, f, prepared, memory, pixel);
        return walk(w, [&](int32_t, int32_t likely) {
            Reading& r = reading;
            const uint64_t scale = r.range >> 24, middle = scale * uint32_t(ONE - likely);
            if (r.point >= scale << 24) return -1;
            const bool up = r.point >= middle;
            r.point -= up ? middle : 0, r.range = up ? scale * uint32_t(likely) : middle;
            if (r.range < uint64_t(1) << 32) r.range <<= 32, r.point = r.point << 32 | next_word(r);
            return int32_t(up);
        });
    }

    static Family family() {
        Family found{};
        found.state = Logistics::state, found.prepare = Logistics::prepare;
        found.learnt = learnt, found.begin = begin, found.known = known, found.read = read;
        return found;
    }
};
