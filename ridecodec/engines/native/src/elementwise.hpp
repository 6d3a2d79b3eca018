// Operations on every lane by itself. Included inside the kernels' namespace.

// The type an operation computes in: int16 only where all are.
template <class X, class Y, class O>
struct Common {
    using T = int32_t;
};
template <>
struct Common<int16_t, int16_t, int16_t> {
    using T = int16_t;
};
template <>
struct Common<int64_t, int64_t, int64_t> {
    using T = int64_t;
};

template <int OP, class C>
INLINE C paired(C x, C y) {
    using U = typename Wrap<C>::T;
    if constexpr (OP == ADD) return C(U(x) + U(y));
    if constexpr (OP == SUBTRACT) return C(U(x) - U(y));
    if constexpr (OP == MULTIPLY) {
        if constexpr (sizeof(C) == 2) return C(int32_t(x) * y);
        return C(U(x) * U(y));
    }
    if constexpr (OP == MINIMUM) return least(x, y);
    if constexpr (OP == MAXIMUM) return most(x, y);
    if constexpr (OP == LESS) return x < y;
    if constexpr (OP == EQUAL) return x == y;
}

template <int OP, int THEN, class X, class Y, class O>
void pairwise(const Step& s, const Frame& f) {
    using C = typename Common<X, Y, O>::T;
    // what follows needs the whole result, which need not fit the types of the ends
    using E = LaneOf<sizeof(C) == 8 ? I64 : sizeof(C) == 2 && THEN == NOTHING ? I16 : I32>;
    const E lo = limit<E>(s.lo), hi = limit<E>(s.hi);
    const int bits = s.bits;
    for (int32_t r = 0; r < s.out.count; r++) {
        const X* RESTRICT x = at<X>(f, s.x.id[r]);
        const Y* RESTRICT y = at<Y>(f, s.y.id[r]);
        O* RESTRICT out = at<O>(f, s.out.id[r]);
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++) {
                E v = paired<OP>(E(x[i]), E(y[i]));
                if constexpr ((THEN & SHIFTED) != 0) v = E(v >> bits);
                if constexpr ((THEN & CLAMPED) != 0) v = least(most(v, lo), hi);
                out[i] = O(v);
            }
    }
}

template <class X, class O>
void absolute(const Step& s, const Frame& f) {
    using C = typename Common<X, X, O>::T;
    using U = typename Wrap<C>::T;
    for (int32_t r = 0; r < s.out.count; r++) {
        const X* RESTRICT x = at<X>(f, s.x.id[r]);
        O* RESTRICT out = at<O>(f, s.out.id[r]);
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++) {
                C v = C(x[i]);
                out[i] = O(v < 0 ? C(U(0) - U(v)) : v);
            }
    }
}

template <class X, class O>
void clamp(const Step& s, const Frame& f) {
    using C = typename Common<X, X, X>::T;
    const C lo = limit<C>(s.lo), hi = limit<C>(s.hi);
    for (int32_t r = 0; r < s.out.count; r++) {
        const X* RESTRICT x = at<X>(f, s.x.id[r]);
        O* RESTRICT out = at<O>(f, s.out.id[r]);
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++)
                out[i] = O(least(most(C(x[i]), lo), hi));
    }
}

template <class X, class O>
void shift(const Step& s, const Frame& f) {
    using C = typename Common<X, X, O>::T;
    using U = typename Wrap<C>::T;
    constexpr int top = 8 * int(sizeof(C)) - 1;
    const int down = least(s.bits, top), up = least(-s.bits, top);
    for (int32_t r = 0; r < s.out.count; r++) {
        const X* RESTRICT x = at<X>(f, s.x.id[r]);
        O* RESTRICT out = at<O>(f, s.out.id[r]);
        if (s.bits >= 0) {
            for (int32_t j = 0; j < f.lanes; j += CHUNK)
                for (int i = j; i < j + CHUNK; i++)
                    out[i] = O(C(C(x[i]) >> down));
        } else {
            for (int32_t j = 0; j < f.lanes; j += CHUNK)
                for (int i = j; i < j + CHUNK; i++)
                    out[i] = O(C(U(U(C(x[i])) << up)));
        }
    }
}

template <class X, class O>
void convert(const Step& s, const Frame& f) {
    for (int32_t r = 0; r < s.out.count; r++) {
        const X* RESTRICT x = at<X>(f, s.x.id[r]);
        O* RESTRICT out = at<O>(f, s.out.id[r]);
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++)
                out[i] = O(x[i]);
    }
}

template <class T, class X, class O>
void lookup(const Step& s, const Frame& f) {
    const T* RESTRICT table = static_cast<const T*>(s.table);
    const int32_t columns = s.count;
    for (int32_t r = 0; r < s.out.count; r++) {
        const X* RESTRICT x = at<X>(f, s.x.id[r]);
        O* RESTRICT out = at<O>(f, s.out.id[r]);
        for (int32_t i = 0; i < f.lanes; i++)
            out[i] = O(table[ptrdiff_t(x[i]) * columns]);
    }
}

// Entries of many columns, eight of them by eight lanes at a time; of several tables their sums.
template <class T, class X, class O>
void lookup_many(const Step& s, const Frame& f) {
    using U = typename Wrap<O>::T;
    const void* const* table = static_cast<const void* const*>(s.table);
    const int32_t columns = s.count, count = s.x.count;
    for (int32_t i = 0; i < f.lanes; i += 8) {
        const T* entry[MOST_TABLES][8];
        for (int32_t t = 0; t < count; t++) {
            const X* x = at<X>(f, s.x.id[t]) + i;
            for (int k = 0; k < 8; k++)
                entry[t][k] = static_cast<const T*>(table[t]) + ptrdiff_t(x[k]) * columns;
        }
        int32_t c = 0;
        if constexpr (sizeof(T) == 4 && sizeof(O) == 4)
            for (; c + 8 <= columns; c += 8) {
                O* out[8];
                for (int k = 0; k < 8; k++)
                    out[k] = at<O>(f, s.out.id[c + k]);
                transpose(entry, count, c, out, i);
            }
        for (; c < columns; c++) {
            O* RESTRICT out = at<O>(f, s.out.id[c]) + i;
            for (int k = 0; k < 8; k++) {
                U sum = 0;
                for (int32_t t = 0; t < count; t++)
                    sum = U(sum + U(entry[t][k][c]));
                out[k] = O(sum);
            }
        }
    }
}

template <class I, class T>
void select(const Step& s, const Frame& f) {
    using U = typename Wrap<T>::T;
    const I* RESTRICT index = at<I>(f, s.x.id[0]);
    for (int32_t r = 0; r < s.out.count; r++) {
        U* RESTRICT out = at<U>(f, s.out.id[r]);
        const int32_t* from = s.y.id + ptrdiff_t(r) * s.count;
        for (int32_t j = 0; j < f.lanes; j += CHUNK) {
            U found[CHUNK];
            for (int i = 0; i < CHUNK; i++)
                found[i] = 0;
            for (int32_t g = 0; g < s.count; g++) {
                const U* RESTRICT x = at<const U>(f, from[g]) + j;
                for (int i = 0; i < CHUNK; i++)
                    found[i] |= x[i] & U(U(0) - U(index[j + i] == g));
            }
            for (int i = 0; i < CHUNK; i++)
                out[j + i] = found[i];
        }
    }
}

template <class T>
void place_in(const Step& s, const Frame& f) {
    T* out[6];
    for (int k = 0; k < 6; k++)
        out[k] = at<T>(f, s.out.id[k]);
    const int32_t top = int32_t(s.hi);
    for (int32_t i = 0; i < f.lanes; i++) {  // lanes past the last pixel of the front stand outside of the tile
        const int32_t r = i >> f.tile_bits;
        int32_t y = least(f.y + r, f.height - 1), x = least(most(f.x - f.slope * r, 0), f.width - 1);
        out[0][i] = T(least(y, top)), out[1][i] = T(least(x, top));
        out[2][i] = T(least(f.height - 1 - y, top)), out[3][i] = T(least(f.width - 1 - x, top));
        out[4][i] = T(y & 1), out[5][i] = T(x & 1);
    }
}
template <class T>
void give(const Step& s, const Frame& f) {
    T* out = at<T>(f, s.out.id[0]);
    const int32_t* const* from = f.given + (ptrdiff_t(s.count) << f.tile_bits);
    const int32_t tiles = 1 << f.tile_bits;
    const ptrdiff_t stride = f.width + 2 * ptrdiff_t(s.bits);
    for (int32_t i = 0; i < f.lanes; i++) {  // as for place
        const int32_t r = i >> f.tile_bits;
        const ptrdiff_t y = least(f.y + r, f.height - 1), x = least(most(f.x - f.slope * r, 0), f.width - 1);
        out[i] = T(from[i & (tiles - 1)][(y + s.lo) * stride + x + s.hi]);
    }
}
Run find_give(int out) { return out == I16 ? give<int16_t> : give<int32_t>; }

void place(const Step& s, const Frame& f) {
    if (s.out.type == I16)
        place_in<int16_t>(s, f);
    else
        place_in<int32_t>(s, f);
}

void pack(const Step& s, const Frame& f) {
    for (int32_t r = 0; r < s.out.count; r++) {
        const int16_t* RESTRICT x = at<int16_t>(f, s.x.id[r]);
        const int16_t* RESTRICT y = at<int16_t>(f, s.y.id[r]);
        uint32_t* RESTRICT out = at<uint32_t>(f, s.out.id[r]);
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            interleave(x + j, y + j, out + j);
    }
}

// By types: int16 and int32 in all combinations; int64 only where all are.
#define FOR_TWO(x, out, run)                         \
    switch ((x) * TYPES + (out)) {                   \
        case I16* TYPES + I16: return run(I16, I16); \
        case I16* TYPES + I32: return run(I16, I32); \
        case I32* TYPES + I16: return run(I32, I16); \
        case I32* TYPES + I32: return run(I32, I32); \
        case I64* TYPES + I64: return run(I64, I64); \
        default: return nullptr;                     \
    }

template <int OP, int THEN, int Y>
Run find_pairwise_of(int x, int out) {
#define ONE(X, O) (pairwise<OP, THEN, LaneOf<X>, LaneOf<Y>, LaneOf<O>>)
    if constexpr (Y == I64) return x == I64 && out == I64 ? ONE(I64, I64) : nullptr;
    if (x == I64 || out == I64) return nullptr;
    if constexpr (Y != I64) {
        if (x == I16) return out == I16 ? ONE(I16, I16) : ONE(I16, I32);
        return out == I16 ? ONE(I32, I16) : ONE(I32, I32);
    }
    return nullptr;
#undef ONE
}
template <int OP, int THEN>
Run find_pairwise_then(int x, int y, int out) {
    return y == I16   ? find_pairwise_of<OP, THEN, I16>(x, out)
           : y == I32 ? find_pairwise_of<OP, THEN, I32>(x, out)
                      : find_pairwise_of<OP, THEN, I64>(x, out);
}
template <int OP>
Run find_pairwise_op(int then, int x, int y, int out) {
    if constexpr (OP <= MULTIPLY) {
        if (then == SHIFTED) return find_pairwise_then<OP, SHIFTED>(x, y, out);
        if (then == CLAMPED) return find_pairwise_then<OP, CLAMPED>(x, y, out);
        if (then == (SHIFTED | CLAMPED)) return find_pairwise_then<OP, SHIFTED | CLAMPED>(x, y, out);
    }
    return find_pairwise_then<OP, NOTHING>(x, y, out);
}
Run find_pairwise(int op, int then, int x, int y, int out) {
    switch (op) {
        case ADD: return find_pairwise_op<ADD>(then, x, y, out);
        case SUBTRACT: return find_pairwise_op<SUBTRACT>(then, x, y, out);
        case MULTIPLY: return find_pairwise_op<MULTIPLY>(then, x, y, out);
        case MINIMUM: return find_pairwise_op<MINIMUM>(then, x, y, out);
        case MAXIMUM: return find_pairwise_op<MAXIMUM>(then, x, y, out);
        case LESS: return find_pairwise_op<LESS>(then, x, y, out);
        default: return find_pairwise_op<EQUAL>(then, x, y, out);
    }
}

Run find_absolute(int x, int out){
#define ONE(X, O) absolute<LaneOf<X>, LaneOf<O>>
    FOR_TWO(x, out, ONE)
#undef ONE
} Run find_clamp(int x, int out){
#define ONE(X, O) clamp<LaneOf<X>, LaneOf<O>>
    FOR_TWO(x, out, ONE)
#undef ONE
} Run find_shift(int x, int out) {
#define ONE(X, O) shift<LaneOf<X>, LaneOf<O>>
    FOR_TWO(x, out, ONE)
#undef ONE
}
template <int X>
Run find_convert_of(int out) {
    switch (out) {
        case I16: return convert<LaneOf<X>, int16_t>;
        case I32: return convert<LaneOf<X>, int32_t>;
        case I64: return convert<LaneOf<X>, int64_t>;
        case REAL: return convert<LaneOf<X>, double>;
        default: return nullptr;
    }
}
Run find_convert(int x, int out) {
    switch (x) {
        case I16: return find_convert_of<I16>(out);
        case I32: return find_convert_of<I32>(out);
        case I64: return find_convert_of<I64>(out);
        default: return nullptr;
    }
}
Run find_lookup(int table, int x, int out) {
    if (table == I16) {
#define ONE(X, O) lookup<int16_t, LaneOf<X>, LaneOf<O>>
        FOR_TWO(x, out, ONE)
#undef ONE
    }
#define ONE(X, O) lookup<int32_t, LaneOf<X>, LaneOf<O>>
    FOR_TWO(x, out, ONE)
#undef ONE
}
Run find_lookup_many(int table, int x, int out) {
    if (table == I16) {
#define ONE(X, O) lookup_many<int16_t, LaneOf<X>, LaneOf<O>>
        FOR_TWO(x, out, ONE)
#undef ONE
    }
#define ONE(X, O) lookup_many<int32_t, LaneOf<X>, LaneOf<O>>
    FOR_TWO(x, out, ONE)
#undef ONE
}
Run find_select(int index, int x) {
    switch (x) {
        case I16: return index == I16 ? select<int16_t, int16_t> : select<int32_t, int16_t>;
        case I32: return index == I16 ? select<int16_t, int32_t> : select<int32_t, int32_t>;
        default: return index == I16 ? select<int16_t, int64_t> : select<int32_t, int64_t>;
    }
}
#undef FOR_TWO
