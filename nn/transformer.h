// The Transformer of Vaswani et al. 2017, arXiv 1706.03762: layers, stacks of them, both together.
//
// Names, shapes, defaults and initial distributions are those of torch.nn, but that batches come
// first unless it is said otherwise: (B, T, d_model). Masks are those of MultiHeadAttention: bool
// ones are true where nothing is to be seen.
#pragma once

#include <adjoint/nn/activation.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint::nn {

// The activation of a feed-forward: one of the enum, computed in the product's sweep, or any
// function of one tensor.
class FeedForwardActivation {
 public:
  // NOLINTBEGIN(google-explicit-constructor): options say `.activation = Activation::gelu`.
  FeedForwardActivation(Activation kind) : kind_(kind) {}
  template <class F>
  requires std::is_invocable_r_v<Tensor, const F&, const Tensor&> FeedForwardActivation(F function)
      : function_(std::move(function)) {}
  // NOLINTEND(google-explicit-constructor)

  // This activation of what the layer gives for x.
  Tensor after(const Linear& layer, const Tensor& x) const {
    return function_ ? function_(layer(x)) : layer.activated(x, kind_);
  }

 private:
  Activation kind_ = Activation::relu;
  std::function<Tensor(const Tensor&)> function_;
};

struct FeedForwardOptions {
  FeedForwardActivation activation = Activation::relu;
  double dropout = 0.0;  // after the activation
  bool bias = true;
};

// linear2(dropout(activation(linear1(x)))), (..., d_model) -> the same. Section 3.3.
class FeedForward : public Module<FeedForward> {
 public:
  FeedForward(int64_t d_model, int64_t dim_feedforward, const FeedForwardOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;

  Linear linear1;
  Dropout dropout;
  Linear linear2;

 private:
  FeedForwardActivation activation_;
};

struct SwiGluOptions {
  bool bias = false;
};

// down_proj(silu(gate_proj(x)) up_proj(x)), (..., d_model) -> the same, with Llama's names. Shazeer
// 2020, arXiv 2002.05202.
class SwiGLU : public Module<SwiGLU> {
 public:
  SwiGLU(int64_t d_model, int64_t hidden, const SwiGluOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;

  Linear gate_proj, up_proj, down_proj;
};

struct TransformerLayerOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;  // of attention weights, after the activation, and of all branches
  FeedForwardActivation activation = Activation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = true;  // false: (T, B, d_model)
  bool norm_first = false;  // x + f(norm(x)) instead of norm(x + f(x))
  bool causal = false;      // every call's self-attention is causal
  bool bias = true;
};

struct TransformerEncoderLayerForwardOptions {
  Tensor src_mask = {};              // as attn_mask of MultiHeadAttention
  Tensor src_key_padding_mask = {};  // (B, T)
  bool is_causal = false;            // this call is causal
  AttentionCache* cache = nullptr;   // of self_attn
};

// Self-attention and feed-forward, each with residual and normalisation: (B, T, d_model) -> the
// same. With `causal` it is a block of a model that has a decoder only.
class TransformerEncoderLayer : public Module<TransformerEncoderLayer> {
 public:
  using ForwardOptions = TransformerEncoderLayerForwardOptions;

  TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                          const TransformerLayerOptions& options = {});

  Tensor forward(const Tensor& x, const TransformerEncoderLayerForwardOptions& options = {}) const;
  void members(Visitor& v) override;

  MultiHeadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;

 private:
  Tensor attend(const Tensor& x, const TransformerEncoderLayerForwardOptions& options) const;
  Tensor feed_forward(const Tensor& x) const;

  FeedForwardActivation activation_;
  bool norm_first_, causal_;
};
using TransformerBlock = TransformerEncoderLayer;
using TransformerBlockOptions = TransformerLayerOptions;

// What a decoder keeps between tokens: of its own text, and of the memory, which is read once.
struct TransformerDecoderLayerCache {
  AttentionCache self;
  AttentionCache memory{.fixed = true};
};

struct TransformerDecoderLayerForwardOptions {
  Tensor tgt_mask = {}, memory_mask = {};                          // as attn_mask
  Tensor tgt_key_padding_mask = {}, memory_key_padding_mask = {};  // (B, T), (B, S)
  bool tgt_is_causal = false, memory_is_causal = false;
  TransformerDecoderLayerCache* cache = nullptr;
};

// Self-attention, attention to a memory (B, S, d_model), and feed-forward.
class TransformerDecoderLayer : public Module<TransformerDecoderLayer> {
 public:
  using ForwardOptions = TransformerDecoderLayerForwardOptions;

  TransformerDecoderLayer(int64_t d_model, int64_t nhead,
                          const TransformerLayerOptions& options = {});

  Tensor forward(const Tensor& tgt, const Tensor& memory,
                 const TransformerDecoderLayerForwardOptions& options = {}) const;
  void members(Visitor& v) override;

  MultiHeadAttention self_attn, multihead_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2, norm3;
  Dropout dropout1, dropout2, dropout3;

 private:
  Tensor attend(const Tensor& x, const TransformerDecoderLayerForwardOptions& options) const;
  Tensor attend_memory(const Tensor& x, const Tensor& memory,
                       const TransformerDecoderLayerForwardOptions& options) const;
  Tensor feed_forward(const Tensor& x) const;

  FeedForwardActivation activation_;
  bool norm_first_, causal_;
};

struct TransformerEncoderForwardOptions {
  Tensor mask = {};                              // as src_mask of a layer
  Tensor src_key_padding_mask = {};              // (B, T)
  bool is_causal = false;                        // this call is causal
  std::vector<AttentionCache>* cache = nullptr;  // one for each layer, see make_cache()
};

// Copies of one layer after another, and a norm, if there is one, at the end. ConfigError for a
// negative number of layers.
class TransformerEncoder : public Module<TransformerEncoder> {
 public:
  using ForwardOptions = TransformerEncoderForwardOptions;

  TransformerEncoder(const TransformerEncoderLayer& layer, int64_t num_layers,
                     std::optional<AnyModule> norm = std::nullopt);

  Tensor forward(const Tensor& src, const TransformerEncoderForwardOptions& options = {}) const;
  void members(Visitor& v) override;
  std::vector<AttentionCache> make_cache(int64_t batch, int64_t max_len) const;

  std::vector<TransformerEncoderLayer> layers;
  std::optional<AnyModule> norm;
};

struct TransformerDecoderForwardOptions {
  Tensor tgt_mask = {}, memory_mask = {};
  Tensor tgt_key_padding_mask = {}, memory_key_padding_mask = {};
  bool tgt_is_causal = false, memory_is_causal = false;
  std::vector<TransformerDecoderLayerCache>* cache = nullptr;  // see make_cache()
};

// As TransformerEncoder. With a cache `tgt` are the tokens that go on where it ends:
//   auto cache = decoder.make_cache(batch, max_len);
//   for (...) logits = head(decoder(embed(last), memory, {.tgt_is_causal = true, .cache =
//   &cache}));
class TransformerDecoder : public Module<TransformerDecoder> {
 public:
  using ForwardOptions = TransformerDecoderForwardOptions;

  TransformerDecoder(const TransformerDecoderLayer& layer, int64_t num_layers,
                     std::optional<AnyModule> norm = std::nullopt);

  Tensor forward(const Tensor& tgt, const Tensor& memory,
                 const TransformerDecoderForwardOptions& options = {}) const;
  void members(Visitor& v) override;
  std::vector<TransformerDecoderLayerCache> make_cache(int64_t batch, int64_t max_len) const;

  std::vector<TransformerDecoderLayer> layers;
  std::optional<AnyModule> norm;
};

struct TransformerOptions {
  int64_t num_encoder_layers = 6, num_decoder_layers = 6;
  TransformerLayerOptions layer = {};
};

struct TransformerForwardOptions {
  Tensor src_mask = {}, tgt_mask = {}, memory_mask = {};
  Tensor src_key_padding_mask = {}, tgt_key_padding_mask = {}, memory_key_padding_mask = {};
  bool src_is_causal = false, tgt_is_causal = false, memory_is_causal = false;
};

// Encoder and decoder, each with a last norm: src (B, S, d_model), tgt (B, T, d_model) -> (B, T,
// d_model). All matrices start from Xavier's uniform distribution.
class Transformer : public Module<Transformer> {
 public:
  using ForwardOptions = TransformerForwardOptions;

  explicit Transformer(int64_t d_model = 512, int64_t nhead = 8,
                       const TransformerOptions& options = {});

  Tensor forward(const Tensor& src, const Tensor& tgt,
                 const TransformerForwardOptions& options = {}) const;
  void members(Visitor& v) override;
  // (size, size): 0, and -infinity above the diagonal.
  static Tensor generate_square_subsequent_mask(int64_t size, DType dtype = DType::f32);

  TransformerEncoder encoder;
  TransformerDecoder decoder;
};

}  // namespace adjoint::nn
