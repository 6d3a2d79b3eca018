// Sums of squares of vectors, exact while they are integers below 2^53. Included inside the kernels' namespace.

void collect(const Rows& rows, const Frame& f, double* RESTRICT to, int32_t stride) {
    for (int32_t r = 0; r < rows.count; r++) {
        const int32_t* RESTRICT x = at<const int32_t>(f, rows.id[r]);
        for (int32_t i = 0; i < f.lanes; i++)
            to[i * stride + r] = double(x[i]);
    }
}

#if defined(__GNUC__)
typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
#else
struct Four {
    double v[4];
    Four operator*(double x) const { return {v[0] * x, v[1] * x, v[2] * x, v[3] * x}; }
    void operator+=(const Four& x) {
        for (int i = 0; i < 4; i++)
            v[i] += x.v[i];
    }
};
#endif
// An integer below 2^53, fused or not.
INLINE void add_product(Four& sum, const Four& x, double y) {
#if defined(__FMA__) && defined(__GNUC__)
    sum = Four(_mm256_fmadd_pd(__m256d(x), _mm256_set1_pd(y), __m256d(sum)));
#else
    sum += x * y;
#endif
}
static_assert(sizeof(Four) == 4 * sizeof(double), "read as they lie");

// Four rows by eight columns at a time, on and below the diagonal.
void add_squares(double* matrix, const double* const* v, const double* weight, int32_t count, int32_t stride) {
    for (int32_t i = 0; i < stride; i += 4) {
        Four scaled[LANES];
        for (int32_t k = 0; k < count; k++)
            scaled[k] = *reinterpret_cast<const Four*>(v[k] + i) * weight[k];
        for (int32_t j = 0; j <= i; j += 8) {
            Four* row[4];
            for (int r = 0; r < 4; r++)
                row[r] = reinterpret_cast<Four*>(matrix + (i + r) * stride + j);
            Four a0 = row[0][0], a1 = row[0][1], b0 = row[1][0], b1 = row[1][1];
            Four c0 = row[2][0], c1 = row[2][1], d0 = row[3][0], d1 = row[3][1];
            for (int32_t k = 0; k < count; k++) {
                const Four* x = reinterpret_cast<const Four*>(v[k] + j);
                const Four x0 = x[0], x1 = x[1];
                const double* s = reinterpret_cast<const double*>(scaled + k);
                add_product(a0, x0, s[0]), add_product(a1, x1, s[0]), add_product(b0, x0, s[1]),
                    add_product(b1, x1, s[1]);
                add_product(c0, x0, s[2]), add_product(c1, x1, s[2]), add_product(d0, x0, s[3]),
                    add_product(d1, x1, s[3]);
            }
            row[0][0] = a0, row[0][1] = a1, row[1][0] = b0, row[1][1] = b1;
            row[2][0] = c0, row[2][1] = c1, row[3][0] = d0, row[3][1] = d1;
        }
    }
}
