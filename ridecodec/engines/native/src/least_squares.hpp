// Linear predictions that adapt as a tile is coded, see exact/least_squares.py. Lanes are rows of tiles, each with a
// system of its own. Every result is one IEEE operation in single precision: none may be fused or put in another order.
// Included inside the kernels' namespace.

constexpr int MOST_ENTRIES = MOST_INPUTS * (MOST_INPUTS + 3) / 2;
constexpr int SHIFTED = LANES + CHUNK;  // lanes of a block, from a multiple of CHUNK on

// The matrix or vector of CHUNK lanes from `lane` on, a multiple of CHUNK.
INLINE float* group(float* from, int32_t entries, int32_t lane) { return from + ptrdiff_t(lane) * entries; }

// What the rows up to these say at the columns of a block.
INLINE float* below(const LeastSquares& s, int32_t time, int32_t lane) {
    const size_t slot = size_t((time + s.lag) % s.lag);
    return group(s.below + slot * s.slot, s.entries, lane + most(s.tiles, int32_t(CHUNK)));
}

// Sums that are too small to matter become 0, before they leave the normal numbers.
INLINE float kept(float sum) {
    const float size = sum < 0 ? -sum : sum;
    return size < LEAST_SUM ? 0.0f : sum;
}

// The first lane of a block among those of all rows.
INLINE int32_t first_lane(const Frame& f) { return f.y << f.tile_bits; }

// Inputs of a block's pixels, in lanes from a multiple of CHUNK on.
template <class X>
INLINE void shifted(const Rows& rows, const Frame& f, float (*to)[SHIFTED]) {
    const int32_t shift = first_lane(f) % CHUNK;
    for (int32_t k = 0; k < rows.count; k++) {
        const X* x = at<const X>(f, rows.id[k]);
        float* out = to[k] + shift;
        for (int32_t j = 0; j < f.lanes; j += CHUNK)
            for (int i = j; i < j + CHUNK; i++)
                out[i] = float(x[i]);
    }
}

// `x`: inputs. `out`: the predictions.
template <class X>
void predict(const Step& s, const Frame& f) {
    const LeastSquares& own = f.systems[s.bits];
    const float lo = float(s.lo), hi = float(s.hi);
    const int32_t shift = first_lane(f) % CHUNK;
    alignas(64) float x[MOST_INPUTS][SHIFTED] = {};
    alignas(64) int32_t found[SHIFTED];
    shifted<X>(s.x, f, x);
    for (int32_t j = 0; j < shift + f.pixels; j += CHUNK) {
        const float* weight = group(own.weights, own.inputs, first_lane(f) - shift + j);
        float sum[CHUNK] = {};
        for (int32_t k = 0; k < own.inputs; k++, weight += CHUNK)
            for (int i = 0; i < CHUNK; i++)
                sum[i] += weight[i] * x[k][j + i];
        for (int i = 0; i < CHUNK; i++) {
            float limited = sum[i] > lo ? sum[i] : lo;
            limited = limited < hi ? limited : hi;
            // adding and taking away 1.5 * 2^23 rounds to the nearest integer, halves to the even one
            found[j + i] = int32_t((limited + 12582912.0f) - 12582912.0f);
        }
    }
    int32_t* RESTRICT out = at<int32_t>(f, s.out.id[0]);
    for (int32_t i = 0; i < f.pixels; i++)
        out[i] = found[shift + i];
    for (int32_t i = f.pixels; i < f.lanes; i++)
        out[i] = 0;
}

// `x`: inputs; `y`: the target and the weight.
template <class X>
void observe(const Step& s, const Frame& f) {
    const LeastSquares& own = f.systems[s.bits];
    const int32_t n = own.inputs, shift = first_lane(f) % CHUNK;
    alignas(64) float x[MOST_INPUTS + 1][SHIFTED] = {};
    alignas(64) float taught[SHIFTED] = {};
    shifted<X>(s.x, f, x);
    const int32_t* target = at<const int32_t>(f, s.y.id[0]);
    const int32_t* weight = at<const int32_t>(f, s.y.id[1]);
    for (int32_t i = 0; i < f.pixels; i++)
        x[n][shift + i] = float(target[i]), taught[shift + i] = float(weight[i]);
    for (int32_t j = 0; j < shift + f.pixels; j += CHUNK) {
        float* RESTRICT sum = group(own.sums, own.entries, first_lane(f) - shift + j);
        for (int32_t k = 0; k < n; k++) {
            float scaled[CHUNK];
            for (int i = 0; i < CHUNK; i++)
                scaled[i] = taught[j + i] * x[k][j + i];
            for (int32_t m = k; m <= n; m++, sum += CHUNK)
                for (int i = 0; i < CHUNK; i++)
                    sum[i] += scaled[i] * x[m][j + i];
        }
    }
}

// The block that ends before block `time`, of CHUNK lanes.
void end_block(const LeastSquares& s, int32_t time, int32_t lane) {
    float* RESTRICT sum = group(s.sums, s.entries, lane);
    float* RESTRICT left = group(s.left, s.entries, lane);
    const float* RESTRICT all = group(s.all, s.entries, lane);
    const int32_t size = s.entries * CHUNK;
    float* RESTRICT own = below(s, time - 1, lane);
    for (int32_t i = 0; i < size; i++)
        own[i] = all[i] + sum[i];
    const float along = s.along;
    float share = along;
    for (int32_t k = 2; k <= s.lag; k++, share *= along) {
        float* RESTRICT before = below(s, time - k, lane);
        for (int32_t i = 0; i < size; i++)
            before[i] += share * sum[i];
    }
    for (int32_t i = 0; i < size; i++)
        left[i] = kept(along * (left[i] + sum[i])), sum[i] = 0;
}

// Weights by LDL^T of the upper triangle of matrices, whose diagonal grows by the ridge.
INLINE void solve(float (*matrix)[CHUNK], int32_t n, float ridge, float* weights) {
    float inverse[MOST_INPUTS][CHUNK];
    const float least = ridge * 0.5f;
    float (*pivot)[CHUNK] = matrix;  // a row, from its diagonal on
    for (int32_t k = 0; k < n; pivot += n + 1 - k, k++) {
        for (int i = 0; i < CHUNK; i++)
            inverse[k][i] = pivot[0][i] > least ? 1.0f / pivot[0][i] : 0.0f;
        float (*to)[CHUNK] = pivot + n + 1 - k;
        for (int32_t r = 1; r < n - k; r++) {
            float factor[CHUNK];
            for (int i = 0; i < CHUNK; i++)
                factor[i] = pivot[r][i] * inverse[k][i];
            for (int32_t m = r; m <= n - k; m++, to++)
                for (int i = 0; i < CHUNK; i++)
                    to[0][i] -= factor[i] * pivot[m][i];
        }
    }
    for (int32_t k = n; k-- > 0;) {
        pivot -= n + 1 - k;
        float rest[CHUNK];
        for (int i = 0; i < CHUNK; i++)
            rest[i] = pivot[n - k][i];
        for (int32_t m = 1; m < n - k; m++)
            for (int i = 0; i < CHUNK; i++)
                rest[i] -= pivot[m][i] * weights[(k + m) * CHUNK + i];
        for (int i = 0; i < CHUNK; i++)
            weights[k * CHUNK + i] = rest[i] * inverse[k][i];
    }
}

// The block that begins at `time`: its sums, and the weights that follow from them, of CHUNK lanes.
void begin_block(const LeastSquares& s, int32_t time, int32_t lane) {
    alignas(64) float matrix[MOST_ENTRIES][CHUNK];
    const float* RESTRICT own = below(s, time, lane);
    const float* RESTRICT before = own - ptrdiff_t(most(s.tiles, int32_t(CHUNK))) * s.entries;
    const int32_t apart = least(s.tiles, int32_t(CHUNK));
    for (int32_t e = 0; e < s.entries; e++) {  // of the row above each
        for (int i = 0; i < apart; i++)
            matrix[e][i] = before[e * CHUNK + CHUNK - apart + i];
        for (int i = apart; i < CHUNK; i++)
            matrix[e][i] = own[e * CHUNK + i - apart];
    }
    const float* RESTRICT left = group(s.left, s.entries, lane);
    float* RESTRICT all = group(s.all, s.entries, lane);
    const float down = s.down;
    for (int32_t e = 0; e < s.entries; e++)
        for (int i = 0; i < CHUNK; i++)
            matrix[e][i] = all[e * CHUNK + i] = kept(down * matrix[e][i] + left[e * CHUNK + i]);
    for (int32_t k = 0, e = 0; k < s.inputs; e += s.inputs + 1 - k, k++)
        for (int i = 0; i < CHUNK; i++)
            matrix[e][i] += s.ridge;
    solve(matrix, s.inputs, s.ridge, group(s.weights, s.inputs, lane));
}

Run find_predict(int x) { return x == I16 ? predict<int16_t> : x == I32 ? predict<int32_t> : nullptr; }
Run find_observe(int x) { return x == I16 ? observe<int16_t> : x == I32 ? observe<int32_t> : nullptr; }
