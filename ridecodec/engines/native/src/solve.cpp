#include "solve.hpp"

#include <cmath>

namespace ride {

void solve(std::vector<double>& a, std::vector<double>& b) {
    const size_t n = b.size();
    std::vector<double> columns(n * n);  // of the factor
    for (size_t j = 0; j < n; j++) {
        double* column = &columns[j * n];
        const double pivot = std::sqrt(a[j * n + j]);
        for (size_t i = 0; i < n; i++)
            column[i] = a[i * n + j] / pivot;
        for (size_t i = j + 1; i < n; i++)  // what is not above the pivot; the rest is not looked at again
            for (size_t k = j + 1; k < n; k++) {
                const double product = column[i] * column[k];
                a[i * n + k] = a[i * n + k] - product;
            }
        b[j] = b[j] / pivot;
        for (size_t i = j + 1; i < n; i++) {
            const double product = column[i] * b[j];
            b[i] = b[i] - product;
        }
    }
    for (size_t j = n; j--;) {
        b[j] = b[j] / columns[j * n + j];
        for (size_t i = 0; i < j; i++) {
            const double product = columns[i * n + j] * b[j];
            b[i] = b[i] - product;
        }
    }
}

}  // namespace ride
