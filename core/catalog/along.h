// References that work along a dimension.
#pragma once

#include <functional>
#include <vector>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

// f(line, the number of its first element) of every line along dim, in place.
inline TensorFunction along(int64_t dim,
                            std::function<void(std::vector<double>&, uint64_t first)> f) {
  return [dim, f](const Tensors& in) -> Tensors {
    Array y(in[0]);
    const int rank = y.shape.rank(), d = static_cast<int>(dim < 0 ? dim + rank : dim);
    if (rank == 0) {
      f(y.data, 0);
      return {y.tensor()};
    }
    Shape outer = y.shape;
    outer[d] = y.shape[d] > 0 ? 1 : 0;
    for_each_index(outer, [&](const Shape& first) {
      std::vector<double> line;
      Shape i = first;
      for (i[d] = 0; i[d] < y.shape[d]; ++i[d]) line.push_back(y.at(i));
      int64_t place = 0;
      for (int k = 0; k < rank; ++k) place = place * y.shape[k] + first[k];
      f(line, static_cast<uint64_t>(place));
      for (i[d] = 0; i[d] < y.shape[d]; ++i[d]) y.at(i) = line[static_cast<size_t>(i[d])];
    });
    return {y.tensor()};
  };
}

}  // namespace adjoint::catalog
