// Wrong arguments of the module table's layers, sizes that are learned, and what differs from case
// to case and has no place in the table.
#include <adjoint/core/checkpoint.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/flatten.h>
#include <adjoint/nn/lazy.h>
#include <adjoint/nn/loss.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/padding.h>
#include <adjoint/nn/pooling.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/nn/vision.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using numeric::message_of;

TEST(LayerArguments, WrongOnesAreNamed) {
  const std::vector<std::pair<std::function<void()>, std::string>> cases = {
      {[] { Linear(-1, 2); }, "Linear: -1 to 2 features; expected 0 or more"},
      {[] { Bilinear(0, 2, 3); },
       "Bilinear: in1_features 0, in2_features 2, out_features 3; expected 1 or more"},
      {[] { Embedding(7, 3, {.padding_idx = 7}); },
       "Embedding: padding_idx 7; expected a row of 7"},
      {[] { Embedding(7, 3, {.max_norm = 0}); },
       "Embedding: max_norm 0; expected a positive number"},
      {[] { Embedding::from_pretrained(zeros({3})); },
       "Embedding: embeddings of shape (3,); expected (num_embeddings, embedding_dim)"},
      {[] { EmbeddingBag(-1, 3); }, "EmbeddingBag: -1 rows of 3; expected 0 or more"},
      {[] {
         Conv2d(3, 4, {3, 3, 3});
       },
       "Conv2d: kernel_size (3, 3, 3); expected one number or 2, each 1 or more"},
      {[] { Conv1d(3, 4, 3, {.stride = 0}); },
       "Conv1d: stride 0; expected one number, each 1 or more"},
      {[] { Conv2d(3, 4, 3, {.groups = 2}); },
       "Conv2d: in_channels 3 with 2 groups; expected a positive multiple of the groups"},
      {[] { Conv2d(4, 3, 3, {.groups = 2}); },
       "Conv2d: out_channels 3 with 2 groups; expected a positive multiple of the groups"},
      {[] { Conv3d(2, 2, 3, {.stride = 2, .padding = "same"}); },
       "Conv3d: padding \"same\" with stride (2, 2, 2); expected stride 1"},
      {[] { Conv1d(2, 2, 3, {.padding = "full"}); },
       "Conv1d: padding \"full\"; expected numbers, \"same\" or \"valid\""},
      {[] { Conv1d(2, 2, 3, {.padding = -1}); },
       "Conv1d: padding -1; expected one number, each 0 or more"},
      {[] {
         ConvTranspose2d(2, 2, 3, {.output_padding = {0, 1}});
       },
       "ConvTranspose2d: output_padding (0, 1) with stride 1 and dilation 1; expected less than "
       "one "
       "of them"},
      {[] {
         ConvTranspose1d(1, 1, 3, {.stride = 2})(zeros({1, 1, 3}), {.output_size = 9});
       },
       "ConvTranspose1d: output_size (9,) for an input of shape (1, 1, 3) with stride 2; expected "
       "1 "
       "sizes from the least possible to a stride less one above (in module ConvTranspose1d)"},
      {[] { MaxPool2d(3, {.padding = 2}); },
       "MaxPool2d: padding 2 of a kernel_size 3; expected at most half of it"},
      {[] { AvgPool1d(2, {.divisor_override = 2}); },
       "AvgPool1d: divisor_override 2; expected none"},
      {[] { AvgPool2d(2, {.divisor_override = 0}); },
       "AvgPool2d: divisor_override 0; expected a number other than 0"},
      {[] { LPPool1d(0, 2); }, "LPPool1d: norm_type 0; expected a positive number"},
      {[] {
         AdaptiveAvgPool2d({1, 2, 3});
       },
       "AdaptiveAvgPool2d: output_size (1, 2, 3); expected one number or 2, each -1 or more"},
      {[] {
         ZeroPad2d({1, 2});
       },
       "ZeroPad2d: padding (1, 2); expected one number or 4"},
      {[] { BatchNorm2d(0); }, "BatchNorm2d: num_features 0; expected 1 or more"},
      {[] { BatchNorm1d(2, {.momentum = 1.5}); },
       "BatchNorm1d: momentum 1.5; expected it in [0, 1]"},
      {[] { InstanceNorm1d(2, {.eps = -1}); }, "InstanceNorm1d: eps -1; expected 0 or more"},
      {[] { GroupNorm(2, 3); },
       "GroupNorm: num_groups 2 of num_channels 3; expected groups that divide the channels"},
      {[] { RMSNorm(Shape{}); }, "RMSNorm: normalized_shape (); expected one dimension or more"},
      {[] { RMSNorm(6, {.eps = -1}); }, "RMSNorm: eps -1; expected 0 or more"},
      {[] { LocalResponseNorm(0); }, "LocalResponseNorm: size 0; expected 1 or more"},
      {[] { Dropout2d(1.5); }, "Dropout2d: probability 1.5; expected it in [0, 1]"},
      {[] { CELU(0); }, "CELU: alpha 0; expected a number other than 0"},
      {[] { Softshrink(-1); }, "Softshrink: lambd -1; expected 0 or more"},
      {[] { Softplus({.beta = 0}); }, "Softplus: beta 0; expected a number other than 0"},
      {[] { Hardtanh({.min_val = 2}); },
       "Hardtanh: min_val 2 and max_val 1; expected the first to be smaller"},
      {[] { RReLU({.lower = 0.5}); },
       "RReLU: lower 0.5 and upper 0.333333; expected the first to be no larger"},
      {[] { PReLU({.num_parameters = 0}); }, "PReLU: num_parameters 0; expected 1 or more"},
      {[] {
         Unfold({1, 2, 3});
       },
       "Unfold: kernel_size (1, 2, 3); expected one number or 2, each 1 or more"},
      {[] { Fold(0, 2); }, "Fold: output_size 0; expected one number or 2, each 1 or more"},
      {[] { Upsample({}); }, "Upsample: size () and 0 scale factors; expected one of the two"},
      {[] { PixelShuffle(0); }, "PixelShuffle: upscale_factor 0; expected 1 or more"},
      {[] { ChannelShuffle(0); }, "ChannelShuffle: groups 0; expected 1 or more"},
      {[] { CrossEntropyLoss({.label_smoothing = 2}); },
       "CrossEntropyLoss: label_smoothing 2; expected it in [0, 1]"},
      {[] { SmoothL1Loss({.beta = -1}); }, "SmoothL1Loss: beta -1; expected 0 or more"},
      {[] { HuberLoss({.delta = 0}); }, "HuberLoss: delta 0; expected a positive number"},
      {[] { MultiMarginLoss({.p = 3}); }, "MultiMarginLoss: p 3; expected 1 or 2"},
      {[] { TripletMarginLoss({.margin = 0}); },
       "TripletMarginLoss: margin 0; expected a positive number"},
  };
  for (const auto& [call, message] : cases) EXPECT_EQ(message_of<ConfigError>(call), message);
}

TEST(LayerArguments, InputsOfOtherRanksAreNamed) {
  EXPECT_EQ(message_of<ShapeError>([] {
              BatchNorm2d(2)(zeros({3, 2}));
            }),
            "BatchNorm2d: input of shape (3, 2); expected (N, C, sizes...) with 2 sizes "
            "(in module BatchNorm2d)");
  EXPECT_EQ(message_of<ShapeError>([] { InstanceNorm1d(2)(zeros({3})); }),
            "InstanceNorm1d: input of shape (3,); expected (N, C, sizes...) or (C, sizes...) with "
            "1 size (in module InstanceNorm1d)");
  EXPECT_EQ(message_of<ShapeError>([] { Softmax2d()(zeros({3})); }),
            "Softmax2d: input of shape (3,); expected (N, C, H, W) or (C, H, W) "
            "(in module Softmax2d)");
}

// --- dropout ---

TEST(Dropout, ZeroesOrScales) {
  Dropout half(0.25);
  const Tensor x = full({64, 64}, 3.0);
  manual_seed(5);
  const Tensor y = half(x);
  const double zeroed = sum(eq(y, 0)).item();
  // 4096 draws of probability 1/4: a deviation of 27.7; seven of them are 194.
  EXPECT_NEAR(zeroed, 1024, 194);
  EXPECT_EQ(zeroed + sum(eq(y, 4.0)).item(), 4096);
  half.eval();
  EXPECT_EQ(half(x).impl(), x.impl());
  EXPECT_EQ(max(abs(Dropout(1.0)(x))).item(), 0);
}

// --- running statistics ---

TEST(BatchNorm, CumulativeStatisticsAreTheMeanOfAllBatches) {
  const BatchNorm1d norm(3, {.momentum = std::nullopt});
  Tensor means = zeros({3});
  for (uint64_t batch = 1; batch <= 4; ++batch) {
    const Tensor x = numeric::random({8, 3}, batch, DType::f32);
    norm(x);
    means = means + mean(x, {0}) / 4.0;
    EXPECT_EQ(norm.num_batches_tracked.value().item(), static_cast<double>(batch));
  }
  numeric::expect_close(norm.running_mean, means, 1e-6);
}

TEST(BatchNorm, ACheckpointCountsABatchOnce) {
  const BatchNorm1d norm(3), once(3);
  const Tensor x = numeric::random({8, 3}, 1, DType::f32).requires_grad_();
  const Tensor y = checkpoint([&](const Tensor& h) { return norm(h); }, x);
  square(y).sum().backward();
  once(x);
  EXPECT_EQ(norm.num_batches_tracked.value().item(), 1);
  numeric::expect_same_bits(norm.running_mean, once.running_mean);
  numeric::expect_same_bits(norm.running_var, once.running_var);
}

// --- sizes that are learned ---

Sequential lazy_net() {
  return Sequential(LazyConv2d(4, 3, {.padding = 1}), LazyBatchNorm2d(), ReLU(),
                    LazyConvTranspose2d(2, 2, {.bias = false}), Flatten(), Dropout(0.5),
                    LazyLinear(5));
}
// The same with the sizes that inputs (N, 3, 4, 4) give, made one after the other as those are.
Sequential sized_net() {
  Sequential net;
  net.push_back(Conv2d(3, 4, 3, {.padding = 1}));
  net.push_back(BatchNorm2d(4));
  net.push_back(ReLU());
  net.push_back(ConvTranspose2d(4, 2, 2, {.bias = false}));
  net.push_back(Flatten());
  net.push_back(Dropout(0.5));
  net.push_back(Linear(50, 5));
  return net;
}

TEST(Lazy, BecomesTheOrdinaryLayer) {
  const Tensor x = numeric::random({2, 3, 4, 4}, 1, DType::f32);
  manual_seed(4);
  const Sequential sized = sized_net();
  manual_seed(4);
  Sequential net = lazy_net();
  materialize(net, x);
  EXPECT_EQ(to_string(net), to_string(sized));
  const StateDict state = net.state_dict(), expected = sized.state_dict();
  ASSERT_EQ(state.tensors.size(), expected.tensors.size());
  for (size_t i = 0; i < state.tensors.size(); ++i) {
    EXPECT_EQ(state.tensors[i].first, expected.tensors[i].first);
    // The same draws in the same order, and statistics as they were.
    numeric::expect_same_bits(state.tensors[i].second, expected.tensors[i].second);
  }
  EXPECT_TRUE(net.is_training());
  manual_seed(5);
  const Tensor y = net(x);
  manual_seed(5);
  numeric::expect_same_bits(y, sized(x));
}

TEST(Lazy, TheFirstCallIsEnough) {
  Linear layer = LazyLinear(2);
  const Tensor x = ones({3, 4});
  EXPECT_EQ(layer.in_features(), kLazy);
  layer(x).sum().backward();
  EXPECT_EQ(layer.in_features(), 4);
  numeric::expect_close(layer.weight.grad(), full({2, 4}, 3.0), 0);
  Linear other = LazyLinear(2);
  EXPECT_EQ(other.activated(x, Activation::relu).shape(), (Shape{3, 2}));
}

TEST(Lazy, PrintsAsPyTorch) {
  EXPECT_EQ(to_string(LazyLinear(5)), "LazyLinear(in_features=0, out_features=5, bias=True)");
  EXPECT_EQ(to_string(LazyConv1d(4, 3)), "LazyConv1d(0, 4, kernel_size=(3,), stride=(1,))");
  EXPECT_EQ(to_string(LazyConvTranspose3d(4, 3, {.bias = false})),
            "LazyConvTranspose3d(0, 4, kernel_size=(3, 3, 3), stride=(1, 1, 1), bias=False)");
  EXPECT_EQ(to_string(LazyBatchNorm1d()),
            "LazyBatchNorm1d(0, eps=1e-05, momentum=0.1, affine=True, bias=True, "
            "track_running_stats=True)");
  EXPECT_EQ(to_string(LazyInstanceNorm2d()),
            "LazyInstanceNorm2d(0, eps=1e-05, momentum=0.1, affine=True, bias=True, "
            "track_running_stats=True)");
}

TEST(Lazy, EveryKindLearns) {
  const auto learns = [](auto layer, const Shape& shape, const std::string& printed) {
    layer.to(DType::f64);
    layer.requires_grad_(false);
    const auto copy = layer;
    copy(zeros(shape, DType::f64));
    EXPECT_EQ(to_string(copy), printed);
    EXPECT_TRUE(to_string(layer).starts_with("Lazy"));  // the copy has slots of its own
    for (const NamedSlot& p : copy.parameters()) {
      EXPECT_EQ(p.slot->dtype(), DType::f64);
      EXPECT_FALSE(p.slot->trainable());
    }
    check_members(copy);
    check_members(layer);
    layer = copy;
    EXPECT_EQ(to_string(layer), printed);
  };
  learns(LazyLinear(2), {3, 4}, to_string(Linear(4, 2)));
  learns(LazyConv1d(2, 3), {1, 4, 5}, to_string(Conv1d(4, 2, 3)));
  learns(LazyConv2d(2, 3, {.groups = 2}), {4, 5, 5}, to_string(Conv2d(4, 2, 3, {.groups = 2})));
  learns(LazyConv3d(2, 3), {1, 4, 5, 5, 5}, to_string(Conv3d(4, 2, 3)));
  learns(LazyConvTranspose1d(2, 3), {1, 4, 5}, to_string(ConvTranspose1d(4, 2, 3)));
  learns(LazyConvTranspose2d(2, 3), {1, 4, 5, 5}, to_string(ConvTranspose2d(4, 2, 3)));
  learns(LazyConvTranspose3d(2, 3), {4, 2, 2, 2}, to_string(ConvTranspose3d(4, 2, 3)));
  learns(LazyBatchNorm1d(), {3, 4}, to_string(BatchNorm1d(4)));
  learns(LazyBatchNorm2d(), {3, 4, 2, 2}, to_string(BatchNorm2d(4)));
  learns(LazyBatchNorm3d(), {3, 4, 2, 2, 2}, to_string(BatchNorm3d(4)));
  learns(LazyInstanceNorm1d(), {4, 3}, to_string(InstanceNorm1d(4, kLazyInstanceNormOptions)));
  learns(LazyInstanceNorm2d(), {3, 4, 2, 2},
         to_string(InstanceNorm2d(4, kLazyInstanceNormOptions)));
  learns(LazyInstanceNorm3d(), {3, 4, 2, 2, 2},
         to_string(InstanceNorm3d(4, kLazyInstanceNormOptions)));
}

TEST(Lazy, NobodyIsGivenParametersWithoutValues) {
  const std::string why =
      "\"0.weight\" of Sequential is not known yet; expected a call of the model, or "
      "materialize(model, example), before its parameters are handed out, such as to an optimizer";
  Sequential net = lazy_net();
  EXPECT_EQ(message_of<Error>([&] { net.parameters(); }), "parameters: the size of " + why);
  EXPECT_EQ(message_of<Error>([&] { net.state_dict(); }), "state_dict: the size of " + why);
  EXPECT_EQ(message_of<Error>([&] { net.buffers(); }).substr(0, 37),
            "buffers: the size of \"1.running_mean\"");
  EXPECT_EQ(message_of<Error>([&] { LazyLinear(2).weight.value(); }),
            "Parameter: its size is not known yet; call the model once, or materialize(model, "
            "example)");
  net.zero_grad();
  check_members(net);
}

TEST(Lazy, AStateBringsTheSizes) {
  const Tensor x = numeric::random({2, 3, 4, 4}, 1, DType::f32);
  Sequential sized = sized_net(), net = lazy_net();
  EXPECT_TRUE(net.load_state_dict(sized.state_dict()).ok());
  sized.eval();
  net.eval();
  numeric::expect_same_bits(net(x), sized(x));
  Linear wrong = LazyLinear(2);
  EXPECT_EQ(message_of<Error>([&] {
              wrong.load_state_dict({{"weight", zeros({3, 4})}, {"bias", zeros({2})}});
            }),
            "load_state_dict: the state does not fit LazyLinear: mismatched: weight: shape (3, 4); "
            "expected (2, ?); nothing was loaded");
}

}  // namespace
}  // namespace adjoint::nn
