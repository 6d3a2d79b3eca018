// Sums of squares of vectors, exact while they are integers below 2^53. Included inside the kernels' namespace.

void collect(const Rows& rows, const Frame& f, double* RESTRICT to, int32_t stride) {
    for (int32_t r = 0; r < rows.count; r++) {
        const int32_t* RESTRICT x = at<const int32_t>(f, rows.id[r]);
        for (int32_t i = 0; i < f.lanes; i++)
            to[i * stride + r] = double(x[i]);
    }
}

void add_square(double* RESTRICT matrix, const double* RESTRICT v, double weight, int32_t n, int32_t stride) {
    for (int32_t i = 0; i < n; i++) {
        const double w = weight * v[i];
        double* RESTRICT row = matrix + i * stride;
        for (int32_t j = 0; j <= i / 8; j++)
            for (int k = 8 * j; k < 8 * j + 8; k++)
                row[k] += w * v[k];
    }
}
