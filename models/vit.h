// The Vision Transformer (Dosovitskiy and others 2021, arXiv 2010.11929): an image as a sequence of
// patches.
//
// Names are torchvision's: class_token, conv_proj, encoder.pos_embedding,
// encoder.layers.encoder_layer_0.ln_1, heads.head.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/normalization.h>

#include <cstdint>
#include <vector>

namespace adjoint::models {

struct VitOptions {
  int64_t image_size = 28;  // height and width
  int64_t patch_size = 4;
  int64_t in_channels = 1;
  int64_t num_layers = 6;
  int64_t num_heads = 4;
  int64_t hidden_dim = 64;
  int64_t mlp_dim = 128;
  int64_t classes = 10;
  double dropout = 0.0;
  double attention_dropout = 0.0;

  // ConfigError for sizes out of range, and a patch_size that does not divide image_size.
  void validate() const;
  int64_t parameter_count() const;
  Json to_json() const;
};

class VitMlp : public nn::Module<VitMlp> {
 public:
  explicit VitMlp(const VitOptions& options);
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  nn::Linear linear_1, linear_2;  // "0" and "3", as in torchvision's Sequential
  nn::Dropout dropout;
};

// x + attention(ln_1(x)), then x + mlp(ln_2(x)).
class VitBlock : public nn::Module<VitBlock> {
 public:
  explicit VitBlock(const VitOptions& options);
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  nn::LayerNorm ln_1;
  nn::MultiHeadAttention self_attention;
  nn::Dropout dropout;
  nn::LayerNorm ln_2;
  VitMlp mlp;
};

class VitEncoder : public nn::Module<VitEncoder> {
 public:
  explicit VitEncoder(const VitOptions& options);
  Tensor forward(const Tensor& x) const;  // (N, 1 + patches, hidden_dim), the same
  void members(nn::Visitor& v) override;

  Parameter pos_embedding;  // (1, 1 + patches, hidden_dim)
  nn::Dropout dropout;
  std::vector<VitBlock> layers;
  nn::LayerNorm ln;
};

// (N, in_channels, image_size, image_size) -> (N, classes), from the class token.
class Vit : public nn::Module<Vit> {
 public:
  // Starts as torchvision's: the patches' projection from a truncated normal distribution by its
  // fan-in, positions from normal(0, 0.02), the last layer and the class token 0.
  explicit Vit(const VitOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  Parameter class_token;  // (1, 1, hidden_dim)
  nn::Conv2d conv_proj;
  VitEncoder encoder;
  nn::Linear head;  // "heads.head"
};

}  // namespace adjoint::models
