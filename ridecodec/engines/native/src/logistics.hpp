// Mixtures of discretised logistics, see exact/families.py. Included inside the kernels' namespace.

struct Logistics {
    enum { LOGITS, MEANS, SCALES };
    enum { LOGISTIC, INVERSE, EXPONENTIAL };
    static constexpr int WEIGHT_TOTAL = 1024, MEAN_UNIT = 32, MIDDLE = 7168, STEPS = 2 * MIDDLE, MOST = 32;
    static constexpr int SHIFT = 10;

    // [component][lane]: weights, then centres in values and inverse scales in steps of the table, as floats
    static size_t state(const Mixture& m) { return size_t(m.count) * 3 * LANES * 4; }
    INLINE static const int32_t* weights(const char* s) { return reinterpret_cast<const int32_t*>(s); }
    INLINE static const float* centres(const Mixture& m, const char* s) {
        return reinterpret_cast<const float*>(s) + m.count * LANES;
    }

    static void prepare(const Mixture& m, const Frame& f, char* state) {
        int32_t* RESTRICT weight = reinterpret_cast<int32_t*>(state);
        float* RESTRICT centre = reinterpret_cast<float*>(state) + m.count * LANES;
        float* RESTRICT inverse = centre + m.count * LANES;
        const int32_t* RESTRICT inverses = m.table[INVERSE];
        const int32_t scales = m.length[INVERSE] - 1;
        for (int32_t k = 0; k < m.count; k++) {
            const int32_t* RESTRICT mean = at<const int32_t>(f, m.part[MEANS].id[k]);
            const int32_t* RESTRICT scale = at<const int32_t>(f, m.part[SCALES].id[k]);
            for (int32_t j = 0; j < f.lanes; j += CHUNK) {
                alignas(64) int32_t places[CHUNK], found[CHUNK];
                for (int i = 0; i < CHUNK; i++)
                    places[i] = least(most(scale[j + i], 0), scales);
                gather(inverses, places, found);
                for (int i = 0; i < CHUNK; i++) {
                    // value v begins half below v
                    centre[k * LANES + j + i] = float(mean[j + i] + MEAN_UNIT / 2) * (1.0f / MEAN_UNIT);
                    inverse[k * LANES + j + i] = float(found[i]) * (float(MEAN_UNIT) / (1 << SHIFT));
                }
            }
        }
        gate(m, f, weight);
    }

    // Weights [component][lane] that sum to WEIGHT_TOTAL.
    static void gate(const Mixture& m, const Frame& f, int32_t* weight) {
        const int32_t* fall = m.table[EXPONENTIAL];
        const int32_t last = m.length[EXPONENTIAL] - 1;
        for (int32_t j = 0; j < f.lanes; j += CHUNK) {
            alignas(64) int32_t top[CHUNK], mass[MOST][CHUNK], before[CHUNK];
            const int32_t* first = at<const int32_t>(f, m.part[LOGITS].id[0]) + j;
            for (int i = 0; i < CHUNK; i++)
                top[i] = first[i];
            for (int32_t k = 1; k < m.count; k++) {
                const int32_t* RESTRICT logit = at<const int32_t>(f, m.part[LOGITS].id[k]) + j;
                for (int i = 0; i < CHUNK; i++)
                    top[i] = most(top[i], logit[i]);
            }
            for (int32_t k = 0; k < m.count; k++) {
                const int32_t* RESTRICT logit = at<const int32_t>(f, m.part[LOGITS].id[k]) + j;
                alignas(64) int32_t behind[CHUNK];
                for (int i = 0; i < CHUNK; i++)
                    behind[i] = least(top[i] - logit[i], last);
                gather(fall, behind, mass[k]);
                if (k)
                    for (int i = 0; i < CHUNK; i++)
                        mass[k][i] += mass[k - 1][i];
            }
            for (int i = 0; i < CHUNK; i++)
                before[i] = 0;
            for (int32_t k = 0; k < m.count; k++) {
                int32_t* RESTRICT w = weight + k * LANES + j;
                for (int i = 0; i < CHUNK; i++) {  // below 2^31 both: a double's quotient rounds to no integer above it
                    int32_t share = int32_t(double(mass[k][i] * WEIGHT_TOTAL) / double(mass[m.count - 1][i]));
                    w[i] = share - before[i], before[i] = share;
                }
            }
        }
    }

    // Steps of the table: exact wherever it is not clamped, 14 bits before the point and 10 behind it.
    INLINE static int32_t index(float edge, float centre, float inverse) {
        const float y = (edge - centre) * inverse + float(MIDDLE);
        return int32_t(least(most(y, 0.0f), float(STEPS)));
    }

    static void one(const Mixture& m, const char* state, int32_t pixel, int first, int step, int32_t* RESTRICT below) {
        const int32_t* RESTRICT weight = weights(state) + pixel;
        const float* RESTRICT centre = centres(m, state) + pixel;
        const float* RESTRICT inverse = centre + m.count * LANES;
        const int32_t* RESTRICT table = m.table[LOGISTIC];
#if defined(__AVX512F__)
        const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m512 edge = _mm512_cvtepi32_ps(
            _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_mullo_epi32(_mm512_set1_epi32(step), steps)));
        __m512i sum = _mm512_setzero_si512();
        for (int32_t k = 0; k < m.count; k++) {
            const __m512 y = _mm512_fmadd_ps(_mm512_sub_ps(edge, _mm512_set1_ps(centre[k * LANES])),
                                             _mm512_set1_ps(inverse[k * LANES]), _mm512_set1_ps(MIDDLE));
            const __m512i places =
                _mm512_cvttps_epi32(_mm512_min_ps(_mm512_max_ps(y, _mm512_setzero_ps()), _mm512_set1_ps(STEPS)));
            const __m512i mass = _mm512_i32gather_epi32(places, table, 4);
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(mass, _mm512_set1_epi32(weight[k * LANES])));
        }
        _mm512_storeu_si512(below, sum);
#elif defined(__AVX2__)
        const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        for (int half = 0; half < SYMBOLS; half += 8) {
            const __m256 edge = _mm256_cvtepi32_ps(_mm256_add_epi32(
                _mm256_set1_epi32(first + half * step), _mm256_mullo_epi32(_mm256_set1_epi32(step), steps)));
            __m256i sum = _mm256_setzero_si256();
            for (int32_t k = 0; k < m.count; k++) {
                const __m256 y = _mm256_fmadd_ps(_mm256_sub_ps(edge, _mm256_set1_ps(centre[k * LANES])),
                                                 _mm256_set1_ps(inverse[k * LANES]), _mm256_set1_ps(MIDDLE));
                const __m256i places =
                    _mm256_cvttps_epi32(_mm256_min_ps(_mm256_max_ps(y, _mm256_setzero_ps()), _mm256_set1_ps(STEPS)));
                const __m256i mass = _mm256_i32gather_epi32(table, places, 4);
                sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(mass, _mm256_set1_epi32(weight[k * LANES])));
            }
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(below + half), sum);
        }
#else
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = 0;
        for (int32_t k = 0; k < m.count; k++) {
            int32_t places[SYMBOLS], mass[SYMBOLS];
            for (int i = 0; i < SYMBOLS; i++)
                places[i] = index(float(first + step * i), centre[k * LANES], inverse[k * LANES]);
            gather(table, places, mass);
            for (int i = 0; i < SYMBOLS; i++)
                below[i] += mass[i] * weight[k * LANES];
        }
#endif
    }

    static void lanes(const Mixture& m, const char* state, int32_t n, const int32_t* RESTRICT edge,
                      int32_t* RESTRICT below) {
        const int32_t* RESTRICT table = m.table[LOGISTIC];
        for (int32_t i = 0; i < n; i++)
            below[i] = 0;
        for (int32_t k = 0; k < m.count; k++) {
            const int32_t* RESTRICT weight = weights(state) + k * LANES;
            const float* RESTRICT centre = centres(m, state) + k * LANES;
            const float* RESTRICT inverse = centre + m.count * LANES;
            alignas(64) int32_t places[LANES];
            for (int32_t i = 0; i < n; i++)
                places[i] = index(float(edge[i]), centre[i], inverse[i]);
            for (int32_t i = 0; i < n; i++)
                below[i] += table[places[i]] * weight[i];
        }
    }
};
