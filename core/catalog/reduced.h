// What the rows of reductions, scans and orders share: inputs, and references over dims and lines.
#pragma once

#include <adjoint/core/reductions.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

using Numbers = std::vector<double>;

inline Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

// Odd multiples of 1/8 around 0, all different: exact in every floating dtype up to 256 of them.
inline Tensor distinct(const Shape& shape, uint64_t seed) {
  const double end = static_cast<double>(shape.numel()) / 8;
  return spread(shape, -end, end, seed);
}

struct Over {
  Shape dims;  // none: all
  bool keepdim = false;
};

inline std::string python(bool value) { return value ? "True" : "False"; }

// PyTorch's call of a function of x and dims.
inline std::string torch_over(const std::string& function, const Over& over) {
  if (over.dims.empty()) return function + "(x[0])";
  return function + "(x[0], " + tuple(over.dims) + ", keepdim=" + python(over.keepdim) + ")";
}

// f of the elements that go into each element of the result, in row-major order.
template <class F>
TensorFunction reduced(const Over& over, F f, DType dtype = DType::f64) {
  return [=](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    bool gone[kMaxDims] = {};
    for (int d = 0; d < x.shape.rank(); ++d) gone[d] = over.dims.empty();
    for (const int64_t d : over.dims) gone[d < 0 ? d + x.shape.rank() : d] = true;
    Shape kept = x.shape, shape;
    for (int d = 0; d < x.shape.rank(); ++d) {
      if (gone[d]) kept[d] = 1;
      if (!gone[d] || over.keepdim) shape.push_back(kept[d]);
    }
    Shape inner = x.shape;
    for (int d = 0; d < inner.rank(); ++d) inner[d] = gone[d] ? x.shape[d] : 1;
    Array y = make_array(kept, [&](const Shape& outer) {
      Numbers elements;
      for_each_index(inner, [&](Shape index) {
        for (int d = 0; d < index.rank(); ++d) index[d] += outer[d];
        elements.push_back(x.at(index));
      });
      return f(elements);
    });
    y.shape = shape;
    return {y.tensor(dtype)};
  };
}

// `call(x, over)` is the operator, `function` PyTorch's.
template <class Call, class F>
Sample sample_over(const std::string& function, const std::string& name, const Tensor& x,
                   const Over& over, Call call, F f, DType dtype = DType::f64) {
  Sample sample{name,
                {x},
                unary([call, over](const Tensor& v) { return call(v, over); }),
                reduced(over, f, dtype)};
  sample.torch = torch_over(function, over);
  return sample;
}

template <class Call, class F>
std::vector<Sample> over_dims(const std::string& function, Call call, F f,
                              DType dtype = DType::f64) {
  return {
      sample_over(function, "(2, 3, 4) over 1", input({2, 3, 4}, 1), {{1}, false}, call, f, dtype),
      sample_over(function, "(2, 3, 4) over 0 and 2, kept", input({2, 3, 4}, 2), {{0, -1}, true},
                  call, f, dtype),
      sample_over(function, "(4, 3) strided over 0", strided(input({4, 3}, 3)), {{0}, false}, call,
                  f, dtype),
      sample_over(function, "(0, 3) over 1", input({0, 3}, 4), {{1}, false}, call, f, dtype)};
}

template <class Call, class F>
Sample large_over_dims(Call call, F f, DType dtype = DType::f64) {
  return sample_over("", "(9, 257, 131) over 1", input({9, 257, 131}, 5), {{1}, false}, call, f,
                     dtype);
}

template <class Call>
std::vector<ErrorCase> dims_errors(const std::string& name, Call call) {
  return {error("a dimension that is not there",
                [call] {
                  return call(ones({2, 3}), Over{{2}, false});
                },
                {name + ": ", "2"}),
          error("a dimension twice",
                [call] {
                  return call(ones({2, 3}), Over{{0, -2}, false});
                },
                {name + ": ", "twice"})};
}

// What `f` makes of each line of x along `dim`: a line of any length for each of `dtypes`.
using OfLine = std::function<std::vector<Numbers>(const Numbers&)>;
inline TensorFunction on_lines(int64_t dim, std::vector<DType> dtypes, OfLine f) {
  return [dim, dtypes = std::move(dtypes), f = std::move(f)](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    const bool scalar = x.shape.rank() == 0;
    const Shape from = scalar ? Shape{1} : x.shape;
    const int d = static_cast<int>(dim < 0 ? dim + from.rank() : dim);
    Shape starts = from;
    starts[d] = 1;
    Tensors results;
    for (size_t i = 0; i < dtypes.size(); ++i) {
      Shape shape = from;
      shape[d] = static_cast<int64_t>(f(Numbers(static_cast<size_t>(from[d])))[i].size());
      Array y(shape);
      for_each_index(starts, [&](Shape index) {
        Numbers line;
        for (index[d] = 0; index[d] < from[d]; ++index[d]) {
          line.push_back(scalar ? x.data[0] : x.at(index));
        }
        const Numbers made = f(line)[i];
        for (index[d] = 0; index[d] < shape[d]; ++index[d]) {
          y.at(index) = made[static_cast<size_t>(index[d])];
        }
      });
      if (scalar) y.shape = {};
      results.push_back(y.tensor(dtypes[i]));
    }
    return results;
  };
}

}  // namespace adjoint::catalog
