// Layers that are made of others against PyTorch (tests/golden/nn_layers.py): outputs, every
// gradient, names and shapes. The others are in the module table (tests/nn/modules).
#include <adjoint/core/activations.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/position.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/nn/transformer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <string>

#include "tests/core/numeric.h"
#include "tests/nn/golden_cases.h"

namespace adjoint::nn {
namespace {

using numeric::expect_close;
using numeric::message_of;

constexpr int64_t kWidth = 6, kHeads = 2, kHidden = 8;

const GoldenCases& cases() {
  static const GoldenCases all("nn_layers");
  return all;
}

const std::map<std::string, Tensor>& golden() { return cases().all(); }
std::string metadata(const std::string& key) { return cases().metadata(key); }
template <class M, class F>
void expect_case(const std::string& family, const std::string& name, const M& fresh,
                 const F& call) {
  cases().expect_case(family, name, fresh, call);
}
void expect_state_names(const std::string& family, const ModuleBase& model) {
  cases().expect_state_names(family, model);
}

template <class M>
void expect_simple(const std::string& name, const M& model) {
  expect_state_names(name, model);
  expect_case(name, name, model,
              [](const M& m, const Inputs& in) { return std::vector<Tensor>{m(in["x"])}; });
}

// The sum of a residual connection and its norm, as the two operators give them; and a hook sees
// the call.
TEST(Layers, LayerNormAdds) {
  LayerNorm norm(6);
  const Tensor x = randn({2, 3, 6}), residual = randn({2, 3, 6});
  const Tensor expected = norm(x + residual);
  const auto same = [&] {
    const auto [sum, normalized] = norm.add(x, residual);
    EXPECT_EQ(sum.to_vector<float>(), (x + residual).to_vector<float>());
    EXPECT_EQ(normalized.to_vector<float>(), expected.to_vector<float>());
  };
  same();
  int calls = 0;
  const HookHandle handle = norm.register_forward_hook(
      [&](const ModuleBase&, const std::vector<Tensor>&, std::vector<Tensor>&) { ++calls; });
  same();
  EXPECT_EQ(calls, 1);
}

TEST(Layers, ActivationByName) {
  const Tensor x = golden().at("gelu/in/x");
  for (const auto& [kind, text] : {std::pair{Activation::relu, "relu"},
                                   {Activation::gelu, "gelu"},
                                   {Activation::gelu_tanh, "gelu_tanh"},
                                   {Activation::silu, "silu"}}) {
    EXPECT_STREQ(name(kind), text);
    const std::string from = text;
    expect_close(activate(golden().at(from + "/in/x"), kind), golden().at(from + "/out/0"),
                 golden_tolerance(DType::f64), text);
  }
}

TEST(Layers, FeedForward) {
  for (const auto& [kind, text] :
       {std::pair{Activation::relu, "relu"}, {Activation::gelu, "gelu"}}) {
    expect_simple(std::string("feed_forward_") + text,
                  FeedForward(kWidth, kHidden, {.activation = kind}));
  }
}

// One operator where nobody looks in between, two where a hook does; the same result.
TEST(Layers, LinearActivated) {
  Linear model(3, 5);
  const Tensor x = randn({4, 3});
  const std::vector<double> expected = numeric::values(gelu(linear(x, model.weight, model.bias)));
  EXPECT_EQ(numeric::values(model.activated(x, Activation::gelu)), expected);
  std::vector<double> seen;
  const HookHandle handle =
      model.register_forward_hook([&](const ModuleBase&, const auto&, std::vector<Tensor>& out) {
        seen = numeric::values(out[0]);
      });
  EXPECT_EQ(numeric::values(model.activated(x, Activation::gelu)), expected);
  EXPECT_EQ(seen, numeric::values(linear(x, model.weight, model.bias)));
}

// --- attention ---

using Attention = MultiHeadAttention;

void expect_attention(const std::string& name, const MultiHeadAttentionForwardOptions& fixed = {}) {
  expect_case("mha", name, Attention(kWidth, kHeads), [&](const Attention& m, const Inputs& in) {
    MultiHeadAttentionForwardOptions options = fixed;
    options.attn_mask = in["mask"];
    options.key_padding_mask = in["p"];
    return std::vector<Tensor>{m(in["x"], options)};
  });
}

TEST(Attention, NamesAndShapesArePyTorchs) {
  expect_state_names("mha", Attention(kWidth, kHeads));
  expect_state_names("cross", Attention(kWidth, kHeads, {.kdim = 5, .vdim = 3}));
  expect_state_names("mha_no_bias", Attention(kWidth, kHeads, {.bias = false}));
}

TEST(Attention, OfItself) {
  expect_attention("mha/plain");
  expect_attention("mha/unbatched");
  expect_case("mha_no_bias", "mha_no_bias/plain", Attention(kWidth, kHeads, {.bias = false}),
              [](const Attention& m, const Inputs& in) { return std::vector<Tensor>{m(in["x"])}; });
}

TEST(Attention, Masks) {
  expect_attention("mha/causal", {.is_causal = true});
  expect_attention("mha/bool_mask");
  expect_attention("mha/float_mask");
  expect_attention("mha/padding");
  expect_attention("mha/padding_causal", {.is_causal = true});
  expect_attention("mha/padding_float");
}

TEST(Attention, AMaskForEachHead) {
  // PyTorch has (B heads, L, S), this library (B, heads, L, S).
  expect_case("mha", "mha/head_mask", Attention(kWidth, kHeads),
              [](const Attention& m, const Inputs& in) {
                return std::vector<Tensor>{
                    m(in["x"], {.attn_mask = in["mask"].reshape({2, kHeads, 3, 3})})};
              });
}

TEST(Attention, MasksCombineAndBroadcast) {
  // A mask of a batch, of every head alike and of one batch are the same mask written out.
  Attention m(kWidth, kHeads);
  m.to(DType::f64);
  const Tensor x = numeric::random({2, 3, kWidth}, 1);
  const Tensor mask = numeric::random({2, 3, 3}, 2);
  const Tensor full = expand(unsqueeze(mask, 1), {2, kHeads, 3, 3}).contiguous();
  const Tensor expected = m(x, {.attn_mask = full});
  expect_close(m(x, {.attn_mask = mask}), expected, 1e-15);
  expect_close(m(x, {.attn_mask = unsqueeze(mask, 1)}), expected, 1e-15);
  const Tensor one = slice(mask, 0, 0, 1);
  expect_close(m(x, {.attn_mask = unsqueeze(one, 1)}), m(x, {.attn_mask = select(mask, 0, 0)}),
               1e-15);
}

TEST(Attention, Weights) {
  for (const bool average : {true, false}) {
    expect_case("mha", average ? "mha/weights" : "mha/head_weights", Attention(kWidth, kHeads),
                [&](const Attention& m, const Inputs& in) {
                  Tensor weights;
                  const Tensor y =
                      m(in["x"],
                        {.is_causal = true, .weights = &weights, .average_weights = average});
                  return std::vector<Tensor>{y, weights};
                });
  }
}

TEST(Attention, OneSequenceIsABatchOfOne) {
  const Attention m(kWidth, kHeads);
  const Tensor q = numeric::random({3, kWidth}, 1, DType::f32);
  const Tensor k = numeric::random({4, kWidth}, 2, DType::f32);
  const Tensor padding = tensor<int64_t>({0, 0, 1, 0}).to(DType::boolean);
  const Tensor mask = numeric::random({1, kHeads, 3, 4}, 3, DType::f32);
  const Tensor q1 = unsqueeze(q, 0), k1 = unsqueeze(k, 0);
  const Tensor expected =
      m(q1, k1, k1, {.attn_mask = mask, .key_padding_mask = unsqueeze(padding, 0)});
  for (const Tensor& p : {padding, unsqueeze(padding, 0)}) {
    numeric::expect_same_bits(m(q, k, k, {.attn_mask = mask, .key_padding_mask = p}),
                              squeeze(expected, 0));
  }
}

TEST(Attention, WeightsOfOneSequence) {
  const Attention m(kWidth, kHeads);
  const Tensor x = numeric::random({3, kWidth}, 1, DType::f32);
  Tensor weights, batched;
  const Tensor y = m(x, {.weights = &weights});
  const Tensor z = m(unsqueeze(x, 0), {.weights = &batched});
  EXPECT_EQ(weights.shape(), (Shape{3, 3}));
  numeric::expect_same_bits(y, squeeze(z, 0));
  numeric::expect_same_bits(weights, squeeze(batched, 0));
  expect_close(sum(weights, {-1}), ones({3}), 1e-6);
}

TEST(Attention, OfOthers) {
  const auto plain = [](const Attention& m, const Inputs& in) {
    return std::vector<Tensor>{m(in["q"], in["k"], in["v"])};
  };
  const Attention other(kWidth, kHeads, {.kdim = 5, .vdim = 3});
  expect_case("mha", "mha/cross", Attention(kWidth, kHeads), plain);
  expect_case("cross", "cross/plain", other, plain);
  expect_case("mha", "mha/memory", Attention(kWidth, kHeads),
              [](const Attention& m, const Inputs& in) {
                return std::vector<Tensor>{m(in["q"], in["k"], in["k"])};
              });
  expect_case("cross", "cross/padding_weights", other, [](const Attention& m, const Inputs& in) {
    Tensor weights;
    const Tensor y =
        m(in["q"], in["k"], in["v"], {.key_padding_mask = in["p"], .weights = &weights});
    return std::vector<Tensor>{y, weights};
  });
}

TEST(Attention, AQueryWithoutKeysGivesTheBias) {
  Attention m(kWidth, kHeads);
  m.to(DType::f64);
  m.out_proj.bias.set_data(numeric::random({kWidth}, 4));
  const Tensor x = numeric::random({1, 2, kWidth}, 5).requires_grad_();
  const Tensor hidden = tensor<int64_t>({0, 0, 1, 1}, {2, 2}).to(DType::boolean);
  const Tensor minus = where(hidden, -INFINITY, zeros({2, 2}, DType::f64));
  for (const Tensor& mask : {hidden, minus}) {
    for (const bool wanted : {false, true}) {
      Tensor weights;
      x.zero_grad();
      const Tensor y = m(x, {.attn_mask = mask, .weights = wanted ? &weights : nullptr});
      expect_close(select(select(y, 0, 0), 0, 1), m.out_proj.bias, 0);
      y.sum().backward();
      EXPECT_TRUE(all_finite(x.grad()));
      EXPECT_TRUE(all_finite(m.in_proj_weight.grad()));
      if (!wanted) continue;
      EXPECT_EQ(max(abs(select(select(weights, 0, 0), 0, 1))).item(), 0);
    }
  }
}

TEST(Attention, GradientsByDifferences) {
  Attention m(4, 2);
  m.to(DType::f64);
  const Tensor hidden = tensor<int64_t>({0, 0, 1, 0, 0, 0}, {2, 3}).to(DType::boolean);
  for (const bool weights : {false, true}) {
    numeric::expect_gradients(
        [&](const std::vector<Tensor>& in) {
          Tensor w;
          const Tensor y = m(in[0], in[1], in[1],
                             {.attn_mask = in[2],
                              .key_padding_mask = hidden,
                              .is_causal = true,
                              .weights = weights ? &w : nullptr});
          return weights ? y + sum(square(w)) : y;
        },
        {numeric::random({2, 3, 4}, 1), numeric::random({2, 3, 4}, 2),
         numeric::random({2, 3, 3}, 3)});
  }
}

TEST(Attention, DropoutIsOfTheWeightsAndOnlyInTraining) {
  Attention m(kWidth, kHeads, {.dropout = 0.5});
  const Tensor x = numeric::random({4, 16, kWidth}, 1, DType::f32);
  Tensor weights;
  m.eval();
  const Tensor kept = m(x, {.weights = &weights, .average_weights = false});
  EXPECT_EQ(sum(eq(weights, 0)).item(), 0);
  expect_close(m(x), kept, 2e-6);
  m.train();
  const Tensor before = weights;
  manual_seed(3);
  const Tensor dropped = m(x, {.weights = &weights, .average_weights = false});
  // Each is kept with probability 1/2, doubled; 2048 of them: 6 deviations are 136.
  EXPECT_NEAR(sum(eq(weights, 0)).item(), 1024, 136);
  expect_close(where(eq(weights, 0), 0.0, before) * 2.0, weights, 1e-6);
  manual_seed(3);
  numeric::expect_same_bits(m(x, {.weights = &weights, .average_weights = false}), dropped);
}

TEST(Attention, ErrorsSayWhatWasExpected) {
  const Attention m(kWidth, kHeads);
  const Tensor x = zeros({2, 3, kWidth});
  EXPECT_EQ(message_of<ConfigError>([] { Attention(6, 4); }),
            "MultiHeadAttention: embed_dim 6 with 4 heads; expected a multiple of the heads");
  EXPECT_EQ(message_of<ConfigError>([] { Attention(6, 2, {.dropout = 1.5}); }),
            "MultiHeadAttention: dropout 1.5; expected it in [0, 1]");
  EXPECT_EQ(message_of<ShapeError>([&] {
              m(x, zeros({2, 4, 5}), zeros({2, 4, 6}));
            }),
            "MultiHeadAttention: query (2, 3, 6), key (2, 4, 5), value (2, 4, 6); expected "
            "(B, L, 6), (B, S, 6), (B, S, 6), or all of them without B "
            "(in module MultiHeadAttention)");
  EXPECT_EQ(message_of<ShapeError>([&] {
              m(x, {.attn_mask = zeros({3, 3, 3})});
            }),
            "MultiHeadAttention: attn_mask of shape (3, 3, 3); expected (3, 3), (2, 3, 3) or "
            "(2, 2, 3, 3) (in module MultiHeadAttention)");
  EXPECT_EQ(message_of<DTypeError>([&] {
              m(x, {.attn_mask = zeros({3, 3}, DType::i64)});
            }),
            "MultiHeadAttention: attn_mask of dtype i64; expected bool or a floating dtype "
            "(in module MultiHeadAttention)");
  EXPECT_EQ(message_of<ShapeError>([&] {
              m(x, {.key_padding_mask = zeros({2, 4}, DType::boolean)});
            }),
            "MultiHeadAttention: key_padding_mask of shape (2, 4); expected (2, 3) "
            "(in module MultiHeadAttention)");
  EXPECT_EQ(message_of<DTypeError>([&] {
              m(x, {.key_padding_mask = zeros({2, 3}, DType::i64)});
            }),
            "MultiHeadAttention: key_padding_mask of dtype i64; expected bool, true for keys to "
            "ignore, or a floating dtype (in module MultiHeadAttention)");
}

// --- Transformer blocks ---

TEST(TransformerBlock, IsPyTorchsEncoderLayer) {
  for (const bool norm_first : {false, true}) {
    for (const auto& [kind, text] :
         {std::pair{Activation::relu, "relu"}, {Activation::gelu, "gelu"}}) {
      const std::string family = std::string("block_") + (norm_first ? "pre_" : "post_") + text;
      const TransformerBlock block(kWidth, kHeads,
                                   {.dim_feedforward = kHidden,
                                    .dropout = 0.0,
                                    .activation = kind,
                                    .norm_first = norm_first});
      expect_state_names(family, block);
      expect_case(family, family + "/plain", block,
                  [](const TransformerBlock& m, const Inputs& in) {
                    return std::vector<Tensor>{m(in["x"])};
                  });
    }
  }
  const TransformerBlock block(
      kWidth, kHeads,
      {.dim_feedforward = kHidden, .dropout = 0.0, .layer_norm_eps = 1e-3, .bias = false});
  expect_state_names("block_no_bias", block);
  expect_case(
      "block_no_bias", "block_no_bias/plain", block,
      [](const TransformerBlock& m, const Inputs& in) { return std::vector<Tensor>{m(in["x"])}; });
}

TEST(TransformerBlock, CausalByMaskByCallAndByOption) {
  TransformerBlockOptions options{.dim_feedforward = kHidden,
                                  .dropout = 0.0,
                                  .activation = Activation::gelu,
                                  .norm_first = true};
  const std::string family = "block_pre_gelu", name = family + "/masked";
  expect_case(
      family, name, TransformerBlock(kWidth, kHeads, options),
      [](const TransformerBlock& m, const Inputs& in) {
        const Tensor mask = triu(ones({3, 3}), 1).to(DType::boolean);
        return std::vector<Tensor>{m(in["x"], {.src_mask = mask, .src_key_padding_mask = in["p"]})};
      });
  expect_case(family, name, TransformerBlock(kWidth, kHeads, options),
              [](const TransformerBlock& m, const Inputs& in) {
                return std::vector<Tensor>{
                    m(in["x"], {.src_key_padding_mask = in["p"], .is_causal = true})};
              });
  options.causal = true;
  expect_case(family, name, TransformerBlock(kWidth, kHeads, options),
              [](const TransformerBlock& m, const Inputs& in) {
                return std::vector<Tensor>{m(in["x"], {.src_key_padding_mask = in["p"]})};
              });
}

TEST(TransformerBlock, DropsOnlyInTraining) {
  TransformerBlock block(kWidth, kHeads, {.dim_feedforward = kHidden, .dropout = 0.4});
  const Tensor x = numeric::random({2, 3, kWidth}, 1, DType::f32);
  manual_seed(1);
  const Tensor a = block(x), b = block(x);
  EXPECT_GT(max(abs(a - b)).item(), 1e-3);
  manual_seed(1);
  numeric::expect_same_bits(block(x), a);
  block.eval();
  numeric::expect_same_bits(block(x), block(x));
}

// --- positions ---

TEST(Positions, SinusoidsFollowTheFormula) {
  for (const int64_t width : {6, 7}) {
    const SinusoidalPositionalEncoding encoding(width, {.max_len = 50});
    const Tensor y = encoding(zeros({2, 40, width}), {.offset = 10});
    const std::vector<double> got = numeric::values(y);
    for (int64_t b = 0; b < 2; ++b) {
      for (int64_t t = 0; t < 40; ++t) {
        for (int64_t c = 0; c < width; ++c) {
          const int64_t i = c / 2;
          const double angle =
              static_cast<double>(t + 10) /
              std::pow(10000.0, 2.0 * static_cast<double>(i) / static_cast<double>(width));
          const double expected = c % 2 == 0 ? std::sin(angle) : std::cos(angle);
          const size_t at = static_cast<size_t>((b * 40 + t) * width + c);
          ASSERT_NEAR(got[at], expected, 6e-8) << t << ", " << c;  // rounded to f32
        }
      }
    }
  }
}

TEST(Positions, SinusoidsAreNoStateAndPassGradients) {
  SinusoidalPositionalEncoding encoding(4, {.max_len = 8});
  EXPECT_TRUE(encoding.state_dict().tensors.empty());
  EXPECT_TRUE(encoding.parameters().empty());
  EXPECT_EQ(encoding.buffers().size(), 1u);
  encoding.to(DType::f64);
  EXPECT_EQ(encoding(zeros({8, 4}, DType::f64)).dtype(), DType::f64);
  const Tensor x = zeros({2, 3, 4}, DType::f64).requires_grad_();
  encoding(x).sum().backward();
  expect_close(x.grad(), ones({2, 3, 4}), 0);
}

TEST(Positions, LearnedOnesAreRows) {
  LearnedPositionalEmbedding positions(4, {.max_len = 6});
  const Tensor x = numeric::random({2, 3, 4}, 1, DType::f32);
  const Tensor y = positions(x, {.offset = 2});
  expect_close(y, x + slice(positions.weight, 0, 2, 5), 0);
  y.sum().backward();
  Tensor expected = zeros({6, 4});
  fill_(slice(expected, 0, 2, 5), 2.0);  // each row serves two sequences
  expect_close(positions.weight.grad(), expected, 0);
  EXPECT_EQ(positions.parameters()[0].name, "weight");
}

TEST(Positions, ErrorsNameLengthAndLimit) {
  const LearnedPositionalEmbedding positions(4, {.max_len = 6});
  EXPECT_EQ(message_of<ShapeError>([&] {
              positions(zeros({1, 5, 4}), {.offset = 2});
            }),
            "LearnedPositionalEmbedding: length 5 from position 2; expected to end at 6 (max_len) "
            "or before (in module LearnedPositionalEmbedding)");
  EXPECT_EQ(message_of<ShapeError>([&] {
              positions(zeros({1, 5, 3}));
            }),
            "LearnedPositionalEmbedding: input of shape (1, 5, 3); expected (..., length, 4) "
            "(in module LearnedPositionalEmbedding)");
  const SinusoidalPositionalEncoding encoding(4, {.max_len = 6});
  EXPECT_EQ(message_of<ShapeError>([&] {
              encoding(zeros({7, 4}));
            }),
            "SinusoidalPositionalEncoding: length 7 from position 0; expected to end at 6 "
            "(max_len) or before (in module SinusoidalPositionalEncoding)");
  EXPECT_EQ(message_of<ConfigError>([] { SinusoidalPositionalEncoding(0); }),
            "SinusoidalPositionalEncoding: d_model 0, max_len 5000; expected 1 or more");
}

// --- printing ---

struct Tower : Module<Tower> {
  Embedding embed{5, 3};
  std::vector<Linear> layers{Linear(3, 3), Linear(3, 3), Linear(3, 1)};
  Tensor forward(const Tensor& ids) const { return layers[0](embed(ids)); }
  void members(Visitor& v) override {
    v("embed", embed);
    v("layers", layers);
  }
};

struct Described : Module<Described> {
  Linear inner{3, 3};
  Tensor forward(const Tensor& x) const { return inner(x); }
  void members(Visitor& v) override { v("inner", inner); }
  std::string describe() const override { return "scale=2"; }
};

TEST(Printing, IsPyTorchs) {
  const Sequential mlp(Linear(4, 8), GELU(Gelu::tanh), Dropout(0.25), LayerNorm(8, {.bias = false}),
                       Sequential(Linear(8, 2, {.bias = false}), ReLU()), Softmax(-1));
  EXPECT_EQ(to_string(mlp), metadata("print:mlp"));
  EXPECT_EQ(to_string(Embedding(5, 3, {.padding_idx = 1})), metadata("print:embedding"));
  EXPECT_EQ(to_string(LayerNorm(Shape{3, 4}, {.eps = 1e-6})), metadata("print:layer_norm"));
  EXPECT_EQ(to_string(LayerNorm(3, {.elementwise_affine = false})),
            metadata("print:layer_norm_plain"));
  EXPECT_EQ(to_string(RMSNorm(3)), metadata("print:rms_norm"));
  EXPECT_EQ(to_string(RMSNorm(Shape{3, 4}, {.eps = 1e-6, .elementwise_affine = false})),
            metadata("print:rms_norm_plain"));
  EXPECT_EQ(to_string(Tower()), metadata("print:tower"));
  EXPECT_EQ(to_string(Described()), metadata("print:described"));
  std::ostringstream out;
  out << Linear(2, 1);
  EXPECT_EQ(out.str(), "Linear(in_features=2, out_features=1, bias=True)");
}

}  // namespace
}  // namespace adjoint::nn
