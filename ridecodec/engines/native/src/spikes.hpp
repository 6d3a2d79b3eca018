// Values that are likely by themselves, over a mixture of logistics and an even distribution, see
// exact/families/spikes.py. Included inside the kernels' namespace.

struct Spikes {
    enum { VALUE = 3, ALIVE, ODDS, TOP };  // parts behind those of the logistics, whose count is the mixture's
    enum { FALL = 3 };
    static constexpr int MOST = 64, WEIGHT_BITS = 16;

    static int32_t spikes(const Mixture& m) { return m.part[VALUE].count; }
    // behind the logistics' state, [spike][lane]: weights, two more of them; values; and one above the largest value
    static size_t state(const Mixture& m) { return Logistics::state(m) + size_t(2 * spikes(m) + 3) * LANES * 4; }
    INLINE static const int32_t* weights(const Mixture& m, const char* s) {
        return reinterpret_cast<const int32_t*>(s + Logistics::state(m));
    }

    static void prepare(const Mixture& m, const Frame& f, char* state) {
        Logistics::prepare(m, f, state);
        const int32_t n = spikes(m), last = m.length[FALL] - 1;
        int32_t* weight = reinterpret_cast<int32_t*>(state + Logistics::state(m));
        int32_t* value = weight + (n + 2) * LANES;
        int32_t* count = value + n * LANES;
        for (int32_t j = 0; j < f.lanes; j += CHUNK) {
            alignas(64) int32_t top[CHUNK], mass[MOST + 2][CHUNK], behind[CHUNK], before[CHUNK];
            const int32_t* RESTRICT smooth = at<const int32_t>(f, m.part[ODDS].id[n]) + j;
            const int32_t* RESTRICT even = at<const int32_t>(f, m.part[ODDS].id[n + 1]) + j;
            for (int i = 0; i < CHUNK; i++)
                top[i] = most(smooth[i], even[i]);
            for (int32_t k = 0; k < n; k++) {
                const int32_t* RESTRICT odds = at<const int32_t>(f, m.part[ODDS].id[k]) + j;
                const int32_t* RESTRICT alive = at<const int32_t>(f, m.part[ALIVE].id[k]) + j;
                for (int i = 0; i < CHUNK; i++)
                    top[i] = alive[i] ? most(top[i], odds[i]) : top[i];
            }
            for (int32_t k = 0; k < n + 2; k++) {
                const int32_t* RESTRICT odds = at<const int32_t>(f, m.part[ODDS].id[k]) + j;
                for (int i = 0; i < CHUNK; i++)
                    behind[i] = least(most(top[i] - odds[i], 0), last);
                gather(m.table[FALL], behind, mass[k]);
                if (k < n) {
                    const int32_t* RESTRICT alive = at<const int32_t>(f, m.part[ALIVE].id[k]) + j;
                    for (int i = 0; i < CHUNK; i++)
                        mass[k][i] = alive[i] ? mass[k][i] : 0;
                }
                if (k)
                    for (int i = 0; i < CHUNK; i++)
                        mass[k][i] += mass[k - 1][i];
            }
            for (int i = 0; i < CHUNK; i++)
                before[i] = 0;
            for (int32_t k = 0; k < n + 2; k++) {
                int32_t* RESTRICT w = weight + k * LANES + j;
                for (int i = 0; i < CHUNK; i++) {  // see Logistics: no quotient is rounded up to an integer
                    const int32_t share = int32_t(double(mass[k][i]) * (1 << WEIGHT_BITS) / double(mass[n + 1][i]));
                    w[i] = share - before[i], before[i] = share;
                }
            }
            for (int32_t k = 0; k < n; k++) {
                const int32_t* RESTRICT from = at<const int32_t>(f, m.part[VALUE].id[k]) + j;
                int32_t* RESTRICT to = value + k * LANES + j;
                for (int i = 0; i < CHUNK; i++)
                    to[i] = from[i];
            }
            const int32_t* RESTRICT largest = at<const int32_t>(f, m.part[TOP].id[0]) + j;
            for (int i = 0; i < CHUNK; i++)
                count[j + i] = largest[i] + 1;
        }
    }

    // All products and their sum are below 2^48.
    INLINE static int32_t whole(int32_t spiked, int32_t smooth, int32_t smooth_weight, int32_t edge, int32_t count,
                                int32_t even_weight) {
        const int32_t even = Even::share(edge, count);
        const double sum =
            double(spiked) * CDF_TOTAL + double(smooth) * double(smooth_weight) + double(even) * double(even_weight);
        return int32_t(sum * (1.0 / (1 << WEIGHT_BITS)));
    }

    static void one(const Mixture& m, const char* state, int32_t pixel, int first, int step, int32_t* RESTRICT below) {
        const int32_t n = spikes(m);
        const int32_t* RESTRICT weight = weights(m, state) + pixel;
        const int32_t* RESTRICT value = weight + (n + 2) * LANES;
        const int32_t count = value[n * LANES];
        alignas(64) int32_t edge[SYMBOLS], spiked[SYMBOLS];
        Logistics::one(m, state, pixel, first, step, below);
        for (int i = 0; i < SYMBOLS; i++)
            edge[i] = first + step * i, spiked[i] = 0;
        for (int32_t k = 0; k < n; k++) {
            const int32_t w = weight[k * LANES], v = value[k * LANES];
            for (int i = 0; i < SYMBOLS; i++)
                spiked[i] += edge[i] > v ? w : 0;
        }
        const int32_t smooth = weight[n * LANES], even = weight[(n + 1) * LANES];
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = whole(spiked[i], below[i], smooth, edge[i], count, even);
    }

    static void lanes(const Mixture& m, const char* state, int32_t lanes, const int32_t* RESTRICT edge,
                      int32_t* RESTRICT below) {
        const int32_t n = spikes(m);
        const int32_t* RESTRICT weight = weights(m, state);
        const int32_t* RESTRICT value = weight + (n + 2) * LANES;
        const int32_t* RESTRICT count = value + n * LANES;
        alignas(64) int32_t spiked[LANES];
        Logistics::lanes(m, state, lanes, edge, below);
        for (int32_t i = 0; i < lanes; i++)
            spiked[i] = 0;
        for (int32_t k = 0; k < n; k++)
            for (int32_t i = 0; i < lanes; i++)
                spiked[i] += edge[i] > value[k * LANES + i] ? weight[k * LANES + i] : 0;
        const int32_t* RESTRICT smooth = weight + n * LANES;
        const int32_t* RESTRICT even = smooth + LANES;
        for (int32_t i = 0; i < lanes; i++)
            below[i] = whole(spiked[i], below[i], smooth[i], edge[i], count[i], even[i]);
    }
};
