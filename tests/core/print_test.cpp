// Tensors as text. The expected texts are NumPy's (2.4) of the same numbers:
//   np.array2string(x, separator=', ', prefix='tensor(', suffix=')')
#include <adjoint/core/factories.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace adjoint {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

// What stands in front of the dtype.
std::string printed(const Tensor& x) {
  const std::string text = to_string(x);
  const size_t end = text.rfind(", dtype=");
  return end == std::string::npos ? text : text.substr(0, end) + ')';
}

TEST(Print, AsManyDigitsAsNumbersNeed) {
  EXPECT_EQ(printed(tensor<float>({1, -2.5F})), "tensor([ 1. , -2.5])");
  EXPECT_EQ(printed(tensor<float>({1, 2, 3})), "tensor([1., 2., 3.])");
  EXPECT_EQ(printed(tensor<float>({1.0F / 3, 2.0F / 3, -1.5F})),
            "tensor([ 0.33333334,  0.6666667 , -1.5       ])");
  EXPECT_EQ(printed(tensor({1.0 / 3, 2.0 / 3, 100.0 / 3})),
            "tensor([ 0.33333333,  0.66666667, 33.33333333])");
  EXPECT_EQ(printed(tensor({3.141592653589793, -271.8281828459045})),
            "tensor([   3.14159265, -271.82818285])");
  EXPECT_EQ(printed(tensor({0.123456789, 1.0})), "tensor([0.12345679, 1.        ])");
  EXPECT_EQ(printed(tensor({123456.123456789, 1000.5})),
            "tensor([123456.12345679,   1000.5       ])");
  EXPECT_EQ(printed(tensor({0.000123456789, 0.1})), "tensor([0.00012346, 0.1       ])");
  EXPECT_EQ(printed(tensor<float>({{0.1F, 0.25F}, {10, -3}})),
            "tensor([[ 0.1 ,  0.25],\n        [10.  , -3.  ]])");
  EXPECT_EQ(printed(tensor({0.0, -0.0, 0.0})), "tensor([ 0., -0.,  0.])");
  EXPECT_EQ(printed(zeros({2, 3})), "tensor([[0., 0., 0.],\n        [0., 0., 0.]])");
}

TEST(Print, PowersOfTenWhereSizesDiffer) {
  EXPECT_EQ(printed(tensor<float>({1e-5F, 1})), "tensor([1.e-05, 1.e+00])");
  EXPECT_EQ(printed(tensor<float>({1e8F, 1})), "tensor([1.e+08, 1.e+00])");
  EXPECT_EQ(printed(tensor<float>({0.001F, 2})), "tensor([1.e-03, 2.e+00])");
  EXPECT_EQ(printed(tensor<float>({0.0011F, 1.1F})), "tensor([0.0011, 1.1   ])");
  EXPECT_EQ(printed(tensor({99999999.0, 1.0})), "tensor([9.9999999e+07, 1.0000000e+00])");
  EXPECT_EQ(printed(tensor({1e-300, 1e10, 1.2345678901234567})),
            "tensor([1.00000000e-300, 1.00000000e+010, 1.23456789e+000])");
  EXPECT_EQ(printed(tensor({1e-3, 1e-200})), "tensor([1.e-003, 1.e-200])");
  EXPECT_EQ(printed(tensor<float>({16777216, 0.1F})), "tensor([1.6777216e+07, 1.0000000e-01])");
  EXPECT_EQ(printed(tensor<float>({1.17549435e-38F, 1e-45F})),
            "tensor([1.1754944e-38, 1.4012985e-45])");
  EXPECT_EQ(printed(tensor<float>({3.4028235e38F, -1})),
            "tensor([ 3.4028235e+38, -1.0000000e+00])");
}

TEST(Print, NotFinite) {
  EXPECT_EQ(printed(tensor({kNan, 1.5, kInf, -kInf})), "tensor([ nan,  1.5,  inf, -inf])");
  EXPECT_EQ(printed(tensor({kNan, 1.0, 2.0})), "tensor([nan,  1.,  2.])");
  EXPECT_EQ(printed(tensor({kNan, kInf})), "tensor([nan, inf])");
  EXPECT_EQ(printed(tensor({-kInf, kNan})), "tensor([-inf,  nan])");
  EXPECT_EQ(printed(tensor({kNan, 1e-7, -kInf})), "tensor([   nan, 1.e-07,   -inf])");
}

TEST(Print, NumbersWithoutDimensions) {
  EXPECT_EQ(printed(scalar(3)), "tensor(3.)");
  EXPECT_EQ(printed(scalar(1e-5, DType::f64)), "tensor(1.e-05)");
  EXPECT_EQ(printed(scalar(kNan)), "tensor(nan)");
  EXPECT_EQ(printed(scalar(true, DType::boolean)), "tensor(True)");
  EXPECT_EQ(printed(scalar(-7, DType::i64)), "tensor(-7)");
}

TEST(Print, WholeNumbersAndBools) {
  EXPECT_EQ(printed(tensor<bool>({true, false})), "tensor([ True, False])");
  EXPECT_EQ(printed(tensor<bool>({true, true})), "tensor([ True,  True])");
  EXPECT_EQ(printed(tensor<int64_t>({{1, -20}, {300, 4}})),
            "tensor([[  1, -20],\n        [300,   4]])");
  EXPECT_EQ(printed(tensor<int64_t>({INT64_MAX, INT64_MIN, 9007199254740993})),
            "tensor([ 9223372036854775807, -9223372036854775808,     9007199254740993])");
  EXPECT_EQ(printed(tensor<uint8_t>({0, 255})), "tensor([  0, 255])");
  EXPECT_EQ(printed(arange(6).reshape({2, 3}).t()),
            "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])");
}

TEST(Print, SixteenBits) {
  const Tensor x = tensor({0.1, 1.0 / 3, 65504.0, 6e-8}).to(DType::f16);
  EXPECT_EQ(printed(x), "tensor([9.998e-02, 3.333e-01, 6.550e+04, 5.960e-08])");
  EXPECT_EQ(printed(tensor({0.1, 1.0 / 3, 2.5}).to(DType::f16)),
            "tensor([0.1   , 0.3333, 2.5   ])");
  // NumPy has no bf16: the fewest digits that are read as the same number again.
  EXPECT_EQ(to_string(tensor({0.1, 1.0 / 3, -2.5}).to(DType::bf16)),
            "tensor([ 0.1  ,  0.334, -2.5  ], dtype=bf16)");
}

TEST(Print, LargeTensorsAreSummarised) {
  EXPECT_EQ(printed(arange(2000)), "tensor([   0,    1,    2, ..., 1997, 1998, 1999])");
  EXPECT_EQ(printed(arange(2000, DType::f32) / 7),
            "tensor([0.0000000e+00, 1.4285715e-01, 2.8571430e-01, ..., 2.8528571e+02,\n"
            "        2.8542856e+02, 2.8557144e+02])");
  EXPECT_EQ(printed(arange(3000).reshape({2, 30, 50})),
            "tensor([[[   0,    1,    2, ...,   47,   48,   49],\n"
            "         [  50,   51,   52, ...,   97,   98,   99],\n"
            "         [ 100,  101,  102, ...,  147,  148,  149],\n"
            "         ...,\n"
            "         [1350, 1351, 1352, ..., 1397, 1398, 1399],\n"
            "         [1400, 1401, 1402, ..., 1447, 1448, 1449],\n"
            "         [1450, 1451, 1452, ..., 1497, 1498, 1499]],\n"
            "\n"
            "        [[1500, 1501, 1502, ..., 1547, 1548, 1549],\n"
            "         [1550, 1551, 1552, ..., 1597, 1598, 1599],\n"
            "         [1600, 1601, 1602, ..., 1647, 1648, 1649],\n"
            "         ...,\n"
            "         [2850, 2851, 2852, ..., 2897, 2898, 2899],\n"
            "         [2900, 2901, 2902, ..., 2947, 2948, 2949],\n"
            "         [2950, 2951, 2952, ..., 2997, 2998, 2999]]])");
  EXPECT_EQ(printed(arange(1100, DType::f64).reshape({2, 550}) * 0.5),
            "tensor([[0.000e+00, 5.000e-01, 1.000e+00, ..., 2.735e+02, 2.740e+02,\n"
            "         2.745e+02],\n"
            "        [2.750e+02, 2.755e+02, 2.760e+02, ..., 5.485e+02, 5.490e+02,\n"
            "         5.495e+02]])");
  EXPECT_EQ(printed(arange(1500).reshape({1500, 1})),
            "tensor([[   0],\n        [   1],\n        [   2],\n        ...,\n"
            "        [1497],\n        [1498],\n        [1499]])");
  EXPECT_EQ(printed(arange(1200).reshape({3, 400})),
            "tensor([[   0,    1,    2, ...,  397,  398,  399],\n"
            "        [ 400,  401,  402, ...,  797,  798,  799],\n"
            "        [ 800,  801,  802, ..., 1197, 1198, 1199]])");
}

// Long rows go on in the next line, before the 75th column.
TEST(Print, Lines) {
  EXPECT_EQ(printed(arange(30)),
            "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15,\n"
            "        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])");
  EXPECT_EQ(printed(arange(11, DType::f32) / 29),
            "tensor([0.        , 0.03448276, 0.06896552, 0.10344828, 0.13793103,\n"
            "        0.1724138 , 0.20689656, 0.2413793 , 0.27586207, 0.31034482,\n"
            "        0.3448276 ])");
  EXPECT_EQ(printed(arange(8).reshape({2, 2, 2})),
            "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])");
  EXPECT_EQ(printed(arange(16).reshape({2, 2, 2, 2})),
            "tensor([[[[ 0,  1],\n          [ 2,  3]],\n\n         [[ 4,  5],\n"
            "          [ 6,  7]]],\n\n\n        [[[ 8,  9],\n          [10, 11]],\n\n"
            "         [[12, 13],\n          [14, 15]]]])");
  EXPECT_EQ(printed(arange(12, DType::f32).reshape({2, 2, 3}) / 4),
            "tensor([[[0.  , 0.25, 0.5 ],\n         [0.75, 1.  , 1.25]],\n\n"
            "        [[1.5 , 1.75, 2.  ],\n         [2.25, 2.5 , 2.75]]])");
}

// What NumPy does not know.
TEST(Print, WhatStandsBehind) {
  EXPECT_EQ(to_string(Tensor()), "tensor(undefined)");
  EXPECT_EQ(to_string(zeros({0, 2})), "tensor([], shape=(0, 2))");
  EXPECT_EQ(to_string(reshape(arange(4), {2, 2})), "tensor([[0, 1],\n        [2, 3]], dtype=i64)");
  const Tensor x = ones({1}).requires_grad_();
  EXPECT_EQ(to_string(x), "tensor([1.], requires_grad)");
  EXPECT_EQ(to_string(x * 2), "tensor([2.], grad_fn=mul)");
  EXPECT_EQ(to_string(ones({1}, DType::f64) * x), "tensor([1.], dtype=f64, grad_fn=mul)");
}

}  // namespace
}  // namespace adjoint
