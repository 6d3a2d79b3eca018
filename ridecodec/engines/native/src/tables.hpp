// From cumulatives to the coder's intervals, see exact/tables.py. Included inside the kernels' namespace.
//
// A family is a struct with `state(mixture)`, `prepare(mixture, frame, state)`, and two forms of its cumulative:
// `one(mixture, state, pixel, first, step, below)`: at the 16 edges first, first + step, ... of a pixel, and
// `lanes(mixture, state, n, edge, below)`: at one edge of each of n pixels, a multiple of CHUNK. Edges are 1..255; the
// ends, 0 and CDF_TOTAL, are put in here.

constexpr double SHARE = double(int64_t(TABLE_TOTAL) << 26);

// floor(part * floor(TABLE_TOTAL * 2^26 / whole) / 2^26): all products are below 2^53, and a quotient of integers of
// less than 53 bits rounds to no integer above it.
INLINE double reciprocal(int32_t whole) {
    constexpr double whole_numbers = double(int64_t(1) << 52);
    const double q = SHARE / double(whole), near = (q + whole_numbers) - whole_numbers;
    return near > q ? near - 1.0 : near;
}

template <class F>
void high_edges(const Mixture& m, const char* state, int32_t pixels, uint32_t* edges, int32_t* below) {
    for (int32_t p = 0; p < pixels; p++, edges += SYMBOLS, below += SYMBOLS) {
        F::one(m, state, p, 0, SYMBOLS, below);
        below[0] = 0;
        for (int s = 0; s < SYMBOLS; s++)
            edges[s] = (uint32_t(below[s] + GAIN * SYMBOLS * s) >> 6) + uint32_t(s);
    }
}

template <class F>
void low_edges(const Mixture& m, const char* state, int32_t pixels, const uint8_t* high, const int32_t* below,
               uint32_t* edges) {
    int32_t start[LANES], whole[LANES];
    double share[LANES];
    for (int32_t p = 0; p < pixels; p++) {
        const int32_t* row = below + p * SYMBOLS;
        const int h = high[p];
        start[p] = row[h];
        whole[p] = (h == SYMBOLS - 1 ? CDF_TOTAL : row[h + 1]) - row[h] + GAIN * SYMBOLS;
    }
    for (int32_t p = 0; p < pixels; p++)
        share[p] = reciprocal(whole[p]) * (1.0 / (1 << 26));
    for (int32_t p = 0; p < pixels; p++, edges += SYMBOLS) {
        alignas(64) int32_t own[SYMBOLS];
        F::one(m, state, p, SYMBOLS * high[p], 1, own);
        own[0] = start[p];
        scale_edges(own, start[p], share[p], edges);
    }
}

template <class F>
void intervals(const Mixture& m, const char* state, int32_t pixels, const int16_t* value, Interval* high,
               Interval* low) {
    const int32_t n = (pixels + CHUNK - 1) / CHUNK * CHUNK;
    alignas(64) int32_t edge[4][LANES], below[4][LANES], start[2][LANES], width[2][LANES];
    for (int32_t i = 0; i < n; i++) {
        edge[0][i] = value[i] & ~15, edge[1][i] = edge[0][i] + SYMBOLS;
        edge[2][i] = value[i], edge[3][i] = value[i] + 1;
    }
    for (int e = 0; e < 4; e++) {
        F::lanes(m, state, n, edge[e], below[e]);
        for (int32_t i = 0; i < n; i++) {
            int32_t b = edge[e][i] == 0 ? 0 : below[e][i];
            b = edge[e][i] == VALUES ? CDF_TOTAL : b;
            below[e][i] = b + GAIN * edge[e][i];
        }
    }
    for (int32_t i = 0; i < n; i++) {
        const int32_t h = edge[0][i] >> 4, l = edge[2][i] & 15;
        start[0][i] = (below[0][i] >> 6) + h;
        width[0][i] = (below[1][i] >> 6) - (below[0][i] >> 6) + 1;
        const double share = reciprocal(below[1][i] - below[0][i]);
        const int32_t first = int32_t(double(below[2][i] - below[0][i]) * share * (1.0 / (1 << 26)));
        int32_t last = int32_t(double(below[3][i] - below[0][i]) * share * (1.0 / (1 << 26)));
        last = l == SYMBOLS - 1 ? TABLE_TOTAL : last;
        start[1][i] = first + l, width[1][i] = last + 1 - first;
    }
    for (int32_t i = 0; i < n; i++) {
        high[i] = {uint32_t(start[0][i]), uint32_t(width[0][i])};
        low[i] = {uint32_t(start[1][i]), uint32_t(width[1][i])};
    }
}

template <class F>
constexpr Family family() {
    return {F::state, F::prepare, high_edges<F>, low_edges<F>, intervals<F>, nullptr, nullptr, nullptr, nullptr};
}

uint32_t next_word(Reading& r) {
    uint32_t word = 0;
    if (r.end - r.next >= 4) {
        for (int i = 0; i < 4; i++)
            word = word << 8 | r.next[i];
        r.next += 4;
        return word;
    }
    for (int i = 0; i < 4; i++) {
        word <<= 8;
        if (r.next < r.end)
            word |= *r.next++;
        else
            r.beyond++;
    }
    return word;
}

// The last symbol whose edge is not above q.
INLINE int symbol_of(const uint32_t* edges, uint32_t q) {
#if defined(__AVX512F__)
    __mmask16 above = _mm512_cmpgt_epi32_mask(_mm512_load_si512(edges), _mm512_set1_epi32(int32_t(q)));
    return 15 - int(_mm_popcnt_u32(above));
#elif defined(__AVX2__)
    const __m256i point = _mm256_set1_epi32(int32_t(q));
    const __m256i* e = reinterpret_cast<const __m256i*>(edges);
    unsigned above = unsigned(_mm256_movemask_epi8(_mm256_packs_epi32(
        _mm256_cmpgt_epi32(_mm256_load_si256(e), point), _mm256_cmpgt_epi32(_mm256_load_si256(e + 1), point))));
    return 15 - int(_mm_popcnt_u32(above)) / 2;
#else
    int found = 0;
    for (int s = 1; s < SYMBOLS; s++)
        found += edges[s] <= q;
    return found;
#endif
}

// False: the code is no code.
INLINE bool next_symbol(Reading& r, const uint32_t* edges, uint8_t* out) {
    const uint64_t scale = r.range >> 24, q = r.point / scale;
    if (q >> 24) return false;
    const int s = symbol_of(edges, uint32_t(q));
    *out = uint8_t(s);
    const uint64_t start = edges[s], end = s == SYMBOLS - 1 ? uint64_t(1) << 24 : edges[s + 1];
    r.point -= scale * start, r.range = scale * (end - start);
    if (r.range < uint64_t(1) << 32) r.range <<= 32, r.point = r.point << 32 | next_word(r);
    return true;
}

bool symbols(Reading* readings, int32_t tile_bits, const uint32_t* edges, int32_t pixels, uint8_t* out) {
    bool good = true;
    if (tile_bits) {
        const int32_t last = (1 << tile_bits) - 1;
        for (int32_t p = 0; p < pixels && good; p++)
            good = next_symbol(readings[p & last], edges + ptrdiff_t(p) * SYMBOLS, out + p);
        return good;
    }
    Reading r = *readings;
    for (int32_t p = 0; p < pixels && good; p++)
        good = next_symbol(r, edges + ptrdiff_t(p) * SYMBOLS, out + p);
    *readings = r;
    return good;
}
