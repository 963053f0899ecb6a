// Multi-head attention.
#pragma once

#include <adjoint/core/attention.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/position.h>

#include <optional>

namespace adjoint::nn {

struct MultiHeadAttentionOptions {
  double dropout = 0.0;                        // of the attention weights
  bool bias = true;                            // of all four projections
  bool add_bias_kv = false;                    // one more key and value, which are trained
  bool add_zero_attn = false;                  // one more key and value, which are zeros
  std::optional<int64_t> kdim = std::nullopt;  // width of the keys; embed_dim
  std::optional<int64_t> vdim = std::nullopt;  // width of the values; embed_dim
  bool batch_first = true;                     // false: (L, B, E) instead of (B, L, E)
  // Groups of queries share a key and value: Ainslie et al. 2023, arXiv 2305.13245.
  std::optional<int64_t> num_kv_heads = std::nullopt;  // num_heads
  // Turns queries and keys by their positions.
  std::optional<RotaryEmbeddingOptions> rotary = std::nullopt;
  bool alibi = false;           // Press et al. 2021, arXiv 2108.12409
  AttentionWindow window = {};  // query i sees keys i - left to i + right
};

// The keys and values of what was read so far, so that the next token costs one token's work. From
// MultiHeadAttention::make_cache(); assigning 0 to `length` begins anew.
struct AttentionCache {
  Tensor keys = {}, values = {};  // (B, kv heads, max_len, E / heads), filled up to `length`
  int64_t length = 0;
  // Of a memory that stays the same: the first call fills it, later ones read it and do not look
  // at their keys and values.
  bool fixed = false;
};

struct MultiHeadAttentionForwardOptions {
  // (L, S), (B, L, S), (B * heads, L, S) or (B, heads, L, S). Bool: true keeps the query from
  // seeing the key, which is torch.nn.MultiheadAttention's meaning and the opposite of
  // scaled_dot_product_attention's. Floating: added to the scores.
  Tensor attn_mask = {};
  Tensor key_padding_mask = {};  // (B, S), bool: true keys are ignored; or floating, added
  bool is_causal = false;        // query i sees keys j <= i; goes together with masks
  // Where the weights, softmax after dropout, are stored if wanted: (B, L, S), the mean over the
  // heads, or (B, heads, L, S). Slower: they must exist.
  Tensor* weights = nullptr;
  bool average_weights = true;
  // Query, key and value go on where the cache ends and are added to it: S is then its length with
  // them, and query i stands at that of its token. Not while gradients are recorded.
  AttentionCache* cache = nullptr;
};

// forward(query (B, L, E), key (B, S, kdim), value (B, S, vdim)) -> (B, L, E); all three without B
// for a single sequence; forward(x) is self-attention. This is torch.nn.MultiheadAttention with
// batch_first=True by default: the same names, shapes and initial distributions (Xavier uniform
// projections, zero biases). Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2. A query that may
// see no key gives the bias of out_proj, where PyTorch gives NaN. ConfigError unless num_heads
// divides embed_dim and num_kv_heads divides num_heads; ShapeError and DTypeError for tensors that
// do not fit.
class MultiHeadAttention : public Module<MultiHeadAttention> {
 public:
  using ForwardOptions = MultiHeadAttentionForwardOptions;

  MultiHeadAttention(int64_t embed_dim, int64_t num_heads,
                     const MultiHeadAttentionOptions& options = {});

  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value,
                 const MultiHeadAttentionForwardOptions& options = {}) const;
  Tensor forward(const Tensor& x, const MultiHeadAttentionForwardOptions& options = {}) const {
    return forward(x, x, x, options);
  }
  void members(Visitor& v) override;

  int64_t embed_dim() const { return embed_dim_; }
  int64_t num_heads() const { return num_heads_; }
  // Empty, for `batch` texts of up to max_len tokens; of bf16 under Autocast.
  AttentionCache make_cache(int64_t batch, int64_t max_len) const;

  // (E + 2 kv heads E / heads, E): query, key, value; undefined with kdim or vdim
  Parameter in_proj_weight;
  Parameter q_proj_weight, k_proj_weight, v_proj_weight;  // (E, E), (.., kdim), (.., vdim), then
  Parameter in_proj_bias;
  Parameter bias_k, bias_v;  // (1, 1, kv heads E / heads), with add_bias_kv
  Linear out_proj;
  std::optional<RotaryEmbedding> rotary;

 private:
  struct Heads {
    Tensor q, k, v;  // (B, heads or kv heads, L or S, E / heads)
  };
  void make_projections(bool bias);
  Heads project(const Tensor& query, const Tensor& key, const Tensor& value, bool with_keys) const;
  Heads add_keys(Heads heads) const;
  void check_cache(const AttentionCache& cache, int64_t batch, int64_t added) const;
  // What of the cache is seen, with the new keys and values in it.
  void append(Heads& heads, AttentionCache& cache) const;
  Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value,
                const MultiHeadAttentionForwardOptions& options) const;
  void check_inputs(const Tensor& query, const Tensor& key, const Tensor& value) const;
  void check_masks(int64_t batch, int64_t queries, int64_t keys,
                   const MultiHeadAttentionForwardOptions& options) const;
  struct Masks;
  Masks merge(const MultiHeadAttentionForwardOptions& options, int64_t batch, int64_t queries,
              int64_t keys, int64_t past, bool positional) const;
  Tensor with_weights(const Heads& heads, const Masks& masks, int64_t past,
                      const MultiHeadAttentionForwardOptions& options) const;

  int64_t embed_dim_, num_heads_, kv_heads_, kdim_, vdim_;
  double dropout_;
  bool add_zero_attn_, batch_first_;
  AttentionWindow window_;
  Tensor slopes_;  // (heads), with alibi; never written
};
using MultiheadAttention = MultiHeadAttention;  // PyTorch's name

}  // namespace adjoint::nn
