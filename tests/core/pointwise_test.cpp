// Pointwise functions beyond what rows of the catalogue check: whole numbers, values that have no
// difference quotient, accuracy where formulas cancel.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::values;
using Numbers = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor whole(const std::vector<int64_t>& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}
Tensor real(const Numbers& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

TEST(Pointwise, WholeNumbersStayWhole) {
  const Tensor x = whole({-7, 0, 5, INT64_MAX});
  for (const auto f :
       {+[](const Tensor& v) { return floor(v); }, +[](const Tensor& v) { return round(v); },
        +[](const Tensor& v) { return trunc(v); },
        +[](const Tensor& v) { return nan_to_num(v); }}) {
    const Tensor y = f(x);
    EXPECT_EQ(y.dtype(), DType::i64);
    EXPECT_EQ(y.to_vector<int64_t>(), x.to_vector<int64_t>());
    EXPECT_NE(y.raw_data(), x.raw_data());
  }
  EXPECT_EQ(sign(x).to_vector<int64_t>(), (std::vector<int64_t>{-1, 0, 1, 1}));
  // Bounds that f64 does not hold.
  EXPECT_EQ(clamp(x, -2, INT64_MAX - 1).to_vector<int64_t>(),
            (std::vector<int64_t>{-2, 0, 5, INT64_MAX - 1}));
  EXPECT_EQ(clamp(x, 0.5).dtype(), DType::f32);
}

TEST(Pointwise, DivisionOfWholeNumbersRoundsDown) {
  const Tensor a = whole({7, 7, -7, -7, INT64_MIN, 5}), b = whole({2, -2, 2, -2, -1, 3});
  EXPECT_EQ(floor_divide(a, b).to_vector<int64_t>(),
            (std::vector<int64_t>{3, -4, -4, 3, INT64_MIN, 1}));
  EXPECT_EQ(remainder(a, b).to_vector<int64_t>(), (std::vector<int64_t>{1, -1, 1, -1, 0, 2}));
  EXPECT_EQ(fmod(a, b).to_vector<int64_t>(), (std::vector<int64_t>{1, 1, -1, -1, 0, 2}));
}

TEST(Pointwise, ShiftsBeyondTheNumberOfBits) {
  const Tensor a = whole({5, -5, 5, -5}), b = whole({64, 64, -1, 63});
  EXPECT_EQ(bitwise_left_shift(a, b).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 0, 0, INT64_MIN}));
  EXPECT_EQ(bitwise_right_shift(a, b).to_vector<int64_t>(), (std::vector<int64_t>{0, -1, 0, -1}));
}

// Relative errors where exp(x) - 1, log(1 + exp(x)) and x - tanh(x) lose all digits when they are
// computed so.
TEST(Pointwise, SmallArgumentsKeepTheirDigits) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const double bound = 4 * epsilon(dtype);
    const double small = dtype == DType::f64 ? 1e-12 : 1e-6;
    const Tensor x = real({small, -small}).to(dtype);
    const Numbers v = values(x);
    const auto near = [&](const Tensor& y, size_t i, double expected) {
      EXPECT_NEAR(values(y)[i], expected, bound * std::abs(expected)) << name(dtype);
    };
    for (const size_t i : {0u, 1u}) {
      near(expm1(x), i, v[i] + v[i] * v[i] / 2);
      near(log1p(x), i, v[i] - v[i] * v[i] / 2);
      near(tanhshrink(x), i, v[i] * v[i] * v[i] / 3);
      near(mish(x), i, v[i] * (0.6 + 0.32 * v[i]));
    }
    near(elu(x), 1, v[1] + v[1] * v[1] / 2);
    const Tensor far = real({-30.0, 30.0}).to(dtype);
    near(softplus(far), 0, std::log1p(std::exp(-30.0)));
    near(logsigmoid(far), 1, -std::log1p(std::exp(-30.0)));
    near(mish(far), 0, -30 * std::log1p(std::exp(-30.0)));
  }
}

// What where() does not choose must not reach the second derivatives.
TEST(Pointwise, SecondDerivativesFarOut) {
  for (const auto f :
       {+[](const Tensor& v) { return elu(v); }, +[](const Tensor& v) { return celu(v, 0.5); },
        +[](const Tensor& v) { return softplus(v); }, +[](const Tensor& v) { return hardswish(v); },
        +[](const Tensor& v) { return mish(v); }}) {
    const Tensor x = real({-900.0, 900.0, 0.0}).requires_grad_();
    backward({sum(f(x))}, {}, {.create_graph = true});
    const Tensor first = x.grad();
    x.zero_grad();
    backward({sum(first)});
    for (const double v : values(x.grad())) EXPECT_TRUE(std::isfinite(v)) << v;
  }
  // Smooth at 0: the second derivative of mish is 0.64 there, that of softplus 1/4.
  for (const auto& [f, expected] : {std::pair(
                                        +[](const Tensor& v) { return mish(v); }, 0.64),
                                    std::pair(
                                        +[](const Tensor& v) { return softplus(v); }, 0.25)}) {
    const Tensor x = real({0.0}).requires_grad_();
    backward({sum(f(x))}, {}, {.create_graph = true});
    const Tensor first = x.grad();
    x.zero_grad();
    backward({sum(first)});
    EXPECT_NEAR(values(x.grad())[0], expected, 1e-14);
  }
}

// PyTorch 2.15's, at NaN, both infinities and both zeros; in whole registers and behind them.
TEST(Pointwise, GradientsOfPiecesAtTheirEdges) {
  struct Case {
    const char* name;
    std::function<Tensor(const Tensor&)> f;
    Numbers expected;
  };
  const double nan = std::nan("");
  const Tensor one = ones({1}), zero = zeros({1});
  const std::vector<Case> cases = {
      {"relu", [](const Tensor& x) { return relu(x); }, {1, 1, 0, 0, 0}},
      {"relu6", &relu6, {0, 0, 0, 0, 0}},
      {"hardtanh", [](const Tensor& x) { return hardtanh(x); }, {0, 0, 0, 1, 1}},
      {"softshrink", [](const Tensor& x) { return softshrink(x); }, {0, 1, 1, 0, 0}},
      {"hardshrink", [](const Tensor& x) { return hardshrink(x); }, {0, 1, 1, 0, 0}},
      {"elu", [](const Tensor& x) { return elu(x); }, {nan, 1, 0, 1, 1}},
      {"celu", [](const Tensor& x) { return celu(x); }, {nan, 1, 0, 1, 1}},
      {"hardswish", &hardswish, {nan, 1, 0, 0.5, 0.5}},
      {"leaky_relu",
       [](const Tensor& x) { return leaky_relu(x, 0.25); },
       {0.25, 1, 0.25, 0.25, 0.25}},
      {"threshold", [](const Tensor& x) { return threshold(x, 0, -2); }, {1, 1, 0, 0, 0}},
      {"softplus", [](const Tensor& x) { return softplus(x); }, {nan, 1, 0, 0.5, 0.5}},
      {"abs", &abs, {0, 1, -1, 0, 0}},
      {"clamp", [](const Tensor& x) { return clamp(x, -1, 1); }, {0, 0, 0, 1, 1}},
      {"clamp_min", [](const Tensor& x) { return clamp_min(x, 0); }, {0, 1, 0, 0, 0}},
      {"clamp_max", [](const Tensor& x) { return clamp_max(x, 0); }, {0, 0, 1, 0, 0}},
      {"clamp_min -inf", [](const Tensor& x) { return clamp_min(x, -kInfinity); }, {0, 1, 0, 1, 1}},
      {"clamp -inf", [](const Tensor& x) { return clamp(x, -kInfinity, 1); }, {0, 0, 0, 1, 1}},
      {"linear relu",
       [&](const Tensor& x) {
         return linear_activation(unsqueeze(x, 1), to(unsqueeze(one, 1), x.dtype()),
                                  to(zero, x.dtype()), Activation::relu);
       },
       {1, 1, 0, 0, 0}},
  };
  const Tensor edges = repeat(real({nan, kInfinity, -kInfinity, 0.0, -0.0}), 17);
  for (const Case& c : cases) {
    for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
      const Tensor x = edges.to(dtype).clone().requires_grad_();
      sum(c.f(x)).backward();
      const Numbers got = values(x.grad());
      for (size_t i = 0; i < got.size(); ++i) {
        const double expected = c.expected[i % 5];
        EXPECT_TRUE(std::isnan(expected) ? std::isnan(got[i]) : got[i] == expected)
            << c.name << " in " << dtype << ", element " << i << ": " << got[i] << ", PyTorch "
            << expected;
      }
    }
  }
}

TEST(Pointwise, HalvesGoToTheEvenNumber) {
  EXPECT_EQ(values(round(real({0.5, 1.5, 2.5, -0.5, -1.5}))), (Numbers{0, 2, 2, -0.0, -2}));
  EXPECT_EQ(values(round(real({25, 35, 1.25, kInfinity}), -1)), (Numbers{20, 40, 0, kInfinity}));
}

TEST(Pointwise, NanToNumTakesTheLargestOfTheDtype) {
  const Tensor x = real({std::nan(""), kInfinity, -kInfinity});
  for (const auto& [dtype, most] :
       {std::pair(DType::f64, std::numeric_limits<double>::max()),
        std::pair(DType::f32, 0x1.fffffep127), std::pair(DType::bf16, 0x1.fep127)}) {
    EXPECT_EQ(values(nan_to_num(x.to(dtype))), (Numbers{0, most, -most})) << name(dtype);
  }
}

TEST(Pointwise, ErfinvOfAllSizes) {
  for (const double y : {1e-200, 1e-20, 1e-5, 0.1, 0.47, 0.48, 1.0, 2.0}) {
    EXPECT_NEAR(values(erfinv(real({std::erf(y)})))[0], y, y * (4e-16 + 2e-16 * std::exp(y * y)));
  }
  EXPECT_EQ(values(erfinv(real({1, -1, 0}))), (Numbers{kInfinity, -kInfinity, 0}));
  EXPECT_TRUE(std::isnan(values(erfinv(real({1.5})))[0]));
  // The last number below 1.
  EXPECT_NEAR(std::erfc(values(erfinv(real({1 - 0x1p-53})))[0]), 0x1p-53, 0x1p-53 * 1e-13);
}

// PyTorch's: y / x, which is NaN for what is not finite, and 0 at 0.
TEST(Pointwise, CopysignOfWhatIsNotFinite) {
  const Tensor x = real({-2, 0, kInfinity, std::nan("")}).requires_grad_();
  sum(copysign(x, real({3, -1, -1, 1}))).backward();
  const Numbers dx = values(x.grad());
  EXPECT_EQ(dx[0], -1);
  EXPECT_EQ(dx[1], 0);
  EXPECT_TRUE(std::isnan(dx[2]) && std::isnan(dx[3]));
}

TEST(Pointwise, HardSamplesAreOneHotWithTheSoftGradient) {
  const Tensor logits = numeric::random({4, 7}, 3).requires_grad_();
  const auto sample = [&](bool hard) {
    Generator generator(11);
    return gumbel_softmax(logits, 0.5, hard, -1, generator);
  };
  const Tensor hard = sample(true), soft = sample(false);
  EXPECT_EQ(values(argmax(hard, 1)), values(argmax(soft, 1)));
  for (const double v : values(sum(hard, {1}))) EXPECT_NEAR(v, 1, 1e-15);
  for (const double v : values(hard * (1.0 - hard))) EXPECT_NEAR(v, 0, 1e-15);
  const Tensor direction = numeric::random({4, 7}, 4);
  backward({hard}, {direction});
  const Numbers got = values(logits.grad());
  logits.zero_grad();
  backward({soft}, {direction});
  EXPECT_EQ(got, values(logits.grad()));
}

TEST(Pointwise, SlopesOfRreluAreUniform) {
  Generator generator(3);
  const Numbers slopes = values(-rrelu(full({100000}, -1.0), 0.25, 0.75, true, generator));
  double total = 0, squares = 0;
  for (const double v : slopes) {
    ASSERT_TRUE(v >= 0.25 && v < 0.75) << v;
    total += v;
    squares += v * v;
  }
  const double mean = total / 1e5;
  EXPECT_NEAR(mean, 0.5, 5 * std::sqrt(1.0 / 48 / 1e5));
  EXPECT_NEAR(squares / 1e5 - mean * mean, 1.0 / 48, 1e-3);
}

// Many rows of a few bytes are worked on by columns: as each column is by itself.
TEST(Pointwise, ManyShortRows) {
  constexpr int64_t kRows = 75;
  for (const DType dtype :
       {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32, DType::boolean}) {
    for (int64_t width = 2; width < 13; ++width) {
      SCOPED_TRACE(std::string(name(dtype)) + ", " + std::to_string(width));
      const auto make = [&](const Shape& shape, uint64_t seed) {
        return (numeric::random(shape, seed) * 9.0).to(dtype);
      };
      const Tensor x = slice(make({kRows, width + 2}, 1), 1, 1, width + 1);
      const Tensor whole_rows = make({kRows, width}, 2), column = make({kRows, 1}, 3),
                   row = make({width}, 4);
      const auto column_of = [](const Tensor& t, int64_t j) {
        return t.dim() == 1 ? select(t, 0, j) : select(t, 1, t.size(1) == 1 ? 0 : j);
      };
      const auto expect = [&](const char* name,
                              const std::function<Tensor(const Tensor&, const Tensor&)>& f) {
        for (const Tensor& a : {x, whole_rows}) {
          for (const Tensor& b : {column, row, whole_rows}) {
            const Tensor y = f(a, b);
            for (int64_t j = 0; j < width; ++j) {
              numeric::expect_same_bits(select(y, 1, j), f(column_of(a, j), column_of(b, j)), name);
            }
          }
        }
      };
      expect("add", [](const Tensor& a, const Tensor& b) { return a + b; });
      expect("lt", [](const Tensor& a, const Tensor& b) { return a < b; });
      expect("where", [](const Tensor& a, const Tensor& b) { return where(a < b, b, a); });
      expect("number", [](const Tensor& a, const Tensor&) { return a * 1.5; });
      expect("atan2", [](const Tensor& a, const Tensor& b) { return atan2(a, b); });
      if (!is_floating_point(dtype)) continue;
      expect("exp", [](const Tensor& a, const Tensor&) { return exp(a); });
      expect("gradient", [](const Tensor& a, const Tensor& b) {
        const Tensor leaf = a.detach().requires_grad_();
        const Shape& shape = a.shape();
        tanh(leaf).backward({.gradient = expand(b, shape)});
        return leaf.grad();
      });
    }
  }
}

// Of 40 digits (mpmath), rounded to f64. Below 0 the errors are those of larger terms.
TEST(Pointwise, GammaFunctionsAreExactToSomeUlp) {
  const Numbers x = {1e-12, 0.3125, 0.99999, 1.00001, 1.4375,  2.0625,  3.75,
                     9.875, 10.25,  1000.0,  1e10,    -0.4375, -3.6875, -20.25};
  const auto expect = [&](const Tensor& y, const Numbers& expected, double ulps) {
    const Numbers got = values(y);
    for (size_t i = 0; i < x.size(); ++i) {
      const double size = std::max(std::abs(expected[i]), x[i] < 0 ? 16.0 : 0.0);
      EXPECT_LE(std::abs(got[i] - expected[i]), ulps * epsilon(DType::f64) * size) << x[i];
    }
  };
  expect(lgamma(real(x)),
         {27.631021115927971, 1.0529493400370493, 5.7722388960930894e-6, -5.7720744027504826e-6,
          -0.12120242719902266, 0.027667521522857023, 1.4868155785934171, 12.521183639183654,
          13.368023671476046, 5905.2204232091812, 220258509288.810581, 1.2853340347067131,
          -1.3891654694058072, -41.600961915340524},
         8);
  expect(digamma(real(x)),
         {-1000000000000.5772, -3.3551055762098399, -0.57723211436240804, -0.57719921568106888,
          -0.023613544005297899, 0.46232298052813093, 1.1825373886117962, 2.2385197075906873,
          2.277704790686724, 6.9072551956488121, 23.0258509298904568, 0.60128808806278973,
          -0.66468806513801272, 6.1742356336144838},
         4);
  expect(polygamma(1, real(x)),
         {1.0e+24, 11.359458005155656, 1.6449581083109906, 1.6449100260348559, 0.9895029178956272,
          0.62060689412648693, 0.30533985269025308, 0.10656593004328111, 0.10247452151799187,
          0.0010005001666666333, 1.00000000005e-10, 9.270603532955091, 14.038321768853345,
          19.691025351008711},
         8);
  expect(polygamma(4, real(x)),
         {-2.4000000000000002e+61, -8059.6755641200795, -24.887486971416671, -24.885045348066219,
          -4.2626002303822055, -0.76714691124698554, -0.049957849016555111, -0.00076945897456592701,
          -0.00065819933156970186, -6.012009999993e-12, -6.0000000012e-40, 1068.2993708990917,
          -7901.4553603034403, 24481.574750519739},
         16);
}

TEST(Pointwise, GammaFunctionsBesideTheirPoles) {
  const double nan = std::nan("");
  const Tensor x = real({-kInfinity, -3, -1, -0.0, 0.0, kInfinity, nan});
  const auto expect = [&](const Tensor& y, const Numbers& expected) {
    const Numbers got = values(y);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i])))
          << "element " << i << ": " << got[i];
    }
  };
  const double inf = kInfinity;
  expect(lgamma(x), {inf, inf, inf, inf, inf, inf, nan});
  expect(digamma(x), {nan, nan, nan, inf, -inf, inf, nan});
  expect(polygamma(1, x), {nan, inf, inf, inf, inf, 0, nan});
  expect(polygamma(2, x), {nan, -inf, -inf, -inf, -inf, 0, nan});
  expect(logit(real({-1, 0, 0.5, 1, 2, 1e-300})), {nan, -inf, 0, inf, nan, std::log(1e-300)});
}

// As PyTorch 2.15 computes them.
TEST(Pointwise, ChoicesBesideNanHaveTheirGradients) {
  const double nan = std::nan("");
  const auto gradients = [&](Tensor (*f)(const Tensor&, const Tensor&)) {
    const Tensor a = real({1, 2, nan, nan, 3}).requires_grad_();
    const Tensor b = real({1, 3, 1, nan, nan}).requires_grad_();
    sum(f(a, b)).backward();
    return std::pair(values(a.grad()), values(b.grad()));
  };
  EXPECT_EQ(gradients(&fmax), (std::pair<Numbers, Numbers>({0.5, 0, 0, 1, 1}, {0.5, 1, 1, 0, 0})));
  EXPECT_EQ(gradients(&fmin), (std::pair<Numbers, Numbers>({0.5, 1, 0, 1, 1}, {0.5, 0, 1, 0, 0})));
  const Tensor x = real({-1, 0, 0.5, 1, 2}).requires_grad_();
  sum(logit(x)).backward();
  const Numbers dx = values(x.grad());
  EXPECT_TRUE(std::isnan(dx[0]) && std::isnan(dx[4]));
  EXPECT_EQ(dx[1], kInfinity);
  EXPECT_EQ(dx[2], 4);
  const Tensor bools = tensor({true, false}, {2});
  EXPECT_EQ(fmax(bools, logical_not(bools)).dtype(), DType::boolean);
  EXPECT_EQ(pow(2, whole({3, 0})).to_vector<int64_t>(), (std::vector<int64_t>{8, 1}));
  EXPECT_EQ(pow(2.5, whole({1})).dtype(), DType::f32);
}

}  // namespace
}  // namespace adjoint
