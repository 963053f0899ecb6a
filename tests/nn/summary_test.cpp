// The summary of a model, and the multiply-adds that it counts, against counts by hand.
#include <adjoint/core/convolution.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/multiply_adds.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/summary.h>
#include <gtest/gtest.h>

#include <vector>

namespace adjoint::nn {
namespace {

struct Conv : Module<Conv> {
  Parameter weight;
  ConvOptions options;
  Conv(const Shape& shape, const ConvOptions& o) : weight(randn(shape)), options(o) {}
  Tensor forward(const Tensor& x) const { return conv2d(x, weight, {}, options); }
  void members(Visitor& v) override { v("weight", weight); }
};

// A residual block with half the size and twice the channels, and what comes after it.
struct Block : Module<Block> {
  Conv conv1{{8, 4, 3, 3}, {.stride = 2, .padding = 1}};
  Conv conv2{{8, 4, 3, 3}, {.padding = 1, .groups = 2}};
  std::vector<Conv> shortcut{Conv{{8, 4, 1, 1}, {.stride = 2}}};
  Linear head{8, 3};
  Linear unused{2, 2};
  Buffer calls{zeros({1}, DType::i64)};
  Tensor forward(const Tensor& x) const {
    if (is_training()) calls.set_data(ones({1}, DType::i64));
    const Tensor y = relu(conv2(relu(conv1(x))) + shortcut[0](x));
    return head(mean(y, {2, 3}));
  }
  void members(Visitor& v) override {
    v("conv1", conv1);
    v("conv2", conv2);
    v("shortcut", shortcut);
    v("head", head);
    v("unused", unused);
    v("calls", calls);
  }
};

TEST(Summary, OfAResidualBlock) {
  Block block;
  block.conv1.weight.requires_grad_(false);
  block.head.eval();
  manual_seed(3);
  const uint64_t offset = default_generator().offset();
  const ModelSummary s = summary(block, {2, 4, 10, 6});
  EXPECT_EQ(default_generator().offset(), offset);
  EXPECT_TRUE(block.is_training() && block.conv1.is_training() && !block.head.is_training());
  EXPECT_EQ(block.calls.value().item(), 0);
  // Results of (2, 8, 5, 3): 240 elements, each a sum over 4 or 4 channels of 9, or of 1.
  const int64_t first = 240 * 4 * 9, grouped = 240 * 4 * 9, shortcut = 240 * 4, head = 2 * 8 * 3;
  const int64_t expected[] = {first + grouped + shortcut + head, first, grouped, shortcut, head, 0};
  ASSERT_EQ(s.layers.size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(s.layers[i].multiply_adds, expected[i]) << i;
  EXPECT_EQ(s.multiply_adds, expected[0]);
  EXPECT_EQ(s.layers[3].path, "shortcut.0");
  EXPECT_EQ(s.layers[1].outputs, (std::vector<Shape>{{2, 8, 5, 3}}));
  EXPECT_EQ(s.layers[5].calls, 0);
  EXPECT_EQ(s.parameters, 288 + 288 + 32 + 27 + 6);
  EXPECT_EQ(s.trainable_parameters, s.parameters - 288);
  EXPECT_EQ(s.input_bytes, 480 * 4);
  EXPECT_EQ(s.forward_backward_bytes, 2 * 4 * (3 * 240 + 6));
  EXPECT_EQ(s.parameter_bytes, 4 * s.parameters + 8);
  EXPECT_EQ(s.to_string(), R"(=======================================================
Layer (type)           Output Shape  Param #  Mult-Adds
=======================================================
Block                  (2, 3)            641     18,288
├── conv1 (Conv)       (2, 8, 5, 3)      288      8,640
├── conv2 (Conv)       (2, 8, 5, 3)      288      8,640
├── shortcut.0 (Conv)  (2, 8, 5, 3)       32        960
├── head (Linear)      (2, 3)             27         48
└── unused (Linear)    --                  6         --
=======================================================
Total params: 641
Trainable params: 353
Non-trainable params: 288
Total mult-adds: 18,288
=======================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.01
Params size (MB): 0.00
Estimated Total Size (MB): 0.01
=======================================================
)");
  EXPECT_EQ(s.to_json().get<int64_t>("layers", 4, "multiply_adds"), head);
  EXPECT_EQ(s.to_json().get<int64_t>("layers", 1, "outputs", 0, 1), 8);
}

TEST(Summary, OfAttentionAndSeveralInputs) {
  // Self-attention: three projections, q k^T, its product with v, and the last projection.
  MultiHeadAttention attn(8, 2);
  const int64_t b = 3, length = 5, e = 8;
  const ModelSummary own = summary(attn, {b, length, e});
  EXPECT_EQ(own.multiply_adds, b * length * e * 4 * e + 2 * b * length * length * e);
  EXPECT_EQ(own.layers[1].path, "out_proj");
  EXPECT_EQ(own.layers[1].multiply_adds, b * length * e * e);
  EXPECT_EQ(own.parameters, 4 * e * e + 4 * e);
  // Two groups of keys and values of another length.
  MultiHeadAttention cross(8, 4, {.kdim = 6, .vdim = 6, .num_kv_heads = 2});
  const Tensor q = zeros({b, length, e}), k = zeros({b, 7, 6});
  EXPECT_EQ(summary(cross, q, k, k).multiply_adds,
            b * length * e * e * 2 + 2 * b * 7 * 6 * 4 + 2 * b * length * 7 * e);
  // Indices, and a module that is called twice.
  struct Twice : Module<Twice> {
    Embedding embed{10, 4};
    Linear fc{4, 4};
    Tensor forward(const Tensor& ids) const { return fc(fc(embed(ids))); }
    void members(Visitor& v) override {
      v("embed", embed);
      v("fc", fc);
    }
  } twice;
  const ModelSummary s = summary(twice, {2, 3}, {.dtype = DType::i64});
  EXPECT_EQ(s.layers[2].calls, 2);
  EXPECT_EQ(s.multiply_adds, 2 * 6 * 16);
  EXPECT_EQ(s.inputs, (std::vector<Shape>{{2, 3}}));
  EXPECT_EQ(s.input_bytes, 48);
  EXPECT_THROW(summary(twice, Shape{2, 3}), Error);  // floating indices
  EXPECT_TRUE(twice.is_training());
}

TEST(Summary, EveryProductCountsOnce) {
  const auto counted = [](auto&& f) {
    const MultiplyAddCounter counter;
    (void)f();
    return counter.count();
  };
  const Tensor a = randn({2, 3, 4}), b = randn({2, 4, 5}), m = randn({3, 4}), v = randn({4});
  EXPECT_EQ(counted([&] { return matmul(a, b); }), 2 * 3 * 4 * 5);
  EXPECT_EQ(counted([&] { return bmm(a, b); }), 2 * 3 * 4 * 5);
  EXPECT_EQ(counted([&] { return matmul(m, v); }), 12);
  EXPECT_EQ(counted([&] { return matmul(v, v); }), 4);
  EXPECT_EQ(counted([&] { return mm(m, transpose(m, 0, 1)); }), 36);
  EXPECT_EQ(counted([&] { return addmm(zeros({3}), m, transpose(m, 0, 1)); }), 36);
  EXPECT_EQ(counted([&] { return einsum("bij,bjk->bik", {a, b}); }), 2 * 3 * 4 * 5);
  EXPECT_EQ(counted([&] {
              return linear_activation(a, randn({7, 4}), {}, Activation::gelu);
            }),
            6 * 4 * 7);
  EXPECT_EQ(counted([&] { return linear_add(m, randn({7, 4}), {}, randn({3, 7})); }), 3 * 4 * 7);
  EXPECT_EQ(counted([&] {
              return linear_cross_entropy(m, randn({7, 4}), tensor<int64_t>({0, 6, 2}));
            }),
            3 * 4 * 7);
  const Tensor image = randn({2, 4, 5, 5});
  EXPECT_EQ(counted([&] {
              return conv_transpose2d(image, randn({4, 3, 2, 2}), {}, {.groups = 2});
            }),
            200 * 3 * 4);
  EXPECT_EQ(counted([&] { return conv1d(randn({3, 8}), randn({5, 3, 2})); }), 5 * 7 * 3 * 2);
  EXPECT_EQ(counted([&] { return relu(a) + a; }), 0);
}

}  // namespace
}  // namespace adjoint::nn
