// Automatic mixed precision: which dtype each operator computes in, and what backward makes of it.
#include <adjoint/core/activations.h>
#include <adjoint/core/attention.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/reductions.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/tensor/tensor_impl.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::expect_same_bits;
using numeric::random;

Tensor f32(const Shape& shape, uint64_t seed) { return random(shape, seed, DType::f32); }
Tensor rounded_once(const Tensor& x) { return x.to(DType::bf16).to(DType::f32); }

TEST(Autocast, LastsAsLongAsItsGuardOnItsThread) {
  EXPECT_FALSE(autocast_enabled());
  {
    const Autocast on(DType::bf16);
    EXPECT_TRUE(autocast_enabled());
    {
      const Autocast off(false);
      EXPECT_FALSE(autocast_enabled());
      EXPECT_EQ(matmul(f32({2, 2}, 1), f32({2, 2}, 2)).dtype(), DType::f32);
    }
    EXPECT_TRUE(autocast_enabled());
    std::thread([] { EXPECT_FALSE(autocast_enabled()); }).join();
    EXPECT_EQ(numeric::message_of<ConfigError>([] { const Autocast wrong(DType::f64); }),
              "autocast: dtype f64; expected bf16");
    EXPECT_TRUE(autocast_enabled());
  }
  EXPECT_FALSE(autocast_enabled());
}

// As PyTorch's torch.autocast("cpu", torch.bfloat16).
TEST(Autocast, ResultsHavePyTorchsDtypes) {
  const Autocast guard(DType::bf16);
  const Tensor x = f32({4, 8}, 1), w = f32({8, 8}, 2), b = x.to(DType::bf16);
  const Tensor d = x.to(DType::f64), targets = zeros({4}, DType::i64);
  EXPECT_EQ(matmul(x, w).dtype(), DType::bf16);
  EXPECT_EQ(matmul(x, select(w, 0, 0)).dtype(), DType::bf16);
  EXPECT_EQ(matmul(d, w.to(DType::f64)).dtype(), DType::f64);
  EXPECT_EQ(bmm(unsqueeze(x, 0), unsqueeze(w, 0)).dtype(), DType::bf16);
  EXPECT_EQ(linear(x, w, select(w, 0, 0)).dtype(), DType::bf16);
  EXPECT_EQ(linear_activation(x, w, select(w, 0, 0), Activation::gelu).dtype(), DType::bf16);
  EXPECT_EQ(linear_add(x, w, {}, b).dtype(), DType::bf16);
  EXPECT_EQ(linear_add(x, w, {}, x).dtype(), DType::f32);  // as linear(x, w) + x
  const Tensor q = f32({2, 4, 8}, 3);
  EXPECT_EQ(scaled_dot_product_attention(q, q, q).dtype(), DType::bf16);
  EXPECT_EQ(softmax(b, -1).dtype(), DType::bf16);
  EXPECT_EQ(softmax(x, -1).dtype(), DType::f32);
  EXPECT_EQ(layer_norm(b, {8}, select(w, 0, 0), select(w, 0, 1)).dtype(), DType::bf16);
  EXPECT_EQ(layer_norm(x, {8}, select(w, 0, 0)).dtype(), DType::f32);
  EXPECT_EQ(cross_entropy(b, targets).dtype(), DType::f32);
  EXPECT_EQ(cross_entropy(d, targets).dtype(), DType::f64);
  EXPECT_EQ(mse_loss(b, b).dtype(), DType::f32);
  EXPECT_EQ(mse_loss(b, x).dtype(), DType::f32);
  EXPECT_EQ(linear_cross_entropy(x, w, targets).dtype(), DType::f32);
  EXPECT_EQ(linear_cross_entropy(b, w, targets).dtype(), DType::f32);
  EXPECT_EQ((b + x).dtype(), DType::f32);
  EXPECT_EQ(gelu(b).dtype(), DType::bf16);
  EXPECT_EQ(gelu(x).dtype(), DType::f32);
  EXPECT_EQ(sum(b).dtype(), DType::bf16);
  EXPECT_EQ(embedding(targets, w).dtype(), DType::f32);
}

// A product of f32 under autocast is that of its operands rounded to bf16, rounded.
TEST(Autocast, ProductsRoundTheirOperandsAndTheirResult) {
  const Tensor x = f32({33, 65}, 1).requires_grad_(), w = f32({17, 65}, 2).requires_grad_();
  const Tensor bias = f32({17}, 3).requires_grad_();
  const Tensor y = [&] {
    const Autocast guard(DType::bf16);
    return linear(x, w, bias);
  }();
  const Tensor x0 = rounded_once(x.detach()).requires_grad_();
  const Tensor w0 = rounded_once(w.detach()).requires_grad_();
  const Tensor bias0 = bias.detach().requires_grad_();
  const Tensor exact = linear(x0, w0, bias0);
  // Sums of f32 in another order may round to the other neighbour: two roundings of 2^-8.
  numeric::expect_close(y, exact, 0x1p-7);
  EXPECT_STREQ(y.grad_fn_name(), "linear");
  const Tensor dy = f32({33, 17}, 4).to(DType::bf16);
  {
    const Autocast guard(DType::bf16);  // backward ignores it
    y.backward({.gradient = dy});
  }
  exact.backward({.gradient = dy.to(DType::f32)});
  // The gradients of f32 are of f32, and never rounded to bf16.
  for (const auto& [got, expected] : {std::pair{x, x0}, {w, w0}, {bias, bias0}}) {
    EXPECT_EQ(got.grad().dtype(), DType::f32);
    numeric::expect_close(got.grad(), expected.grad(), 64 * epsilon(DType::f32));
  }
}

TEST(Autocast, RecordedGradientsUseTheRoundedOperands) {
  const Tensor a = f32({3, 5}, 1).requires_grad_(), b = f32({5, 4}, 2).requires_grad_();
  const auto gradient_of_a = [&](bool create_graph) {
    a.zero_grad();
    const Tensor y = [&] {
      const Autocast guard(DType::bf16);
      return matmul(a, b);
    }();
    y.backward({.gradient = ones({3, 4}, DType::bf16), .create_graph = create_graph});
    const Tensor result = a.grad().detach();
    a.zero_grad();
    b.zero_grad();
    return result;
  };
  numeric::expect_close(gradient_of_a(true), gradient_of_a(false), 0x1p-8);
}

TEST(Autocast, ThreadsDoNotChangeBits) {
  const Tensor x = f32({301, 257}, 1).requires_grad_(), w = f32({129, 257}, 2).requires_grad_();
  const Tensor dy = f32({301, 129}, 3).to(DType::bf16);
  numeric::expect_same_on_threads([&] {
    const Tensor y = [&] {
      const Autocast guard(DType::bf16);
      return linear_activation(x, w, {}, Activation::gelu_tanh);
    }();
    y.backward({.gradient = dy});
    std::vector<Tensor> all = {y.detach(), x.grad(), w.grad()};
    x.zero_grad();
    w.zero_grad();
    return all;
  });
}

// --- copies in bf16 that an optimizer's sweep leaves ---

Tensor bf16_product(const Tensor& x, const Tensor& w) {
  const NoGrad no_grad;
  const Autocast guard(DType::bf16);
  return linear(x, w);
}
// Looks at the copy without asking for it.
const PackedWeight* copy_of(const Tensor& w) {
  return w.impl()->storage->packed.find(PackedWeight::Key::rounded(w.numel()));
}
void sgd(const Tensor& w, const Tensor& gradient) {
  sweep(RuleUpdate<SgdRule>{{w, gradient}, {.lr = 0.5}});
}
void adam(const Tensor& w, const Tensor& gradient) {
  const Tensor m = zeros_like(w), v = zeros_like(w);
  sweep(RuleUpdate<AdamRule>{{w, gradient, {&m, &v}}, {.step_size = 0.5}});
}

TEST(RoundedCopies, AreOfWhatTheSweepWrote) {
  for (const auto sweep : {sgd, adam}) {
    const Tensor w = f32({301, 257}, 1), x = f32({5, 257}, 2), many = f32({64, 257}, 3);
    const Tensor g = f32({301, 257}, 4);
    sweep(w, g);
    EXPECT_EQ(copy_of(w), nullptr);  // nobody has asked
    bf16_product(x, w);
    EXPECT_EQ(copy_of(w), nullptr);  // only a sweep makes it
    const int64_t before = memory_stats().current;
    sweep(w, g);
    const PackedWeight* copy = copy_of(w);
    ASSERT_NE(copy, nullptr);
    EXPECT_GE(memory_stats().current - before, 2 * w.numel() - (64 << 10));
    const Tensor same = w.clone();
    EXPECT_EQ(copy_of(same), nullptr);
    const Tensor expected = to(same, DType::bf16);
    EXPECT_EQ(std::memcmp(copy->panels, expected.raw_data(), 2 * static_cast<size_t>(w.numel())),
              0);
    for (const Tensor& in : {x, many})
      expect_same_bits(bf16_product(in, w), bf16_product(in, same));
    // Views of the weight find their part of it.
    const auto part = [](const Tensor& of) { return slice(slice(of, 0, 17, 200), 1, 3, 101); };
    const Tensor narrow = slice(many, 1, 3, 101);
    expect_same_bits(bf16_product(narrow, part(w)), bf16_product(narrow, part(same)));
    expect_same_bits(bf16_product(f32({6, 301}, 5), transpose(w, 0, 1)),
                     bf16_product(f32({6, 301}, 5), transpose(same, 0, 1)));
    // It is what products read.
    std::memset(const_cast<void*>(copy->panels), 0, 2 * static_cast<size_t>(w.numel()));
    expect_same_bits(bf16_product(x, w), zeros({5, 301}, DType::bf16));
  }
}

TEST(RoundedCopies, GoWithTheNextWrite) {
  const Tensor w = f32({33, 65}, 1), x = f32({4, 65}, 2), g = f32({33, 65}, 3);
  const auto fresh = [&] {
    bf16_product(x, w);
    sgd(w, g);
    ASSERT_NE(copy_of(w), nullptr);
  };
  const auto gone = [&] {
    EXPECT_EQ(copy_of(w), nullptr);
    expect_same_bits(bf16_product(x, w), bf16_product(x, w.clone()));
  };
  fresh();
  mul_(w, 2.0);
  gone();
  fresh();
  fill_(slice(w, 0, 3, 4), 1.0);  // through a view
  gone();
  fresh();
  sgd(w, g);  // nobody has looked since
  gone();
  // Not for what is not a storage of its own, nor for other dtypes.
  const Tensor half = slice(w, 0, 0, 16);
  bf16_product(x, half);
  sgd(half, slice(g, 0, 0, 16));
  gone();
  for (const DType dtype : {DType::bf16, DType::f64}) {
    const Tensor other = to(w, dtype);
    bf16_product(to(x, dtype), other);
    sgd(other, to(g, dtype));
    EXPECT_EQ(copy_of(other), nullptr);
  }
}

}  // namespace
}  // namespace adjoint
