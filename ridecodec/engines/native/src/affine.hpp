// Sums of products. Included inside the kernels' namespace.

// From the sums of one row to its result, `sum` [lanes] without bias and plus.
template <class C, class S, class O>
INLINE void finish_row(const Step& s, const Frame& f, int32_t row, const S* RESTRICT sum) {
    using U = typename Wrap<C>::T;
    const Affine& a = *s.affine;
    const U bias = U(a.bias[row]);
    constexpr int top = 8 * int(sizeof(C)) - 1;
    const int bits = least(a.shift[row], top);
    const C lo = limit<C>(s.lo), hi = limit<C>(s.hi);
    O* RESTRICT out = at<O>(f, s.out.id[row]);
    if (s.y.count) {
        using P = LaneOf<sizeof(C) == 8 ? I64 : I32>;
        const P* RESTRICT plus = at<P>(f, s.y.id[row]);
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++)
                out[i] = O(least(most(C(C(U(C(sum[i])) + bias + U(plus[i])) >> bits), lo), hi));
    } else {
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++)
                out[i] = O(least(most(C(C(U(C(sum[i])) + bias) >> bits), lo), hi));
    }
}

constexpr int MOST_PAIRS = 256;  // columns whose places are looked up at once

template <int BLOCKS, int VECTORS>
INLINE void store_block(const Sums (*acc)[VECTORS], int32_t lane, bool begin, int32_t (*RESTRICT sum)[LANES]) {
    for (int r = 0; r < 4 * BLOCKS; r++)
        for (int v = 0; v < VECTORS; v++) {
            int32_t* to = sum[r] + lane + v * Sums::WIDTH;
            if (begin) {
                acc[r][v].store(to);
            } else {
                alignas(64) int32_t more[Sums::WIDTH];
                acc[r][v].store(more);
                for (int i = 0; i < Sums::WIDTH; i++)
                    to[i] = int32_t(uint32_t(to[i]) + uint32_t(more[i]));
            }
        }
}

// Four times BLOCKS rows by VECTORS vectors of lanes.
template <int BLOCKS, int VECTORS>
INLINE void pair_block(const int32_t* const* x, int32_t columns, const int32_t* RESTRICT weight, ptrdiff_t block,
                       int32_t lane, bool begin, int32_t (*RESTRICT sum)[LANES]) {
    Sums acc[4 * BLOCKS][VECTORS];
#if defined(FOUR_BY_TWO)
    if constexpr (BLOCKS == 1 && VECTORS == 2) {
        four_by_two(x, columns, weight, lane, acc);
        store_block<BLOCKS, VECTORS>(acc, lane, begin, sum);
        return;
    }
#endif
    for (int r = 0; r < 4 * BLOCKS; r++)
        for (int v = 0; v < VECTORS; v++)
            acc[r][v].clear();
    for (int32_t k = 0; k < columns; k++, weight += 4) {
        const int32_t* from = x[k] + lane;
        decltype(Sums::load(from)) in[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            in[v] = Sums::load(from + v * Sums::WIDTH);
        for (int b = 0; b < BLOCKS; b++)
            for (int r = 0; r < 4; r++) {
                auto w = Sums::spread(weight[b * block + r]);
                for (int v = 0; v < VECTORS; v++)
                    acc[4 * b + r][v].add(in[v], w);
            }
    }
    store_block<BLOCKS, VECTORS>(acc, lane, begin, sum);
}

template <int BLOCKS>
INLINE void pair_rows(const int32_t* const* x, int32_t columns, const int32_t* weight, ptrdiff_t block, int32_t lanes,
                      bool begin, int32_t (*sum)[LANES]) {
    constexpr int wide = Sums::WIDTH == 16 ? 4 : 2;  // vectors that the registers hold beside four rows
    int32_t lane = 0;
    if constexpr (BLOCKS == 1)
        for (; lane + wide * Sums::WIDTH <= lanes; lane += wide * Sums::WIDTH)
            pair_block<1, wide>(x, columns, weight, block, lane, begin, sum);
    if constexpr (Sums::WIDTH == 16)
        for (; lane + 2 * Sums::WIDTH <= lanes; lane += 2 * Sums::WIDTH)
            pair_block<BLOCKS, 2>(x, columns, weight, block, lane, begin, sum);
    for (; lane < lanes; lane += Sums::WIDTH)
        pair_block<BLOCKS, 1>(x, columns, weight, block, lane, begin, sum);
}

template <class O>
void affine_pairs(const Step& s, const Frame& f) {
    const Affine& a = *s.affine;
    const int32_t* const weight = static_cast<const int32_t*>(a.weight);
    // many registers and few lanes: eight rows, to have enough sums under way
    constexpr bool two = Sums::WIDTH == 16;
    const int32_t step = two && f.lanes < LANES ? 8 : 4;
    const ptrdiff_t block = ptrdiff_t(a.columns) * 4;
    const int32_t* x[MOST_PAIRS];
    alignas(64) int32_t sum[8][LANES];
    for (int32_t k = 0; k < a.columns && k < MOST_PAIRS; k++)
        x[k] = at<const int32_t>(f, s.x.id[k]);
    for (int32_t row = 0; row < a.rows; row += step) {
        for (int32_t first = 0; first == 0 || first < a.columns; first += MOST_PAIRS) {
            const int32_t columns = least(a.columns - first, MOST_PAIRS);
            if (a.columns > MOST_PAIRS)
                for (int32_t k = 0; k < columns; k++)
                    x[k] = at<const int32_t>(f, s.x.id[first + k]);
            const int32_t* w = weight + row / 4 * block + ptrdiff_t(first) * 4;
            if (two && step == 8 && row + 4 < a.rows)
                pair_rows<2>(x, columns, w, block, f.lanes, first == 0, sum);
            else
                pair_rows<1>(x, columns, w, block, f.lanes, first == 0, sum);
        }
        for (int32_t r = row; r < row + step && r < a.rows; r++)
            finish_row<int32_t, int32_t, O>(s, f, r, sum[r - row]);
    }
}

// The same of whole int32 inputs, as compilers make of loops.
INLINE void word_rows(const Step& s, const Frame& f, const int32_t* RESTRICT weight, int32_t (*sum)[LANES]) {
    for (int32_t lane = 0; lane < f.lanes; lane += CHUNK) {
        uint32_t acc[4][CHUNK];
        for (int r = 0; r < 4; r++)
            for (int i = 0; i < CHUNK; i++)
                acc[r][i] = 0;
        for (int32_t k = 0; k < s.affine->columns; k++) {
            const int32_t* RESTRICT x = at<const int32_t>(f, s.x.id[k]) + lane;
            for (int r = 0; r < 4; r++) {
                const uint32_t w = uint32_t(weight[k * 4 + r]);
                for (int i = 0; i < CHUNK; i++)
                    acc[r][i] += uint32_t(x[i]) * w;
            }
        }
        for (int r = 0; r < 4; r++)
            for (int i = 0; i < CHUNK; i++)
                sum[r][lane + i] = int32_t(acc[r][i]);
    }
}

// The same of doubles, which hold all partial sums exactly, fused or not.
INLINE void real_rows(const Step& s, const Frame& f, const double* RESTRICT weight, double (*sum)[LANES]) {
    constexpr int VECTORS = 2;
    for (int32_t lane = 0; lane < f.lanes; lane += VECTORS * Reals::WIDTH) {
        Reals acc[4][VECTORS];
        for (int r = 0; r < 4; r++)
            for (int v = 0; v < VECTORS; v++)
                acc[r][v].clear();
        for (int32_t k = 0; k < s.affine->columns; k++) {
            const double* x = at<const double>(f, s.x.id[k]) + lane;
            decltype(Reals::load(x)) in[VECTORS];
            for (int v = 0; v < VECTORS; v++)
                in[v] = Reals::load(x + v * Reals::WIDTH);
            for (int r = 0; r < 4; r++) {
                auto w = Reals::spread(weight[k * 4 + r]);
                for (int v = 0; v < VECTORS; v++)
                    acc[r][v].add(in[v], w);
            }
        }
        for (int r = 0; r < 4; r++)
            for (int v = 0; v < VECTORS; v++)
                acc[r][v].store(sum[r] + lane + v * Reals::WIDTH);
    }
}

template <class X, class C, class O>
void affine_whole(const Step& s, const Frame& f) {
    const Affine& a = *s.affine;
    const X* const all = static_cast<const X*>(a.weight);
    alignas(64) X sum[4][LANES];
    for (int32_t row = 0; row < a.rows; row += 4) {
        const X* weight = all + ptrdiff_t(row) * a.columns;
        if constexpr (sizeof(X) == 8)
            real_rows(s, f, weight, sum);
        else
            word_rows(s, f, weight, sum);
        for (int32_t r = row; r < row + 4 && r < a.rows; r++)
            finish_row<C, X, O>(s, f, r, sum[r - row]);
    }
}

template <class C, class X>
INLINE void add_term(C* RESTRICT sum, const X* RESTRICT x, int32_t weight, int32_t lanes) {
    using U = typename Wrap<C>::T;
    const C w = C(weight);
    for (int32_t j = 0; j < lanes; j += CHUNK)
        for (int i = j; i < j + CHUNK; i++) {
            if constexpr (sizeof(C) == 2)
                sum[i] = C(int32_t(sum[i]) + int32_t(C(x[i])) * w);
            else
                sum[i] = C(U(sum[i]) + U(C(x[i])) * U(w));
        }
}

template <class C, class O>
void affine_terms(const Step& s, const Frame& f) {
    const Affine& a = *s.affine;
    const int32_t* weight = static_cast<const int32_t*>(a.weight);
    alignas(64) C sum[LANES];
    for (int32_t row = 0; row < a.rows; row++) {
        for (int32_t i = 0; i < f.lanes; i++)
            sum[i] = 0;
        for (int32_t k = a.first[row]; k < a.first[row + 1]; k++) {
            const int32_t id = s.x.id[k], w = weight[k];
            if (a.type[k] == I16) {
                add_term(sum, at<const int16_t>(f, id), w, f.lanes);
            } else if constexpr (sizeof(C) >= 4) {
                if (a.type[k] == I32)
                    add_term(sum, at<const int32_t>(f, id), w, f.lanes);
                else if constexpr (sizeof(C) == 8)
                    add_term(sum, at<const int64_t>(f, id), w, f.lanes);
            }
        }
        finish_row<C, C, O>(s, f, row, sum);
    }
}

Run find_affine(int kind, int out) {
#define OUTS(run, ...)                              \
    switch (out) {                                  \
        case I16: return run<__VA_ARGS__, int16_t>; \
        case I32: return run<__VA_ARGS__, int32_t>; \
        default: return run<__VA_ARGS__, int64_t>;  \
    }
    switch (kind) {
        case PAIRS: return out == I16 ? affine_pairs<int16_t> : affine_pairs<int32_t>;
        case WORDS: OUTS(affine_whole, int32_t, int32_t)
        case REALS: OUTS(affine_whole, double, int64_t)
        case TERMS16: OUTS(affine_terms, int16_t)
        case TERMS32: OUTS(affine_terms, int32_t)
        default: OUTS(affine_terms, int64_t)
    }
#undef OUTS
}
