// Tensors of bf16: conversions, dtypes of results, printing.
#include <adjoint/core/activations.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>

#include "core/kernels/kernels.h"
#include "core/ops/loops.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::values;

TEST(BFloat16, ResultsHavePyTorchsDtypes) {
  const Tensor b = ones({2}, DType::bf16), f = ones({2}), d = ones({2}, DType::f64);
  const Tensor i = ones({2}, DType::i64), t = ones({2}, DType::boolean);
  EXPECT_EQ((b + f).dtype(), DType::f32);
  EXPECT_EQ((b * d).dtype(), DType::f64);
  EXPECT_EQ((b + i).dtype(), DType::bf16);
  EXPECT_EQ((t * b).dtype(), DType::bf16);
  EXPECT_EQ((b * 2.5).dtype(), DType::bf16);
  EXPECT_EQ((b + 1).dtype(), DType::bf16);
  EXPECT_EQ(pow(b, 2.0).dtype(), DType::bf16);
  EXPECT_EQ((b == f).dtype(), DType::boolean);
  EXPECT_EQ(sum(b).dtype(), DType::bf16);
  EXPECT_EQ(argmax(b, 0).dtype(), DType::i64);
  const Tensor parts[] = {b, f};
  EXPECT_EQ(cat(parts, 0).dtype(), DType::f32);
  EXPECT_EQ(matmul(b, b).dtype(), DType::bf16);
  EXPECT_EQ(matmul(b, f).dtype(), DType::f32);
  EXPECT_EQ(layer_norm(b, {2}, f, f).dtype(), DType::bf16);
  EXPECT_EQ(rms_norm(b, {2}, f).dtype(), DType::bf16);
  EXPECT_EQ(cross_entropy(b, scalar(1, DType::i64)).dtype(), DType::bf16);
  EXPECT_EQ(element_size(DType::bf16), 2u);
  EXPECT_STREQ(name(DType::bf16), "bf16");
}

TEST(BFloat16, ElementsAreReadAndPrinted) {
  const Tensor x = tensor({1.5, 2.25, -3.0}).to(DType::bf16);
  EXPECT_EQ(to_string(x), "tensor([ 1.5 ,  2.25, -3.  ], dtype=bf16)");
  EXPECT_EQ(x.data<bfloat16>()[1].bits, 0x4010);
  EXPECT_EQ(x.to_vector<bfloat16>().size(), 3u);
  EXPECT_EQ(full({}, 2.5, DType::bf16).item(), 2.5);
  EXPECT_EQ(values(arange(3, DType::bf16)), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(values(eye(2, DType::bf16)), (std::vector<double>{1, 0, 0, 1}));
  EXPECT_EQ(from_vector(x.to_vector<bfloat16>()).dtype(), DType::bf16);
  EXPECT_EQ(numeric::message_of<DTypeError>([&] { static_cast<void>(x.data<float>()); }),
            "data: wrong type: f32 for a tensor of bf16; expected bf16");
  EXPECT_FALSE(all_finite(tensor({1.0, HUGE_VAL}).to(DType::bf16)));
}

// Sums are kept in f32: in bf16, 256 + 1 is 256.
TEST(BFloat16, SumsAreOfF32) {
  const Tensor x = ones({3, 4000}, DType::bf16);
  EXPECT_EQ(values(sum(x, {1})), (std::vector<double>(3, 4000)));
  EXPECT_EQ(values(mean(x)), (std::vector<double>{1}));
  EXPECT_EQ(values(var(x * 3.0, {1})), (std::vector<double>(3, 0)));
  const Tensor table = zeros({2, 3}, DType::bf16).requires_grad_();
  embedding(zeros({1000}, DType::i64), table).sum().backward();
  EXPECT_EQ(values(table.grad()), (std::vector<double>{1000, 1000, 1000, 0, 0, 0}));
}

TEST(BFloat16, WholeNumbersAreRoundedOnce) {
  constexpr int64_t kBig = int64_t{1} << 62, kHalf = int64_t{1} << 54;
  EXPECT_EQ(static_cast<double>(bfloat16(kBig + kHalf)), std::ldexp(1, 62));  // a tie: to even
  EXPECT_EQ(static_cast<double>(bfloat16(kBig + kHalf + 1)), std::ldexp(129, 55));
  EXPECT_EQ(static_cast<double>(bfloat16(-kBig - kHalf - 1)), -std::ldexp(129, 55));
  EXPECT_EQ(static_cast<double>(bfloat16(-kBig - kHalf + 1)), -std::ldexp(1, 62));
  EXPECT_EQ(static_cast<double>(bfloat16(int64_t{-257})), -256);
}

TEST(BFloat16, RandomNumbersStayInTheirRange) {
  Generator generator(5);
  const std::vector<double> u = values(rand({100000}, DType::bf16, generator));
  double sum = 0;
  for (const double v : u) {
    ASSERT_TRUE(v >= 0 && v < 1) << v;
    sum += v;
  }
  EXPECT_NEAR(sum / 1e5, 127.5 / 256, 5 * std::sqrt(1.0 / 12 / 1e5));
  // Where the last step would round to the end that is left out.
  for (const auto& [low, high] : {std::pair{1.0, 2.0}, {-3.0, -1.0}, {-1.0, 0.0}, {0.3, 0.7}}) {
    Tensor x = zeros({100000}, DType::bf16);
    uniform_(x, low, high, generator);
    const double least = values(to(full({}, low, DType::f32), DType::bf16))[0];
    for (const double v : values(x)) {
      ASSERT_TRUE(v >= std::min(low, least) && v < high) << v << " of " << low << ", " << high;
    }
  }
  Generator again(7), same(7);
  numeric::expect_same_bits(randn({1001}, DType::bf16, again),
                            randn({1001}, DType::f32, same).to(DType::bf16));
}

// A parameter in bf16 has moments in f32 and is rounded once an update.
TEST(BFloat16, ParametersAreUpdatedInF32) {
  const Tensor start = numeric::random({1003}, 1, DType::bf16),
               gradient = numeric::random({1003}, 2, DType::bf16);
  Tensor narrow = start.clone(), wide = start.to(DType::f32);
  Tensor m = zeros({1003}), v = zeros({1003}), m32 = zeros({1003}), v32 = zeros({1003});
  const Tensor g32 = gradient.to(DType::f32);
  const AdamRule adam{.decay = 0.99, .step_size = 1, .v_scale = 30, .eps = 1e-8};
  const RuleUpdate<AdamRule> updates[] = {{{narrow, gradient, {&m, &v}}, adam},
                                          {{wide, g32, {&m32, &v32}}, adam}};
  sweep(updates);
  numeric::expect_same_bits(narrow, wide.to(DType::bf16));
  numeric::expect_same_bits(m, m32);
  numeric::expect_same_bits(v, v32);
  wide = narrow.to(DType::f32);
  const SgdRule sgd{.lr = 0.5, .momentum = 0.9};
  const RuleUpdate<SgdRule> steps[] = {{{narrow, gradient, {&m}}, sgd}, {{wide, g32, {&m32}}, sgd}};
  sweep(steps);
  numeric::expect_same_bits(narrow, wide.to(DType::bf16));
  const Tensor both[] = {gradient, g32};
  const Tensor one[] = {g32};
  EXPECT_EQ(sum_of_squares(both), 2 * sum_of_squares(one));
}

// A number beside a tensor is not rounded to bf16 first, in a recorded derivative either.
TEST(BFloat16, SlopesAreNotRounded) {
  constexpr float kSlope = 0.01f;  // 0.01001 in bf16
  const Tensor x = numeric::random({300}, 1).to(DType::bf16),
               dy = numeric::random({300}, 2).to(DType::bf16);
  const auto gradient = [&](bool recorded) {
    const Tensor leaf = x.detach().requires_grad_();
    return grad({leaky_relu(leaf, 0.01)}, {leaf},
                {.grad_outputs = {dy}, .create_graph = recorded})[0];
  };
  const std::vector<double> kernel = values(gradient(false)), recorded = values(gradient(true));
  const std::vector<double> in = values(x), out = values(dy);
  for (size_t i = 0; i < in.size(); ++i) {
    const float scaled = kSlope * static_cast<float>(out[i]);
    const auto expected = in[i] > 0 ? out[i] : static_cast<double>(bfloat16(scaled));
    ASSERT_EQ(kernel[i], expected) << i;
    ASSERT_EQ(recorded[i], expected) << i;
  }
}

}  // namespace
}  // namespace adjoint
