// The few vector operations that compilers do not find by themselves, for the instruction set this is compiled for.
// Included inside the kernels' namespace.

#if defined(__AVX512F__)

struct Sums {  // 16 sums in int32
    static constexpr int WIDTH = 16;
    __m512i v;
    void clear() { v = _mm512_setzero_si512(); }
    void add(__m512i x, __m512i w) {
#if defined(__AVX512VNNI__)
        v = _mm512_dpwssd_epi32(v, x, w);
#else
        v = _mm512_add_epi32(v, _mm512_madd_epi16(x, w));
#endif
    }
    void store(int32_t* to) const { _mm512_store_si512(to, v); }
    static __m512i load(const int32_t* from) { return _mm512_load_si512(from); }
    static __m512i spread(int32_t w) { return _mm512_set1_epi32(w); }
};

struct Reals {  // 8 sums in doubles
    static constexpr int WIDTH = 8;
    __m512d v;
    void clear() { v = _mm512_setzero_pd(); }
    void add(__m512d x, __m512d w) { v = _mm512_fmadd_pd(x, w, v); }
    void store(double* to) const { _mm512_store_pd(to, v); }
    static __m512d load(const double* from) { return _mm512_load_pd(from); }
    static __m512d spread(double w) { return _mm512_set1_pd(w); }
};

#elif defined(__AVX2__)

struct Reals {
    static constexpr int WIDTH = 4;
    __m256d v;
    void clear() { v = _mm256_setzero_pd(); }
    void add(__m256d x, __m256d w) { v = _mm256_fmadd_pd(x, w, v); }
    void store(double* to) const { _mm256_store_pd(to, v); }
    static __m256d load(const double* from) { return _mm256_load_pd(from); }
    static __m256d spread(double w) { return _mm256_set1_pd(w); }
};

struct Sums {
    static constexpr int WIDTH = 8;
    __m256i v;
    void clear() { v = _mm256_setzero_si256(); }
    void add(__m256i x, __m256i w) { v = _mm256_add_epi32(v, _mm256_madd_epi16(x, w)); }
    void store(int32_t* to) const { _mm256_store_si256(reinterpret_cast<__m256i*>(to), v); }
    static __m256i load(const int32_t* from) {
        __m256i x = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
        KEEP_IN_REGISTER(x);
        return x;
    }
    static __m256i spread(int32_t w) {
        __m256i x = _mm256_set1_epi32(w);
        KEEP_IN_REGISTER(x);
        return x;
    }
};

#if defined(__GNUC__)
#define FOUR_BY_TWO
// One column of four rows by two vectors. Compilers move the sums about, and some of them into memory.
// clang-format off
#define ROW(weight, first, second)                  \
    "vpbroadcastd " weight "(%[w]), %[v]\n\t"       \
    "vpmaddwd %[v], %[x0], %[p]\n\t"                \
    "vpmaddwd %[v], %[x1], %[v]\n\t"                \
    "vpaddd %[p], %[" first "], %[" first "]\n\t"   \
    "vpaddd %[v], %[" second "], %[" second "]\n\t"
// clang-format on
INLINE void four_by_two(const int32_t* const* x, int32_t columns, const int32_t* weight, int32_t lane,
                        Sums (*sums)[2]) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (int32_t k = 0; k < columns; k++, weight += 4) {
        const int32_t* from = x[k] + lane;
        __m256i x0, x1, v, p;
        __asm__(
            "vmovdqa (%[from]), %[x0]\n\t"
            "vmovdqa 32(%[from]), %[x1]\n\t" ROW("", "a", "b") ROW("4", "c", "d") ROW("8", "e", "f") ROW("12", "g", "h")
            : [a] "+x"(a), [b] "+x"(b), [c] "+x"(c), [d] "+x"(d), [e] "+x"(e), [f] "+x"(f), [g] "+x"(g), [h] "+x"(h),
              [x0] "=&x"(x0), [x1] "=&x"(x1), [v] "=&x"(v), [p] "=&x"(p)
            : [from] "r"(from), [w] "r"(weight), "m"(*reinterpret_cast<const int32_t (*)[16]>(from)),
              "m"(*reinterpret_cast<const int32_t (*)[4]>(weight)));
    }
    const __m256i all[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        sums[i / 2][i % 2].v = all[i];
}
#undef ROW
#endif

#elif defined(__SSE2__) || defined(_M_X64)

struct Reals {
    static constexpr int WIDTH = 2;
    __m128d v;
    void clear() { v = _mm_setzero_pd(); }
    void add(__m128d x, __m128d w) { v = _mm_add_pd(v, _mm_mul_pd(x, w)); }
    void store(double* to) const { _mm_store_pd(to, v); }
    static __m128d load(const double* from) { return _mm_load_pd(from); }
    static __m128d spread(double w) { return _mm_set1_pd(w); }
};

struct Sums {
    static constexpr int WIDTH = 4;
    __m128i v;
    void clear() { v = _mm_setzero_si128(); }
    void add(__m128i x, __m128i w) { v = _mm_add_epi32(v, _mm_madd_epi16(x, w)); }
    void store(int32_t* to) const { _mm_store_si128(reinterpret_cast<__m128i*>(to), v); }
    static __m128i load(const int32_t* from) { return _mm_load_si128(reinterpret_cast<const __m128i*>(from)); }
    static __m128i spread(int32_t w) { return _mm_set1_epi32(w); }
};

#elif defined(__ARM_NEON)

struct Reals {
    static constexpr int WIDTH = 2;
    float64x2_t v;
    void clear() { v = vdupq_n_f64(0); }
    void add(float64x2_t x, float64x2_t w) { v = vfmaq_f64(v, x, w); }
    void store(double* to) const { vst1q_f64(to, v); }
    static float64x2_t load(const double* from) { return vld1q_f64(from); }
    static float64x2_t spread(double w) { return vdupq_n_f64(w); }
};

struct Sums {  // two partial sums a lane, added at the end
    static constexpr int WIDTH = 4;
    int32x4_t low, high;
    void clear() { low = high = vdupq_n_s32(0); }
    void add(int16x8_t x, int16x8_t w) {
        low = vmlal_s16(low, vget_low_s16(x), vget_low_s16(w));
        high = vmlal_high_s16(high, x, w);
    }
    void store(int32_t* to) const { vst1q_s32(to, vpaddq_s32(low, high)); }
    static int16x8_t load(const int32_t* from) { return vreinterpretq_s16_s32(vld1q_s32(from)); }
    static int16x8_t spread(int32_t w) { return vreinterpretq_s16_s32(vdupq_n_s32(w)); }
};

#else

struct Reals {
    static constexpr int WIDTH = 1;
    double v;
    void clear() { v = 0; }
    void add(double x, double w) { v += x * w; }
    void store(double* to) const { *to = v; }
    static double load(const double* from) { return *from; }
    static double spread(double w) { return w; }
};

struct Sums {
    static constexpr int WIDTH = 1;
    uint32_t v;
    void clear() { v = 0; }
    void add(int32_t x, int32_t w) {
        int32_t low = int32_t(int16_t(x)) * int16_t(w), high = (x >> 16) * (w >> 16);
        v += uint32_t(low) + uint32_t(high);
    }
    void store(int32_t* to) const { *to = int32_t(v); }
    static int32_t load(const int32_t* from) { return *from; }
    static int32_t spread(int32_t w) { return w; }
};

#endif

// Entries of a table at CHUNK places.
INLINE void gather(const int32_t* table, const int32_t* RESTRICT index, int32_t* RESTRICT out) {
    for (int i = 0; i < CHUNK; i++)
        out[i] = table[index[i]];
}

// CHUNK pairs, the first of each in the low half.
INLINE void interleave(const int16_t* RESTRICT first, const int16_t* RESTRICT second, uint32_t* RESTRICT out) {
#if defined(__AVX2__)
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second));
    const __m256i low = _mm256_unpacklo_epi16(x, y), high = _mm256_unpackhi_epi16(x, y);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out) + 1, _mm256_permute2x128_si256(low, high, 0x31));
#else
    for (int i = 0; i < CHUNK; i++)
        out[i] = uint32_t(uint16_t(first[i])) | uint32_t(uint16_t(second[i])) << 16;
#endif
}

// Eight rows of eight, each the sum of those from `count` tables, become columns of `out`.
INLINE void transpose(const int32_t* const (*in)[8], int32_t count, int32_t at, int32_t* const* out, int32_t to) {
#if defined(__AVX2__)
    __m256i r[8], t[8];
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in[0][i] + at));
    for (int t = 1; t < count; t++)
        for (int i = 0; i < 8; i++)
            r[i] = _mm256_add_epi32(r[i], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in[t][i] + at)));
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm256_unpacklo_epi64(t[i + j], t[i + j + 2]);
            r[i + 2 * j + 1] = _mm256_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[i] + to), _mm256_permute2x128_si256(r[i], r[i + 4], 0x20));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[i + 4] + to),
                            _mm256_permute2x128_si256(r[i], r[i + 4], 0x31));
    }
#else
    for (int c = 0; c < 8; c++)
        for (int k = 0; k < 8; k++) {
            uint32_t sum = 0;
            for (int t = 0; t < count; t++)
                sum += uint32_t(in[t][k][at + c]);
            out[c][to + k] = int32_t(sum);
        }
#endif
}

// Edges of a step's 16 intervals: floor((own - start + GAIN * s) * share) + s, all sums below 2^31.
INLINE void scale_edges(const int32_t* own, int32_t start, double share, uint32_t* edges) {
#if defined(__AVX512F__)
    const __m512i s = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_sub_epi32(_mm512_slli_epi32(s, 6), _mm512_set1_epi32(start));
    const __m512i part = _mm512_add_epi32(_mm512_loadu_si512(own), first);
    const __m512d by = _mm512_set1_pd(share);
    const __m256i low = _mm512_cvttpd_epi32(_mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_castsi512_si256(part)), by));
    const __m256i high = _mm512_cvttpd_epi32(_mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(part, 1)), by));
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    _mm512_storeu_si512(edges, _mm512_add_epi32(both, s));
#elif defined(__AVX2__)
    const __m256d by = _mm256_set1_pd(share);
    for (int i = 0; i < SYMBOLS; i += 4) {
        const __m128i s = _mm_add_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32(i));
        const __m128i first = _mm_sub_epi32(_mm_slli_epi32(s, 6), _mm_set1_epi32(start));
        const __m128i part = _mm_add_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(own + i)), first);
        const __m128i scaled = _mm256_cvttpd_epi32(_mm256_mul_pd(_mm256_cvtepi32_pd(part), by));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(edges + i), _mm_add_epi32(scaled, s));
    }
#else
    for (int s = 0; s < SYMBOLS; s++)
        edges[s] = uint32_t(int32_t(double(own[s] - start + GAIN * s) * share)) + uint32_t(s);
#endif
}
static_assert(GAIN == 1 << 6, "as shifted above");
