// Multi-head attention.
#pragma once

#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>

#include <optional>

namespace adjoint::nn {

struct MultiHeadAttentionOptions {
  double dropout = 0.0;                        // of the attention weights
  bool bias = true;                            // of all four projections
  std::optional<int64_t> kdim = std::nullopt;  // width of the keys; embed_dim
  std::optional<int64_t> vdim = std::nullopt;  // width of the values; embed_dim
};

struct MultiHeadAttentionForwardOptions {
  // (L, S), (B, L, S) or (B, heads, L, S). Bool: true keeps the query from seeing the key, which is
  // torch.nn.MultiheadAttention's meaning and the opposite of scaled_dot_product_attention's.
  // Floating: added to the scores.
  Tensor attn_mask = {};
  Tensor key_padding_mask = {};  // (B, S) bool: true keys are ignored
  bool is_causal = false;        // query i sees keys j <= i; goes together with masks
  // Where the weights, softmax after dropout, are stored if wanted: (B, L, S), the mean over the
  // heads, or (B, heads, L, S). Slower: they must exist.
  Tensor* weights = nullptr;
  bool average_weights = true;
};

// forward(query (B, L, E), key (B, S, kdim), value (B, S, vdim)) -> (B, L, E); all three without B
// for a single sequence; forward(x) is self-attention. This is torch.nn.MultiheadAttention with
// batch_first=True: the same names, shapes and initial distributions (Xavier uniform projections,
// zero biases). Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2. A query that may see no key
// gives the bias of out_proj, where PyTorch gives NaN. ConfigError unless num_heads divides
// embed_dim; ShapeError and DTypeError for tensors that do not fit.
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

  Parameter in_proj_weight;  // (3 E, E): query, key, value; undefined with kdim or vdim
  Parameter q_proj_weight, k_proj_weight, v_proj_weight;  // (E, E), (E, kdim), (E, vdim), then
  Parameter in_proj_bias;                                 // (3 E)
  Linear out_proj;

 private:
  struct Heads {
    Tensor q, k, v;  // (B, heads, L or S, E / heads)
  };
  Heads project(const Tensor& query, const Tensor& key, const Tensor& value) const;
  void check_inputs(const Tensor& query, const Tensor& key, const Tensor& value,
                    const MultiHeadAttentionForwardOptions& options) const;
  Tensor with_weights(const Heads& heads, const Tensor& blocked, const Tensor& added,
                      const MultiHeadAttentionForwardOptions& options) const;

  int64_t embed_dim_, num_heads_, kdim_, vdim_;
  double dropout_;
};

}  // namespace adjoint::nn
