// The instruction sets that this build has kernels for and this processor runs.
#pragma once

#include <initializer_list>
#include <vector>

#include "plain.hpp"

namespace ride {

// Fastest first.
std::vector<const Kernels*> usable_kernels();

}  // namespace ride
