// Attention and Transformers against PyTorch (tests/golden/nn_structure.py), and decoding from
// caches.
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/containers.h>
#include <adjoint/nn/transformer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/core/numeric.h"
#include "tests/nn/golden_cases.h"

namespace adjoint::nn {
namespace {

using numeric::expect_close;
using numeric::message_of;
using Outputs = std::vector<Tensor>;

constexpr int64_t kWidth = 6, kHeads = 2, kHidden = 8;

const GoldenCases& cases() {
  static const GoldenCases all("nn_structure");
  return all;
}

Tensor causal_mask(int64_t size) { return triu(ones({size, size}), 1).to(DType::boolean); }

// --- attention ---

TEST(Attention, BatchSecond) {
  const MultiHeadAttention attn(kWidth, kHeads, {.batch_first = false});
  cases().expect_state_names("mha_seq", attn);
  cases().expect_case("mha_seq", "mha_seq/cross", attn,
                      [](const MultiHeadAttention& m, const Inputs& in) {
                        return Outputs{m(in["q"], in["k"], in["k"])};
                      });
  cases().expect_case("mha_seq", "mha_seq/weights", attn,
                      [](const MultiHeadAttention& m, const Inputs& in) {
                        Tensor weights;
                        const Tensor y = m(in["q"], {.weights = &weights});
                        return Outputs{y, weights};
                      });
  EXPECT_EQ(message_of<ShapeError>([&] {
              attn(zeros({3, 2, 6}), zeros({4, 1, 6}), zeros({4, 2, 6}));
            }),
            "MultiHeadAttention: query (3, 2, 6), key (4, 1, 6), value (4, 2, 6); expected (L, B, "
            "6), (S, B, 6), (S, B, 6), or all of them without B (in module MultiHeadAttention)");
}

TEST(Attention, KeysThatStandNowhere) {
  const MultiHeadAttention attn(kWidth, kHeads, {.add_bias_kv = true, .add_zero_attn = true});
  cases().expect_state_names("mha_more", attn);
  cases().expect_case("mha_more", "mha_more/masked", attn,
                      [](const MultiHeadAttention& m, const Inputs& in) {
                        Tensor weights;
                        const Tensor y = m(in["q"], in["k"], in["k"],
                                           {.attn_mask = in["m"],
                                            .key_padding_mask = in["p"],
                                            .weights = &weights,
                                            .average_weights = false});
                        return Outputs{y, weights};
                      });
  cases().expect_case(
      "mha_more", "mha_more/plain", attn,
      [](const MultiHeadAttention& m, const Inputs& in) { return Outputs{m(in["q"])}; });
  EXPECT_THROW(MultiHeadAttention(4, 2, {.add_zero_attn = true, .alibi = true}), ConfigError);
}

// The fused operator, whose weights nobody sees, and the definition that keeps them.
TEST(Attention, GroupsRotaryAlibiAndWindows) {
  const struct {
    std::string name;
    MultiHeadAttentionOptions options;
    bool causal = false;
  } rows[] = {
      {"plain", {.num_kv_heads = 2}},
      {"halves",
       {.num_kv_heads = 2, .rotary = RotaryEmbeddingOptions{.base = 100, .max_len = 8}},
       true},
      {"pairs",
       {.num_kv_heads = 2,
        .rotary = RotaryEmbeddingOptions{.base = 100, .interleaved = true, .max_len = 5}}},
      {"alibi", {.num_kv_heads = 2, .alibi = true}, true},
      {"window", {.num_kv_heads = 2, .window = {1, 1}}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const std::string name = "grouped/" + row.name;
    const MultiHeadAttention attn(16, 4, row.options);
    cases().expect_state_names("grouped", attn);
    cases().expect_case(
        "grouped", name, attn, [&row](const MultiHeadAttention& m, const Inputs& in) {
          Tensor weights;
          const Tensor y =
              m(in["x"], {.is_causal = row.causal, .weights = &weights, .average_weights = false});
          return Outputs{y, weights};
        });
    MultiHeadAttention m = attn;
    m.to(DType::f64);
    m.load_state_dict(cases().below("grouped/weight"));
    const Inputs in(cases().below(name + "/in"), DType::f64);
    const auto gradient = [&](Tensor* weights) {
      m.zero_grad();
      const Tensor y = m(in["x"], {.is_causal = row.causal, .weights = weights});
      expect_close(y, cases().all().at(name + "/out/0"), golden_tolerance(DType::f64), "output");
      sum(y * cases().all().at(name + "/dy/0")).backward();
      return m.in_proj_weight.grad();
    };
    Tensor kept;
    const Tensor fused = gradient(nullptr).clone();
    expect_close(fused, gradient(&kept), golden_tolerance(DType::f64), "gradient");
  }
  EXPECT_EQ(message_of<ConfigError>([] { MultiHeadAttention(16, 4, {.num_kv_heads = 3}); }),
            "MultiHeadAttention: 4 heads with num_kv_heads 3; expected a number that divides them");
}

TEST(Attention, MasksOfHeadsAndFloatPadding) {
  MultiHeadAttention attn(kWidth, kHeads);
  const Tensor x = numeric::random({2, 3, kWidth}, 3, DType::f32);
  const Tensor mask = numeric::random({4, 3, 3}, 4, DType::f32);
  // PyTorch's form, one mask after the other for each head of each item.
  numeric::expect_same_bits(attn(x, {.attn_mask = mask}),
                            attn(x, {.attn_mask = reshape(mask, {2, 2, 3, 3})}));
  const Tensor padding = tensor<bool>({{false, false, true}, {false, true, true}});
  const Tensor never = where(padding, -INFINITY, zeros({2, 3}));
  expect_close(attn(x, {.key_padding_mask = never}), attn(x, {.key_padding_mask = padding}), 1e-6);
}

TEST(Attention, DecodesFromACacheWhatItComputesAtOnce) {
  const MultiHeadAttentionOptions all[] = {
      {},
      {.num_kv_heads = 1, .rotary = RotaryEmbeddingOptions{.max_len = 7}},
      {.alibi = true, .window = {2, 0}},
      {.batch_first = false},
  };
  const NoGrad no_grad;
  for (const MultiHeadAttentionOptions& options : all) {
    const MultiHeadAttention attn(8, 2, options);
    const int time = options.batch_first ? 1 : 0;
    const Tensor x =
        numeric::random(options.batch_first ? Shape{2, 7, 8} : Shape{7, 2, 8}, 1, DType::f32);
    const Tensor expected = attn(x, {.is_causal = true});
    AttentionCache cache = attn.make_cache(2, 7);
    std::vector<Tensor> parts;
    for (const auto& [from, to] : {std::pair{0, 3}, {3, 4}, {4, 5}, {5, 7}}) {
      parts.push_back(attn(slice(x, time, from, to), {.is_causal = true, .cache = &cache}));
    }
    EXPECT_EQ(cache.length, 7);
    expect_close(cat(parts, time), expected, 1e-6);
    Tensor weights;
    cache.length = 4;  // goes back
    attn(slice(x, time, 4, 6), {.is_causal = true, .weights = &weights, .cache = &cache});
    EXPECT_EQ(weights.shape(), (Shape{2, 2, 6}));
    EXPECT_EQ(weights.select(1, 0).select(1, 5).to_vector<float>(), (std::vector<float>{0, 0}));
    EXPECT_THROW(attn(slice(x, time, 0, 2), {.cache = &cache}), ShapeError);
  }
}

TEST(Attention, ACacheIsNotForTraining) {
  const MultiHeadAttention attn(8, 2);
  AttentionCache cache = attn.make_cache(1, 4);
  EXPECT_EQ(
      message_of<AutogradError>([&] {
        attn(zeros({1, 2, 8}), {.cache = &cache});
      }),
      "MultiHeadAttention: a cache while gradients are recorded, which cannot flow through it; "
      "expected NoGrad (in module MultiHeadAttention)");
  const NoGrad no_grad;
  EXPECT_EQ(message_of<ShapeError>([&] {
              attn(zeros({1, 5, 8}), {.cache = &cache});
            }),
            "MultiHeadAttention: 5 tokens behind 0 of a cache of shape (1, 2, 4, 4); expected it "
            "from make_cache(1, 5 or more) (in module MultiHeadAttention)");
}

TEST(Rotary, TablesStayExactAndAreNoState) {
  RotaryEmbedding rotary(4, {.max_len = 6});
  EXPECT_TRUE(rotary.buffers().empty());
  const Tensor x = numeric::random({2, 3, 6}, 1);
  const Tensor y = rotary(x, {.offset = 2});
  expect_close(y, rotary(x, {.positions = tensor<int64_t>({2, 3, 4})}), 0);
  const double angle = 3 * std::pow(10000.0, -0.5);  // row 1, the second pair: elements 1 and 3
  const std::vector<double> in = x.select(0, 0).select(0, 1).to_vector<double>();
  const std::vector<double> got = y.select(0, 0).select(0, 1).to_vector<double>();
  EXPECT_NEAR(got[1], in[1] * std::cos(angle) - in[3] * std::sin(angle), 1e-15);
  EXPECT_NEAR(got[3], in[3] * std::cos(angle) + in[1] * std::sin(angle), 1e-15);
  EXPECT_EQ(got[5], in[5]);
  rotary.to(DType::bf16);
  expect_close(rotary(x.to(DType::f32), {.offset = 2}), y, 1e-6);
  EXPECT_THROW(rotary(x, {.offset = 4}), IndexError);
  EXPECT_THROW(RotaryEmbedding(3), ConfigError);
}

// --- layers and stacks ---

TEST(Transformers, DecoderLayers) {
  for (const bool norm_first : {false, true}) {
    const std::string family = norm_first ? "decoder_layer_pre" : "decoder_layer_post";
    const TransformerDecoderLayer layer(kWidth, kHeads,
                                        {.dim_feedforward = kHidden,
                                         .dropout = 0,
                                         .activation = Activation::gelu,
                                         .norm_first = norm_first,
                                         .bias = !norm_first});
    cases().expect_state_names(family, layer);
    cases().expect_case(
        family, family + "/masked", layer, [](const TransformerDecoderLayer& m, const Inputs& in) {
          return Outputs{m(in["t"], in["m"],
                           {.tgt_mask = causal_mask(3), .memory_key_padding_mask = in["p"]})};
        });
    cases().expect_case(
        family, family + "/masked", layer, [](const TransformerDecoderLayer& m, const Inputs& in) {
          return Outputs{
              m(in["t"], in["m"], {.memory_key_padding_mask = in["p"], .tgt_is_causal = true})};
        });
  }
}

TEST(Transformers, AnyFunctionAndBatchSecond) {
  const TransformerEncoderLayer layer(kWidth, kHeads,
                                      {.dim_feedforward = kHidden,
                                       .dropout = 0,
                                       .activation = [](const Tensor& x) { return mish(x); },
                                       .layer_norm_eps = 1e-3,
                                       .batch_first = false});
  cases().expect_case(
      "encoder_layer_mish", "encoder_layer_mish/plain", layer,
      [](const TransformerEncoderLayer& m, const Inputs& in) { return Outputs{m(in["x"])}; });
}

TEST(Transformers, EncoderAndBoth) {
  const TransformerEncoder encoder(
      TransformerEncoderLayer(kWidth, kHeads, {.dim_feedforward = kHidden, .dropout = 0}), 2,
      LayerNorm(kWidth));
  cases().expect_state_names("encoder", encoder);
  cases().expect_case(
      "encoder", "encoder/masked", encoder, [](const TransformerEncoder& m, const Inputs& in) {
        return Outputs{m(
            in["x"], {.mask = causal_mask(4), .src_key_padding_mask = in["p"], .is_causal = true})};
      });
  const Transformer both(kWidth, kHeads,
                         {.num_encoder_layers = 1,
                          .num_decoder_layers = 2,
                          .layer = {.dim_feedforward = kHidden,
                                    .dropout = 0,
                                    .activation = Activation::gelu,
                                    .norm_first = true}});
  cases().expect_state_names("transformer", both);
  cases().expect_case(
      "transformer", "transformer/masked", both, [](const Transformer& m, const Inputs& in) {
        const Tensor mask = Transformer::generate_square_subsequent_mask(3, in["t"].dtype());
        return Outputs{m(in["s"], in["t"],
                         {.tgt_mask = mask,
                          .src_key_padding_mask = in["p"],
                          .memory_key_padding_mask = in["p"]})};
      });
  EXPECT_EQ(Transformer::generate_square_subsequent_mask(2).to_vector<float>(),
            (std::vector<float>{0, -INFINITY, 0, 0}));
}

TEST(Transformers, SwiGlu) {
  cases().expect_state_names("swiglu", SwiGLU(4, 6));
  cases().expect_case("swiglu", "swiglu/plain", SwiGLU(4, 6),
                      [](const SwiGLU& m, const Inputs& in) { return Outputs{m(in["x"])}; });
}

TEST(Transformers, LayersOfAStackAreApart) {
  const TransformerEncoderLayer layer(4, 2, {.dim_feedforward = 8});
  TransformerEncoder stack(layer, 2);
  const std::vector<NamedSlot> slots = stack.parameters();
  numeric::expect_same_bits(slots[0].slot->stored(), layer.self_attn.in_proj_weight.value());
  stack.layers[0].self_attn.in_proj_weight.set_data(zeros({12, 4}));
  numeric::expect_same_bits(stack.layers[1].self_attn.in_proj_weight.value(),
                            layer.self_attn.in_proj_weight.value());
  stack.eval();
  EXPECT_FALSE(stack.layers[1].dropout1.is_training());
  const Tensor x = numeric::random({1, 3, 4}, 1, DType::f32);
  numeric::expect_same_bits(stack(x), stack(x));
  stack.train();
  EXPECT_GT(max(abs(stack(x) - stack(x))).item(), 1e-3);
  EXPECT_THROW(TransformerEncoder(layer, -1), ConfigError);
}

TEST(Transformers, DecoderReadsItsMemoryOnce) {
  Transformer model(8, 2,
                    {.num_encoder_layers = 1,
                     .num_decoder_layers = 2,
                     .layer = {.dim_feedforward = 16, .norm_first = true}});
  model.eval();
  const NoGrad no_grad;
  const Tensor memory = model.encoder(numeric::random({2, 4, 8}, 1, DType::f32));
  const Tensor tgt = numeric::random({2, 5, 8}, 2, DType::f32);
  const Tensor expected = model.decoder(tgt, memory, {.tgt_is_causal = true});
  auto cache = model.decoder.make_cache(2, 5);
  std::vector<Tensor> parts;
  for (int64_t t = 0; t < 5; ++t) {
    // Nobody looks at the memory after the first call.
    const Tensor given = t == 0 ? memory : zeros({2, 1, 8});
    parts.push_back(
        model.decoder(slice(tgt, 1, t, t + 1), given, {.tgt_is_causal = true, .cache = &cache}));
  }
  expect_close(cat(parts, 1), expected, 1e-5);
  cache.pop_back();
  EXPECT_EQ(message_of<Error>([&] { model.decoder(tgt, memory, {.cache = &cache}); }),
            "TransformerDecoder: caches of 1 layers; expected 2, as make_cache() gives (in module "
            "TransformerDecoder)");
  auto blocks = model.encoder.make_cache(2, 4);
  const Tensor src = numeric::random({2, 4, 8}, 3, DType::f32);
  parts.clear();
  for (int64_t t = 0; t < 4; ++t) {
    parts.push_back(model.encoder(slice(src, 1, t, t + 1), {.is_causal = true, .cache = &blocks}));
  }
  expect_close(cat(parts, 1), model.encoder(src, {.is_causal = true}), 1e-5);
}

// Values: a copy keeps what it is when the first one changes, and a state brings it back.
template <class M, class... Inputs>
void expect_values(M model, const Inputs&... inputs) {
  SCOPED_TRACE(model.type_name());
  model.eval();
  const Tensor before = model(inputs...).detach().clone();
  M copy = model;
  for (const NamedSlot& p : model.parameters()) p.slot->write(p.slot->stored() * 2.0 + 0.25);
  EXPECT_GT(max(abs(model(inputs...) - before)).item(), 1e-4);
  numeric::expect_same_bits(copy(inputs...), before);
  model.load_state_dict(copy.state_dict());
  numeric::expect_same_bits(model(inputs...), before);
  check_members(model);
}

TEST(Transformers, AreValues) {
  const Tensor x = numeric::random({2, 3, 8}, 1, DType::f32);
  const Tensor y = numeric::random({2, 4, 8}, 2, DType::f32);
  const TransformerLayerOptions options{.dim_feedforward = 6, .norm_first = true};
  expect_values(MultiHeadAttention(8, 4, {.add_bias_kv = true, .num_kv_heads = 2}), x);
  expect_values(SwiGLU(8, 3), x);
  expect_values(TransformerEncoder(TransformerEncoderLayer(8, 2, options), 2, LayerNorm(8)), x);
  expect_values(TransformerDecoder(TransformerDecoderLayer(8, 2, options), 2), x, y);
  expect_values(
      Transformer(8, 2, {.num_encoder_layers = 1, .num_decoder_layers = 1, .layer = options}), x,
      y);
}

TEST(Transformers, Derivatives) {
  MultiHeadAttention attn(8, 4,
                          {.num_kv_heads = 2,
                           .rotary = RotaryEmbeddingOptions{.max_len = 4},
                           .alibi = true,
                           .window = {2, 1}});
  TransformerDecoderLayer layer(
      4, 2,
      {.dim_feedforward = 3, .dropout = 0, .activation = [](const Tensor& x) { return mish(x); }});
  attn.to(DType::f64);
  layer.to(DType::f64);
  const auto leaf = [](const Shape& shape, uint64_t seed) {
    return numeric::random(shape, seed).requires_grad_();
  };
  const auto passes = [](const TensorFunction& f, const std::vector<Tensor>& inputs) {
    const auto first = gradcheck(f, inputs);
    EXPECT_TRUE(first) << first.message;
    const auto second = gradgradcheck(f, inputs, {.fast_mode = true});
    EXPECT_TRUE(second) << second.message;
  };
  passes([&](const std::vector<Tensor>& in) -> Outputs { return {attn(in[0])}; },
         {leaf({1, 4, 8}, 1)});
  passes(
      [&](const std::vector<Tensor>& in) -> Outputs {
        return {layer(in[0], in[1], {.tgt_is_causal = true})};
      },
      {leaf({1, 3, 4}, 2), leaf({1, 2, 4}, 3)});
}

TEST(Transformers, PrintAsPyTorch) {
  EXPECT_EQ(to_string(TransformerEncoderLayer(8, 2, {.dim_feedforward = 16})),
            cases().metadata("print:block"));
  EXPECT_EQ(to_string(TransformerDecoderLayer(8, 2, {.dim_feedforward = 16})),
            cases().metadata("print:decoder_layer"));
  EXPECT_EQ(to_string(ModuleList(Linear(2, 2), Linear(2, 2), ReLU())),
            cases().metadata("print:list"));
  EXPECT_EQ(to_string(ModuleDict({{"fc", Linear(2, 1)}, {"act", Tanh()}})),
            cases().metadata("print:dict"));
}

}  // namespace
}  // namespace adjoint::nn
