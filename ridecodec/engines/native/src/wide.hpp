// Mixtures of logistics on 16 bits, as distributions of two bytes, see exact/families/wide.py. Included inside the
// kernels' namespace.

template <bool LOW>
struct Wide {
    enum { LOGITS, MEANS, SCALES, HIGH };
    enum { LOGISTIC, INVERSE, EXPONENTIAL };
    static constexpr int MEAN_UNIT = 32, BETWEEN = 8, MIDDLE = 7168 << BETWEEN, STEPS = 2 * 7168, SHIFT = 13;
    static constexpr int32_t END = VALUES * VALUES;
    static constexpr double WHOLE = double(CDF_TOTAL + END);

    // [component][lane]: centres and inverse scales, as doubles, then weights; of the low byte the first value, the
    // mass below it and that of the high byte
    static size_t state(const Mixture& m) { return size_t(m.count) * 20 * LANES + 3 * LANES * 4; }
    INLINE static const double* centres(const char* s) { return reinterpret_cast<const double*>(s); }
    INLINE static const int32_t* weights(const Mixture& m, const char* s) {
        return reinterpret_cast<const int32_t*>(s) + 4 * m.count * LANES;
    }

    static void prepare(const Mixture& m, const Frame& f, char* state) {
        double* centre = reinterpret_cast<double*>(state);
        double* inverse = centre + m.count * LANES;
        int32_t* weight = reinterpret_cast<int32_t*>(inverse + m.count * LANES);
        const int32_t scales = m.length[INVERSE] - 1;
        for (int32_t k = 0; k < m.count; k++) {
            const int32_t* RESTRICT mean = at<const int32_t>(f, m.part[MEANS].id[k]);
            const int32_t* RESTRICT scale = at<const int32_t>(f, m.part[SCALES].id[k]);
            for (int32_t i = 0; i < f.lanes; i++) {
                centre[k * LANES + i] = double(mean[i] + MEAN_UNIT / 2);
                inverse[k * LANES + i] =
                    double(m.table[INVERSE][least(most(scale[i], 0), scales)]) * (1.0 / (1 << SHIFT));
            }
        }
        Logistics::gate(m, f, weight);
        if constexpr (LOW) {
            int32_t* first = weight + m.count * LANES;
            const int32_t* high = at<const int32_t>(f, m.part[HIGH].id[0]);
            for (int32_t j = 0; j < f.lanes; j += CHUNK) {
                alignas(64) int32_t end[CHUNK], below[CHUNK];
                for (int i = 0; i < CHUNK; i++)
                    first[j + i] = high[j + i] * VALUES, end[i] = first[j + i] + VALUES;
                mass(m, state, j, CHUNK, first + j, first + LANES + j);
                mass(m, state, j, CHUNK, end, below);
                for (int i = 0; i < CHUNK; i++)
                    first[2 * LANES + j + i] = below[i] - first[LANES + j + i];
            }
        }
    }

    // What is left below an edge, from the mass below it of the sample.
    INLINE static int32_t share(int32_t below, int32_t start, int32_t whole) {
        if constexpr (LOW) {  // floor(part * CDF_TOTAL / whole): a double is off by one at most
            const int32_t part = below - start;
            const int32_t near = int32_t(double(part) * CDF_TOTAL / double(whole));
            const int64_t rest = int64_t(part) * CDF_TOTAL - int64_t(near) * whole;
            return near + (rest >= whole) - (rest < 0);
        } else {  // the product is below 2^47
            return below - int32_t((double(below) * END + (WHOLE - 1)) / WHOLE);
        }
    }

    static void one(const Mixture& m, const char* state, int32_t pixel, int first, int step, int32_t* RESTRICT below) {
        const int32_t* RESTRICT weight = weights(m, state) + pixel;
        const int32_t* RESTRICT low = weight + m.count * LANES;
        const int32_t base = LOW ? low[0] : 0, unit = LOW ? 1 : VALUES;
        alignas(64) int32_t value[SYMBOLS];
        double sum[SYMBOLS];
        for (int i = 0; i < SYMBOLS; i++)
            value[i] = base + unit * (first + step * i), sum[i] = 0;
        for (int32_t k = 0; k < m.count; k++) {
            const double centre = centres(state)[k * LANES + pixel];
            const double inverse = centres(state)[(m.count + k) * LANES + pixel], w = weight[k * LANES];
            for (int i = 0; i < SYMBOLS; i++)
                sum[i] += w * logistic(m.table[LOGISTIC], value[i], centre, inverse);
        }
        const int32_t start = LOW ? low[LANES] : 0, whole = LOW ? low[2 * LANES] : 1;
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = share(ends(sum[i], value[i]), start, whole);
    }

    static void lanes(const Mixture& m, const char* state, int32_t n, const int32_t* RESTRICT edge,
                      int32_t* RESTRICT below) {
        const int32_t* RESTRICT low = weights(m, state) + m.count * LANES;
        alignas(64) int32_t value[LANES];
        for (int32_t i = 0; i < n; i++)
            value[i] = LOW ? low[i] + edge[i] : edge[i] * VALUES;
        mass(m, state, 0, n, value, below);
        for (int32_t i = 0; i < n; i++)
            below[i] = share(below[i], LOW ? low[LANES + i] : 0, LOW ? low[2 * LANES + i] : 1);
    }

  private:
    // 2^BETWEEN times the logistic below a value, between two entries of its table; steps below 2^53 are exact.
    INLINE static double logistic(const int32_t* RESTRICT table, int32_t value, double centre, double inverse) {
        const double step = (double(MEAN_UNIT * value) - centre) * inverse + double(MIDDLE);
        const int32_t place = int32_t(least(most(step, 0.0), double(STEPS << BETWEEN)));
        const int32_t i = place >> BETWEEN, beyond = place & ((1 << BETWEEN) - 1);
        const int32_t from = table[i], to = table[least(i + 1, STEPS)];
        return double((from << BETWEEN) + (to - from) * beyond);
    }

    INLINE static int32_t ends(double sum, int32_t value) {
        const int32_t found = int32_t(sum * (1.0 / (1 << BETWEEN)));
        return (value <= 0 ? 0 : value >= END ? CDF_TOTAL : found) + value;
    }

    // Below one value of each of CHUNK samples.
    static void mass(const Mixture& m, const char* state, int32_t lane, int32_t n, const int32_t* RESTRICT value,
                     int32_t* RESTRICT below) {
        double sum[LANES];
        for (int32_t i = 0; i < n; i++)
            sum[i] = 0;
        for (int32_t k = 0; k < m.count; k++) {
            const double* RESTRICT centre = centres(state) + k * LANES + lane;
            const double* RESTRICT inverse = centre + m.count * LANES;
            const int32_t* RESTRICT weight = weights(m, state) + k * LANES + lane;
            for (int32_t i = 0; i < n; i++)
                sum[i] += double(weight[i]) * logistic(m.table[LOGISTIC], value[i], centre[i], inverse[i]);
        }
        for (int32_t i = 0; i < n; i++)
            below[i] = ends(sum[i], value[i]);
    }
};
