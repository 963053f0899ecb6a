// What the tests of operators share: inputs, comparisons, central differences.
#pragma once

#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/catalog/builders.h"

namespace adjoint::numeric {

// Uniform in [-1, 1); the same for the same seed.
inline Tensor random(const Shape& shape, uint64_t seed, DType dtype = DType::f64) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = philox(seed, 0, i).word[0] * 0x1p-31 - 1.0;
  }
  return from_vector(values, shape).to(dtype);
}

// sin(0.7 i + seed): the inputs of the golden files.
inline Tensor wave(const Shape& shape, double seed) {
  std::vector<double> result(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = std::sin(0.7 * static_cast<double>(i) + seed);
  }
  return from_vector(result, shape);
}

// The elements of x in column-major order of memory with a gap after each, without history and of
// their own.
inline Tensor strided(const Tensor& x) {
  const NoGrad guard;
  return catalog::strided(x);
}

inline std::vector<double> values(const Tensor& x) {
  return x.detach().to(DType::f64).to_vector<double>();
}

inline void expect_close(const Tensor& a, const Tensor& b, double tolerance,
                         const std::string& what = "") {
  ASSERT_TRUE(a.defined() && b.defined()) << what;
  ASSERT_EQ(a.shape(), b.shape()) << what;
  const std::vector<double> x = values(a), y = values(b);
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(y[i]) || std::isinf(y[i])) {
      ASSERT_TRUE(std::isnan(y[i]) ? std::isnan(x[i]) : x[i] == y[i])
          << what << " at " << i << ": " << x[i] << " against " << y[i];
      continue;
    }
    ASSERT_LE(std::abs(x[i] - y[i]), tolerance * std::max(1.0, std::abs(y[i])))
        << what << " at " << i << ": " << x[i] << " against " << y[i];
  }
}

// The same, against the largest element: what sums of products, such as gradients of weights, owe
// to the rounding of their terms.
inline void expect_close_to_largest(const Tensor& a, const Tensor& b, double tolerance,
                                    const std::string& what = "") {
  double largest = 1;
  for (const double v : values(b)) {
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  }
  expect_close(a / largest, b / largest, tolerance, what);
}

inline void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what = "") {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  ASSERT_EQ(a.dtype(), b.dtype()) << what;
  const Tensor x = a.contiguous(), y = b.contiguous();
  EXPECT_EQ(std::memcmp(x.raw_data(), y.raw_data(),
                        static_cast<size_t>(x.numel()) * element_size(x.dtype())),
            0)
      << what;
}

inline double dot_product(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = values(a), y = values(b);
  double total = 0;
  for (size_t i = 0; i < x.size(); ++i) total += x[i] * y[i];
  return total;
}

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// Fresh leaves with the same elements.
inline std::vector<Tensor> leaves(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    result.push_back(x.detach().clone());
    if (is_floating_point(x.dtype())) result.back().requires_grad_();
  }
  return result;
}

// The gradients of f for the given gradient of its result; floating inputs only, others undefined.
inline std::vector<Tensor> gradients(const Function& f, const std::vector<Tensor>& inputs,
                                     const Tensor& dy, bool create_graph = false) {
  const std::vector<Tensor> x = leaves(inputs);
  f(x).backward({.gradient = dy, .create_graph = create_graph});
  std::vector<Tensor> result;
  for (const Tensor& leaf : x) {
    result.push_back(leaf.requires_grad() ? leaf.grad().detach() : Tensor());
  }
  return result;
}

// The result of f and its gradients for wave(shape, 9) against a golden list of both, in f64 and
// f32, fused and recorded.
inline void expect_golden(const Function& f, const std::vector<Tensor>& inputs,
                          const std::vector<double>& golden) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    std::vector<Tensor> in;
    for (const Tensor& x : inputs) in.push_back(x.to(dtype));
    const Tensor y = f(in);
    for (const bool recorded : {false, true}) {
      std::vector<Tensor> all = gradients(f, in, wave(y.shape(), 9).to(dtype), recorded);
      all.insert(all.begin(), y);
      size_t at = 0;
      for (const Tensor& x : all) {
        const auto count = static_cast<size_t>(x.numel());
        ASSERT_LE(at + count, golden.size());
        const std::vector<double> part(golden.begin() + static_cast<int64_t>(at),
                                       golden.begin() + static_cast<int64_t>(at + count));
        expect_close(x, from_vector(part, x.shape()), dtype == DType::f64 ? 1e-12 : 3e-6,
                     recorded ? "recorded" : "fused");
        at += count;
      }
      EXPECT_EQ(at, golden.size());
    }
  }
}

// Gradients of f (f64 inputs) against central differences, in the fused and in the recorded
// branch. Truncation is of order step^2 and rounding of 1e-16 / step: 1e-6 holds both.
inline void expect_gradients(const Function& f, const std::vector<Tensor>& inputs,
                             double tolerance = 1e-6) {
  const double step = 1e-5;
  const Tensor dy = random(f(inputs).shape(), 99);
  const std::vector<Tensor> fused = gradients(f, inputs, dy);
  const std::vector<Tensor> recorded = gradients(f, inputs, dy, true);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!fused[i].defined()) continue;
    std::vector<double> numeric;
    for (int64_t at = 0; at < inputs[i].numel(); ++at) {
      double side[2];
      for (int s = 0; s < 2; ++s) {
        std::vector<Tensor> moved = inputs;
        std::vector<double> changed = values(inputs[i]);
        changed[static_cast<size_t>(at)] += s == 0 ? -step : step;
        moved[i] = from_vector(changed, inputs[i].shape());
        side[s] = dot_product(f(moved), dy);
      }
      numeric.push_back((side[1] - side[0]) / (2 * step));
    }
    const Tensor expected = from_vector(numeric, inputs[i].shape());
    expect_close(fused[i], expected, tolerance, "fused gradient " + std::to_string(i));
    expect_close(recorded[i], expected, tolerance, "recorded gradient " + std::to_string(i));
  }
}

// Second derivatives: the recorded gradient of each input, taken as a function of all inputs.
inline void expect_second_gradients(const Function& f, const std::vector<Tensor>& inputs,
                                    double tolerance = 1e-5) {
  const Tensor dy = random(f(inputs).shape(), 98);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_floating_point(inputs[i].dtype())) continue;
    const Function gradient = [&](const std::vector<Tensor>& x) {
      std::vector<Tensor> traced = x;
      if (!traced[i].requires_grad()) traced[i] = x[i].detach().requires_grad_();
      return grad({f(traced)}, {traced[i]}, {.grad_outputs = {dy}, .create_graph = true})[0] +
             0.0 * traced[i];
    };
    const Tensor dd = random(inputs[i].shape(), 97);
    std::vector<Tensor> x = leaves(inputs);
    gradient(x).backward({.gradient = dd});
    for (size_t j = 0; j < inputs.size(); ++j) {
      if (!x[j].requires_grad()) continue;
      std::vector<double> numeric;
      for (int64_t at = 0; at < inputs[j].numel(); ++at) {
        double side[2];
        for (int s = 0; s < 2; ++s) {
          std::vector<Tensor> moved = inputs;
          std::vector<double> changed = values(inputs[j]);
          changed[static_cast<size_t>(at)] += s == 0 ? -1e-5 : 1e-5;
          moved[j] = from_vector(changed, inputs[j].shape());
          side[s] = dot_product(gradient(moved), dd);
        }
        numeric.push_back((side[1] - side[0]) / 2e-5);
      }
      const Tensor got = x[j].grad().defined() ? x[j].grad() : zeros_like(x[j]);
      expect_close(got, from_vector(numeric, inputs[j].shape()), tolerance,
                   "d2 / d" + std::to_string(i) + " d" + std::to_string(j));
    }
  }
}

// f() gives the same bits with 1, 2 and 4 threads.
inline void expect_same_on_threads(const std::function<std::vector<Tensor>()>& f) {
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<Tensor> expected = f();
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    const std::vector<Tensor> got = f();
    for (size_t i = 0; i < got.size(); ++i) {
      if (!expected[i].defined()) continue;
      expect_same_bits(got[i], expected[i], "tensor " + std::to_string(i));
    }
  }
  set_num_threads(before);
}

// The message of the exception of type E that f throws.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  ADD_FAILURE() << "nothing of the expected type was thrown";
  return "";
}

}  // namespace adjoint::numeric
