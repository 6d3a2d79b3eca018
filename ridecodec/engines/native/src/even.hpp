// All values alike, see exact/families/even.py. Included inside the kernels' namespace.

struct Even {
    enum { TOP };

    // [lane]: how many values there are
    static size_t state(const Mixture&) { return LANES * 4; }
    static void prepare(const Mixture& m, const Frame& f, char* state) {
        const int32_t* RESTRICT top = at<const int32_t>(f, m.part[TOP].id[0]);
        int32_t* RESTRICT count = reinterpret_cast<int32_t*>(state);
        for (int32_t i = 0; i < f.lanes; i++)
            count[i] = top[i] + 1;
    }

    // Below 2^38 and a divisor of at most 256: the quotient rounds to no integer above it.
    INLINE static int32_t share(int32_t edge, int32_t count) {
        return int32_t(double(least(edge, count)) * CDF_TOTAL / double(count));
    }
    static void one(const Mixture&, const char* state, int32_t pixel, int first, int step, int32_t* RESTRICT below) {
        const int32_t count = reinterpret_cast<const int32_t*>(state)[pixel];
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = share(first + step * i, count);
    }
    static void lanes(const Mixture&, const char* state, int32_t n, const int32_t* RESTRICT edge,
                      int32_t* RESTRICT below) {
        const int32_t* RESTRICT count = reinterpret_cast<const int32_t*>(state);
        for (int32_t i = 0; i < n; i++)
            below[i] = share(edge[i], count[i]);
    }
};
