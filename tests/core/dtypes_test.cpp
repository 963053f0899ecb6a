// Tensors of f16, i32 and u8: conversions, dtypes of results, arithmetic that wraps around.
#include <adjoint/core/embedding.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/reductions.h>

#include "core/kernels/kernels.h"
#include "core/ops/loops.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::values;

// PyTorch's table of torch.promote_types for these dtypes.
TEST(DTypes, PromoteAsPyTorchs) {
  const DType all[] = {DType::boolean, DType::u8,   DType::i32, DType::i64,
                       DType::f16,     DType::bf16, DType::f32, DType::f64};
  const DType expected[8][8] = {{all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7]},
                                {all[1], all[1], all[2], all[3], all[4], all[5], all[6], all[7]},
                                {all[2], all[2], all[2], all[3], all[4], all[5], all[6], all[7]},
                                {all[3], all[3], all[3], all[3], all[4], all[5], all[6], all[7]},
                                {all[4], all[4], all[4], all[4], all[4], all[6], all[6], all[7]},
                                {all[5], all[5], all[5], all[5], all[6], all[5], all[6], all[7]},
                                {all[6], all[6], all[6], all[6], all[6], all[6], all[6], all[7]},
                                {all[7], all[7], all[7], all[7], all[7], all[7], all[7], all[7]}};
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) {
      EXPECT_EQ(promote(all[i], all[j]), expected[i][j]) << all[i] << " " << all[j];
      EXPECT_EQ((ones({2}, all[i]) + ones({2}, all[j])).dtype(), expected[i][j]);
    }
  }
  EXPECT_EQ((ones({2}, DType::u8) + 1000).dtype(), DType::u8);
  EXPECT_EQ((ones({2}, DType::i32) * 2.5).dtype(), DType::f32);
  EXPECT_EQ((ones({2}, DType::f16) * 2.5).dtype(), DType::f16);
  EXPECT_EQ((ones({2}, DType::u8) / ones({2}, DType::u8)).dtype(), DType::f32);
}

TEST(DTypes, WholeNumbersWrapAround) {
  const Tensor bytes = from_vector(std::vector<uint8_t>{250, 3, 0});
  EXPECT_EQ(bytes.dtype(), DType::u8);
  EXPECT_EQ(values(bytes + 10), (std::vector<double>{4, 13, 10}));
  EXPECT_EQ(values(bytes - 4), (std::vector<double>{246, 255, 252}));
  EXPECT_EQ(values(bytes * bytes), (std::vector<double>{36, 9, 0}));
  EXPECT_EQ(values(neg(bytes)), (std::vector<double>{6, 253, 0}));
  const Tensor ints = from_vector(std::vector<int32_t>{2147483647, -2147483647 - 1, -7});
  EXPECT_EQ(values(ints + 1), (std::vector<double>{-2147483648.0, -2147483647.0, -6}));
  EXPECT_EQ(values(ints * 2), (std::vector<double>{-2, 0, -14}));
  EXPECT_EQ(values(abs(ints)), (std::vector<double>{2147483647.0, -2147483648.0, 7}));
  EXPECT_EQ(values(maximum(ints, zeros({3}, DType::i32))),
            (std::vector<double>{2147483647.0, 0, 0}));
  EXPECT_EQ(values(bytes > 2), (std::vector<double>{1, 1, 0}));
  EXPECT_EQ(values(bitwise_and(bytes, from_vector(std::vector<uint8_t>{15, 2, 1}))),
            (std::vector<double>{10, 2, 0}));
  EXPECT_EQ(bitwise_and(bytes, ints).dtype(), DType::i32);
  EXPECT_EQ(values(remainder(ints, full({3}, 4, DType::i32))), (std::vector<double>{3, 0, 1}));
  EXPECT_EQ(remainder(ints, ones({3}, DType::u8)).dtype(), DType::i32);
  // Sums are of i64, as PyTorch's; extrema keep their dtype.
  EXPECT_EQ(sum(ints).dtype(), DType::i64);
  EXPECT_EQ(sum(bytes + 0).item(), 253);
  EXPECT_EQ(amax(bytes, {0}).dtype(), DType::u8);
  EXPECT_EQ(amin(ints, {0}).item(), -2147483648.0);
  EXPECT_EQ(argmax(bytes, 0).item(), 0);
}

TEST(DTypes, TensorsAreMadeReadAndPrinted) {
  for (const DType dtype : {DType::f16, DType::i32, DType::u8}) {
    SCOPED_TRACE(name(dtype));
    EXPECT_EQ(values(arange(4, dtype)), (std::vector<double>{0, 1, 2, 3}));
    EXPECT_EQ(values(eye(2, dtype)), (std::vector<double>{1, 0, 0, 1}));
    EXPECT_EQ(full({}, 3, dtype).item(), 3);
    EXPECT_EQ(values(cat({ones({1}, dtype), zeros({2}, dtype)}, 0)),
              (std::vector<double>{1, 0, 0}));
    EXPECT_EQ(values(transpose(reshape(arange(6, dtype), {2, 3}), 0, 1).clone()),
              (std::vector<double>{0, 3, 1, 4, 2, 5}));
    EXPECT_EQ(values(embedding(from_vector(std::vector<int64_t>{2, 0}),
                               reshape(arange(6, dtype), {3, 2}))),
              (std::vector<double>{4, 5, 0, 1}));
    std::ostringstream out;
    out << arange(3, dtype);
    EXPECT_NE(out.str().find(name(dtype)), std::string::npos) << out.str();
  }
  EXPECT_EQ(element_size(DType::f16), 2u);
  EXPECT_EQ(element_size(DType::i32), 4u);
  EXPECT_EQ(element_size(DType::u8), 1u);
  EXPECT_EQ(from_vector(std::vector<int32_t>{1, 2}).to_vector<int32_t>(),
            (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(values(tensor({2.7, -1.2, 300.0}).to(DType::i32)), (std::vector<double>{2, -1, 300}));
}

TEST(DTypes, ProductsOfF16AreRoundedOnce) {
  const Tensor a = numeric::random({33, 70}, 1, DType::f16);
  const Tensor b = numeric::random({70, 19}, 2, DType::f16);
  const Tensor wide = matmul(a.to(DType::f32), b.to(DType::f32));
  numeric::expect_same_bits(matmul(a, b), wide.to(DType::f16));
  const Tensor w = numeric::random({19, 70}, 3, DType::f16);
  const Tensor bias = numeric::random({19}, 4, DType::f16);
  numeric::expect_same_bits(
      linear_activation(a, w, bias, Activation::gelu),
      linear_activation(a.to(DType::f32), w.to(DType::f32), bias.to(DType::f32), Activation::gelu)
          .to(DType::f16));
}

// A number beside a tensor of 16 bits is what it is in f32, as in PyTorch: 0.1 is not rounded
// first.
TEST(DTypes, NumbersBesideHalvesAreNotRounded) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Tensor x = numeric::random({70, 3}, 1, dtype), wide = x.to(DType::f32);
    numeric::expect_same_bits(x * 0.1, (wide * 0.1).to(dtype));
    numeric::expect_same_bits(0.1 - x, (0.1 - wide).to(dtype));
    numeric::expect_same_bits(transpose(x, 0, 1) / 0.1, (transpose(wide, 0, 1) / 0.1).to(dtype));
    const Tensor tenth = full({3}, 0.1, dtype);
    EXPECT_NE(values(lt(tenth, 0.1))[0], values(gt(tenth, 0.1))[0]);
  }
  EXPECT_EQ(values(lt(tensor<int32_t>({1, -1}), int64_t{1} << 40)), (std::vector<double>{1, 1}));
}

TEST(DTypes, OptimizersRefuseF16) {
  const Tensor w = ones({3}, DType::f16), gradient = ones({3}, DType::f16), no_momentum;
  const std::vector<SgdUpdate> updates{{w, gradient, no_momentum, {.lr = 0.5}}};
  try {
    sgd_sweep(updates);
    FAIL() << "no error";
  } catch (const DTypeError& e) {
    EXPECT_NE(std::string(e.what()).find("f16"), std::string::npos) << e.what();
  }
}

TEST(DTypes, UniformF16StaysBelowItsEnd) {
  for (const auto& [low, high] : {std::pair{0.0, 1.0}, {-1.0, 0.0}, {0.0, 1e-6}, {100.0, 100.25}}) {
    Generator generator(3);
    Tensor x = zeros({100000}, DType::f16);
    uniform_(x, low, high, generator);
    for (const double v : values(x)) {
      ASSERT_GE(v, values(to(full({}, low, DType::f32), DType::f16))[0]);
      ASSERT_LT(v, high);
    }
  }
}

}  // namespace
}  // namespace adjoint
