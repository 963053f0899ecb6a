#include <adjoint/core/activations.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/models/vit.h>
#include <adjoint/nn/init.h>

#include <cmath>
#include <string>

namespace adjoint::models {
namespace {

constexpr double kNormEps = 1e-6;  // the paper's code has it, and torchvision

int64_t patches(const VitOptions& options) {
  const int64_t side = options.image_size / options.patch_size;
  return side * side;
}

const VitOptions& checked(const VitOptions& options) {
  options.validate();
  return options;
}

void start_linear(const nn::Linear& layer) {
  nn::init::xavier_uniform_(layer.weight);
  nn::init::normal_(layer.bias, 0, 1e-6);
}

}  // namespace

void VitOptions::validate() const {
  const auto at_least_one = [](const char* field, int64_t value) {
    check<ConfigError>(value >= 1, "Vit: ", field, " is ", value, "; expected at least 1");
  };
  at_least_one("image_size", image_size);
  at_least_one("patch_size", patch_size);
  at_least_one("in_channels", in_channels);
  at_least_one("num_layers", num_layers);
  at_least_one("num_heads", num_heads);
  at_least_one("hidden_dim", hidden_dim);
  at_least_one("mlp_dim", mlp_dim);
  at_least_one("classes", classes);
  check<ConfigError>(image_size % patch_size == 0, "Vit: patch_size is ", patch_size,
                     "; expected a divisor of image_size, ", image_size);
  check<ConfigError>(hidden_dim % num_heads == 0, "Vit: num_heads is ", num_heads,
                     "; expected a divisor of hidden_dim, ", hidden_dim);
}

int64_t VitOptions::parameter_count() const {
  const int64_t d = hidden_dim;
  const int64_t block = 4 * d + 4 * d * (d + 1) + 2 * d * mlp_dim + mlp_dim + d;
  return d + d * (in_channels * patch_size * patch_size + 1) + (1 + patches(*this)) * d +
         num_layers * block + 2 * d + classes * (d + 1);
}

Json VitOptions::to_json() const {
  return Json::object({{"model_type", "vit"},
                       {"image_size", image_size},
                       {"patch_size", patch_size},
                       {"in_channels", in_channels},
                       {"num_layers", num_layers},
                       {"num_heads", num_heads},
                       {"hidden_dim", hidden_dim},
                       {"mlp_dim", mlp_dim},
                       {"classes", classes},
                       {"dropout", dropout},
                       {"attention_dropout", attention_dropout}});
}

VitMlp::VitMlp(const VitOptions& options)
    : linear_1(options.hidden_dim, options.mlp_dim),
      linear_2(options.mlp_dim, options.hidden_dim),
      dropout(options.dropout) {
  start_linear(linear_1);
  start_linear(linear_2);
}

Tensor VitMlp::forward(const Tensor& x) const {
  return dropout(linear_2(dropout(linear_1.activated(x, Activation::gelu))));
}

void VitMlp::members(nn::Visitor& v) {
  v("0", linear_1);
  v("3", linear_2);
  v("2", dropout);
}

VitBlock::VitBlock(const VitOptions& options)
    : ln_1(options.hidden_dim, {.eps = kNormEps}),
      self_attention(options.hidden_dim, options.num_heads, {.dropout = options.attention_dropout}),
      dropout(options.dropout),
      ln_2(options.hidden_dim, {.eps = kNormEps}),
      mlp(options) {}

Tensor VitBlock::forward(const Tensor& x) const {
  const Tensor y = x + dropout(self_attention(ln_1(x)));
  return y + mlp(ln_2(y));
}

void VitBlock::members(nn::Visitor& v) {
  v("ln_1", ln_1);
  v("self_attention", self_attention);
  v("dropout", dropout);
  v("ln_2", ln_2);
  v("mlp", mlp);
}

VitEncoder::VitEncoder(const VitOptions& options)
    : pos_embedding(randn({1, 1 + patches(options), options.hidden_dim}) * 0.02),
      dropout(options.dropout),
      ln(options.hidden_dim, {.eps = kNormEps}) {
  for (int64_t i = 0; i < options.num_layers; ++i) layers.emplace_back(options);
}

Tensor VitEncoder::forward(const Tensor& x) const {
  Tensor y = dropout(x + pos_embedding);
  for (const VitBlock& layer : layers) y = layer(y);
  return ln(y);
}

void VitEncoder::members(nn::Visitor& v) {
  v("pos_embedding", pos_embedding);
  v("dropout", dropout);
  for (size_t i = 0; i < layers.size(); ++i) {
    v("layers.encoder_layer_" + std::to_string(i), layers[i]);
  }
  v("ln", ln);
}

Vit::Vit(const VitOptions& options)
    : class_token(zeros({1, 1, checked(options).hidden_dim})),
      conv_proj(options.in_channels, options.hidden_dim, options.patch_size,
                {.stride = options.patch_size}),
      encoder(options),
      head(options.hidden_dim, options.classes) {
  const auto fan_in =
      static_cast<double>(options.in_channels * options.patch_size * options.patch_size);
  nn::init::trunc_normal_(conv_proj.weight, 0, std::sqrt(1 / fan_in));
  nn::init::zeros_(conv_proj.bias);
  nn::init::zeros_(head.weight);
  nn::init::zeros_(head.bias);
}

Tensor Vit::forward(const Tensor& x) const {
  const Tensor patches = flatten(conv_proj(x), 2).transpose(1, 2);  // (N, patches, hidden_dim)
  const Tensor token = expand(class_token, {x.size(0), 1, patches.size(2)});
  return head(encoder(cat({token, patches}, 1)).select(1, 0));
}

void Vit::members(nn::Visitor& v) {
  v("class_token", class_token);
  v("conv_proj", conv_proj);
  v("encoder", encoder);
  v("heads.head", head);
}

}  // namespace adjoint::models
