// Symmetric positive definite systems, by single IEEE-754 operations in the order of models/least_squares.py.
#pragma once

#include <vector>

namespace ride {

// matrix [n, n] x = vector [n]; both are overwritten, the vector with x.
void solve(std::vector<double>& matrix, std::vector<double>& vector);

}  // namespace ride
