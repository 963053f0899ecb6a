// Blocks of a Transformer.
#pragma once

#include <adjoint/nn/activation.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>

namespace adjoint::nn {

struct FeedForwardOptions {
  Activation activation = Activation::relu;
  double dropout = 0.0;  // after the activation
  bool bias = true;
};

// linear2(dropout(activation(linear1(x)))), (..., d_model) -> the same. Vaswani et al. 2017, arXiv
// 1706.03762, section 3.3.
class FeedForward : public Module<FeedForward> {
 public:
  FeedForward(int64_t d_model, int64_t dim_feedforward, const FeedForwardOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;

  Linear linear1;
  Dropout dropout;
  Linear linear2;

 private:
  Activation activation_;
};

struct TransformerBlockOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;  // of attention weights, after the activation, and of both branches
  Activation activation = Activation::relu;
  double layer_norm_eps = 1e-5;
  bool norm_first = false;  // x + f(norm(x)) instead of norm(x + f(x))
  bool causal = false;      // every call is causal
  bool bias = true;
};

struct TransformerBlockForwardOptions {
  Tensor src_mask = {};              // as attn_mask of MultiHeadAttention
  Tensor src_key_padding_mask = {};  // (B, T) bool: true keys are ignored
  bool is_causal = false;            // this call is causal
};

// Self-attention and feed-forward, each with residual and normalisation: (B, T, d_model) -> the
// same. The names, shapes, defaults and initial distributions are those of
// torch.nn.TransformerEncoderLayer with batch_first=True; with `causal` it is a decoder's block.
class TransformerBlock : public Module<TransformerBlock> {
 public:
  using ForwardOptions = TransformerBlockForwardOptions;

  TransformerBlock(int64_t d_model, int64_t nhead, const TransformerBlockOptions& options = {});

  Tensor forward(const Tensor& x, const TransformerBlockForwardOptions& options = {}) const;
  void members(Visitor& v) override;

  MultiHeadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;

 private:
  Tensor attend(const Tensor& x, const TransformerBlockForwardOptions& options) const;
  Tensor feed_forward(const Tensor& x) const;

  Activation activation_;
  bool norm_first_, causal_;
};

}  // namespace adjoint::nn
