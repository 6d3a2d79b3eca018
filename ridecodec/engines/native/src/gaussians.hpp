// Mixtures of Gaussians, see exact/families/gaussians.py. Included inside the kernels' namespace.

struct Gaussians {
    enum { LOGITS, MEANS };
    enum { NORMAL, EXPONENTIAL, INVERSE };
    static constexpr int WEIGHT_BITS = 14, MEAN_UNIT = 32, MIDDLE = 6144, STEPS = 2 * MIDDLE;
    static constexpr int32_t LOST = (1 << 30) - CDF_TOTAL;

    struct Used {  // a Gaussian whose weight is not 0: its centre in values, and steps of the table a value
        int32_t weight;
        float centre, inverse;
    };

    // [component][lane] weights; [lane][component] of those that are used, and [lane] how many
    static size_t state(const Mixture& m) { return (size_t(m.count) * (4 + sizeof(Used)) + 4) * LANES; }
    INLINE static const Used* used(const Mixture& m, const char* s, int32_t lane) {
        return reinterpret_cast<const Used*>(s + size_t(m.count) * LANES * 4) + lane * m.count;
    }
    INLINE static int32_t count(const Mixture& m, const char* s, int32_t lane) {
        return reinterpret_cast<const int32_t*>(used(m, s, LANES))[lane];
    }

    static void prepare(const Mixture& m, const Frame& f, char* state) {
        int32_t* weight = reinterpret_cast<int32_t*>(state);
        gate(m, f, weight);
        const int32_t scales = m.count / m.part[MEANS].count;
        Used* each = reinterpret_cast<Used*>(weight + m.count * LANES);
        int32_t* counts = reinterpret_cast<int32_t*>(each + m.count * LANES);
        for (int32_t i = 0; i < f.lanes; i++)
            counts[i] = 0;
        for (int32_t c = 0, k = 0; c < m.part[MEANS].count; c++) {
            const int32_t* RESTRICT mean = at<const int32_t>(f, m.part[MEANS].id[c]);
            for (int32_t s = 0; s < scales; s++, k++) {
                const float inverse = float(m.table[INVERSE][k]) * (1.0f / MEAN_UNIT);
                const int32_t* RESTRICT own = weight + k * LANES;
                for (int32_t i = 0; i < f.lanes; i++)
                    if (own[i])
                        each[i * m.count + counts[i]++] = {own[i], float(mean[i]) * (1.0f / MEAN_UNIT), inverse};
            }
        }
    }

    // Weights [component][lane] that sum to 2^WEIGHT_BITS. All products are below 2^53.
    static void gate(const Mixture& m, const Frame& f, int32_t* weight) {
        const int32_t last = m.length[EXPONENTIAL] - 1;
        for (int32_t j = 0; j < f.lanes; j += CHUNK) {
            alignas(64) int32_t top[CHUNK], sum[CHUNK], before[CHUNK];
            alignas(64) double by[CHUNK];
            for (int i = 0; i < CHUNK; i++)
                top[i] = -(1 << 30), sum[i] = 0, before[i] = 0;
            for (int32_t k = 0; k < m.count; k++) {
                const int32_t* RESTRICT logit = at<const int32_t>(f, m.part[LOGITS].id[k]) + j;
                for (int i = 0; i < CHUNK; i++)
                    top[i] = most(top[i], logit[i]);
            }
            for (int32_t k = 0; k < m.count; k++) {
                const int32_t* RESTRICT logit = at<const int32_t>(f, m.part[LOGITS].id[k]) + j;
                int32_t* RESTRICT w = weight + k * LANES + j;
                alignas(64) int32_t behind[CHUNK], mass[CHUNK];
                for (int i = 0; i < CHUNK; i++)
                    behind[i] = least(top[i] - logit[i], last);
                gather(m.table[EXPONENTIAL], behind, mass);
                for (int i = 0; i < CHUNK; i++)
                    w[i] = sum[i] += mass[i];
            }
            for (int i = 0; i < CHUNK; i++)
                by[i] = double(int32_t(double(int64_t(1) << (WEIGHT_BITS + 24)) / double(sum[i]))) / (1 << 24);
            for (int32_t k = 0; k < m.count; k++) {
                int32_t* RESTRICT w = weight + k * LANES + j;
                for (int i = 0; i < CHUNK; i++) {
                    const int32_t share = k == m.count - 1 ? 1 << WEIGHT_BITS : int32_t(double(w[i]) * by[i]);
                    w[i] = share - before[i], before[i] = share;
                }
            }
        }
    }

    // Steps of the table: exact wherever it is not clamped, 14 bits before the point and 10 behind it.
    INLINE static int32_t index(float edge, const Used& u) {
        const float y = (edge - u.centre) * u.inverse + float(MIDDLE);
        return int32_t(least(most(y, 0.0f), float(STEPS)));
    }
    INLINE static int32_t scaled(int32_t below) { return below - ((below >> 10) * (LOST >> 10) >> 10); }

    static void one(const Mixture& m, const char* state, int32_t pixel, int first, int step, int32_t* RESTRICT below) {
        const Used* RESTRICT each = used(m, state, pixel);
        const Used* const end = each + count(m, state, pixel);
        const int32_t* RESTRICT table = m.table[NORMAL];
#if defined(__AVX512F__)
        const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m512 edge = _mm512_cvtepi32_ps(
            _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_mullo_epi32(_mm512_set1_epi32(step), steps)));
        __m512i sum = _mm512_setzero_si512();
        for (; each < end; each++) {
            const __m512 y = _mm512_fmadd_ps(_mm512_sub_ps(edge, _mm512_set1_ps(each->centre)),
                                             _mm512_set1_ps(each->inverse), _mm512_set1_ps(MIDDLE));
            const __m512i places =
                _mm512_cvttps_epi32(_mm512_min_ps(_mm512_max_ps(y, _mm512_setzero_ps()), _mm512_set1_ps(STEPS)));
            const __m512i mass = _mm512_i32gather_epi32(places, table, 4);
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(mass, _mm512_set1_epi32(each->weight)));
        }
        _mm512_storeu_si512(below, sum);
#elif defined(__AVX2__)
        const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        const __m256i by = _mm256_mullo_epi32(_mm256_set1_epi32(step), steps);
        const __m256 low = _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_set1_epi32(first), by));
        const __m256 high = _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_set1_epi32(first + 8 * step), by));
        __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (; each < end; each++)
            for (int half = 0; half < 2; half++) {
                const __m256 y = _mm256_fmadd_ps(_mm256_sub_ps(half ? high : low, _mm256_set1_ps(each->centre)),
                                                 _mm256_set1_ps(each->inverse), _mm256_set1_ps(MIDDLE));
                const __m256i places =
                    _mm256_cvttps_epi32(_mm256_min_ps(_mm256_max_ps(y, _mm256_setzero_ps()), _mm256_set1_ps(STEPS)));
                const __m256i mass = _mm256_i32gather_epi32(table, places, 4);
                sum[half] = _mm256_add_epi32(sum[half], _mm256_mullo_epi32(mass, _mm256_set1_epi32(each->weight)));
            }
        for (int half = 0; half < 2; half++)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(below + 8 * half), sum[half]);
#else
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = 0;
        for (; each < end; each++) {
            int32_t places[SYMBOLS], mass[SYMBOLS];
            for (int i = 0; i < SYMBOLS; i++)
                places[i] = index(float(first + step * i), *each);
            gather(table, places, mass);
            for (int i = 0; i < SYMBOLS; i++)
                below[i] += mass[i] * each->weight;
        }
#endif
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = scaled(below[i]);
    }

    static void lanes(const Mixture& m, const char* state, int32_t n, const int32_t* RESTRICT edge,
                      int32_t* RESTRICT below) {
        const int32_t* RESTRICT table = m.table[NORMAL];
        for (int32_t i = 0; i < n; i++) {
            const Used* each = used(m, state, i);
            int32_t sum = 0;
            for (int32_t k = count(m, state, i); k--; each++)
                sum += table[index(float(edge[i]), *each)] * each->weight;
            below[i] = scaled(sum);
        }
    }
};
