// A softmax over all values, see exact/families/softmax.py. Included inside the kernels' namespace.

struct Softmax {
    enum { LOGITS };
    enum { EXPONENTIAL };

    // [lane][value]: mass below each value, and of all, at most 2^30
    static size_t state(const Mixture&) { return size_t(VALUES + 1) * LANES * 4; }
    static void prepare(const Mixture& m, const Frame& f, char* state) {
        const int32_t* fall = m.table[EXPONENTIAL];
        const int32_t last = m.length[EXPONENTIAL] - 1;
        alignas(64) int32_t top[LANES];
        const int32_t* first = at<const int32_t>(f, m.part[LOGITS].id[0]);
        for (int32_t i = 0; i < f.lanes; i++)
            top[i] = first[i];
        for (int32_t v = 1; v < VALUES; v++) {
            const int32_t* RESTRICT logit = at<const int32_t>(f, m.part[LOGITS].id[v]);
            for (int32_t j = 0; j < f.lanes; j += CHUNK)
                for (int i = j; i < j + CHUNK; i++)
                    top[i] = most(top[i], logit[i]);
        }
        int32_t* below = reinterpret_cast<int32_t*>(state);
        for (int32_t i = 0; i < f.pixels; i++)
            below[i * (VALUES + 1)] = 0;
        for (int32_t v = 0; v < VALUES; v++) {
            const int32_t* logit = at<const int32_t>(f, m.part[LOGITS].id[v]);
            int32_t* to = below + v;
            for (int32_t i = 0; i < f.pixels; i++, to += VALUES + 1)
                to[1] = to[0] + fall[least(top[i] - logit[i], last)];
        }
    }

    // Products are below 2^60.
    INLINE static int32_t share(const int32_t* below, int32_t edge) {
        return int32_t(uint64_t(below[edge]) * uint64_t(CDF_TOTAL) / uint64_t(below[VALUES]));
    }
    static void one(const Mixture&, const char* state, int32_t pixel, int first, int step, int32_t* RESTRICT below) {
        const int32_t* own = reinterpret_cast<const int32_t*>(state) + pixel * (VALUES + 1);
        for (int i = 0; i < SYMBOLS; i++)
            below[i] = share(own, first + step * i);
    }
    static void lanes(const Mixture&, const char* state, int32_t n, const int32_t* RESTRICT edge,
                      int32_t* RESTRICT below) {
        const int32_t* own = reinterpret_cast<const int32_t*>(state);
        for (int32_t i = 0; i < n; i++, own += VALUES + 1)
            below[i] = own[VALUES] ? share(own, edge[i]) : 0;  // lanes without a pixel have no mass
    }
};
