// Rows of layers with weights, of what changes shapes, and of norms.
#include <adjoint/nn/batch_norm.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/flatten.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/vision.h>

#include "tests/nn/modules/table.h"

namespace adjoint::nn::table {
namespace {

using catalog::indices;

const Tensor& embeddings() {
  static const Tensor rows = from_vector(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  return rows;
}

void add_embeddings(std::vector<Row>& rows) {
  rows.push_back(row("nn.Embedding(7, 3)", [] { return Embedding(7, 3); }, {indices({2, 3}, 7)}));
  Row padded = row("nn.Embedding(5, 3, padding_idx=-2)",
                   [] { return Embedding(5, 3, {.padding_idx = -2}); }, {indices({2, 4}, 5)});
  padded.gradcheck = false;
  rows.push_back(padded);
  for (const double norm_type : {2.0, 1.5}) {
    Row renormed =
        row(norm_type == 2 ? "nn.Embedding(6, 4, max_norm=1.0)"
                           : "nn.Embedding(6, 4, max_norm=1.0, norm_type=1.5)",
            [norm_type] { return Embedding(6, 4, {.max_norm = 1.0, .norm_type = norm_type}); },
            {indices({5}, 4)});
    renormed.gradcheck = false;
    rows.push_back(renormed);
  }
  rows.push_back(row("nn.Embedding.from_pretrained(torch.arange(1., 7.).reshape(2, 3))",
                     [] { return Embedding::from_pretrained(embeddings()); }, {indices({3}, 2)}));

  rows.push_back(
      row("nn.EmbeddingBag(7, 3)", [] { return EmbeddingBag(7, 3); }, {indices({3, 4}, 7)}));
  rows.push_back(with_call<EmbeddingBag>(
      row("nn.EmbeddingBag(7, 3, mode='sum')",
          [] { return EmbeddingBag(7, 3, {.mode = EmbeddingBagMode::sum}); },
          {indices({6}, 7), tensor<int64_t>({0, 2, 2}), signs({6})}),
      "m(x[0], x[1], per_sample_weights=x[2])",
      [](const EmbeddingBag& m, const Tensors& x) { return Tensors{m(x[0], x[1], x[2])}; }));
  rows.push_back(row(
      "nn.EmbeddingBag(7, 3, mode='max', padding_idx=1, include_last_offset=True)",
      [] {
        return EmbeddingBag(
            7, 3, {.mode = EmbeddingBagMode::max, .include_last_offset = true, .padding_idx = 1});
      },
      {indices({6}, 7), tensor<int64_t>({0, 2, 6})}));
  Row renormed = row("nn.EmbeddingBag(6, 4, max_norm=1.0)",
                     [] { return EmbeddingBag(6, 4, {.max_norm = 1.0}); }, {indices({2, 3}, 6)});
  renormed.gradcheck = false;
  rows.push_back(renormed);
}

}  // namespace

void add_linear(std::vector<Row>& rows) {
  rows.push_back(row("nn.Linear(5, 4)", [] { return Linear(5, 4); }, {signs({2, 3, 5})}));
  rows.push_back(row("nn.Linear(5, 4, bias=False)", [] { return Linear(5, 4, {.bias = false}); },
                     {signs({3, 5})}));
  rows.push_back(row("nn.Bilinear(3, 2, 4)", [] { return Bilinear(3, 2, 4); },
                     {signs({3, 3}), signs({3, 2}, 2)}));
  rows.push_back(row("nn.Bilinear(3, 2, 4, bias=False)",
                     [] { return Bilinear(3, 2, 4, {.bias = false}); },
                     {signs({2, 2, 3}), signs({2, 2, 2}, 2)}));
  rows.push_back(row("nn.Identity()", [] { return Identity(); }, {signs({2, 3})}));
  add_embeddings(rows);
}

void add_convolutions(std::vector<Row>& rows) {
  rows.push_back(row("nn.Conv1d(2, 3, 3)", [] { return Conv1d(2, 3, 3); }, {signs({2, 2, 6})}));
  rows.push_back(
      row("nn.Conv1d(4, 4, 3, stride=2, padding=1, groups=2, bias=False)",
          [] { return Conv1d(4, 4, 3, {.stride = 2, .padding = 1, .groups = 2, .bias = false}); },
          {signs({4, 7})}));
  rows.push_back(
      row("nn.Conv1d(2, 2, 4, padding='same', padding_mode='reflect')",
          [] { return Conv1d(2, 2, 4, {.padding = "same", .padding_mode = PaddingMode::reflect}); },
          {signs({1, 2, 6})}));
  rows.push_back(row("nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0))",
                     [] {
                       return Conv2d(2, 3, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}});
                     },
                     {signs({2, 2, 5, 4})}));
  rows.push_back(row("nn.Conv2d(3, 3, 2, dilation=(2, 1), groups=3)",
                     [] {
                       return Conv2d(3, 3, 2, {.dilation = {2, 1}, .groups = 3});
                     },
                     {signs({1, 3, 5, 4})}));
  rows.push_back(row("nn.Conv2d(1, 2, (3, 4), padding='same', dilation=(1, 2))",
                     [] {
                       return Conv2d(1, 2, {3, 4}, {.padding = "same", .dilation = {1, 2}});
                     },
                     {signs({1, 5, 7})}));
  rows.push_back(row("nn.Conv2d(1, 2, 3, padding='valid')",
                     [] { return Conv2d(1, 2, 3, {.padding = "valid"}); }, {signs({1, 1, 4, 5})}));
  rows.push_back(
      row("nn.Conv2d(1, 2, 3, padding=(2, 1), padding_mode='replicate')",
          [] {
            return Conv2d(1, 2, 3, {.padding = {2, 1}, .padding_mode = PaddingMode::replicate});
          },
          {signs({2, 1, 3, 4})}));
  rows.push_back(row(
      "nn.Conv2d(2, 1, 3, stride=2, padding=1, padding_mode='circular')",
      [] {
        return Conv2d(2, 1, 3, {.stride = 2, .padding = 1, .padding_mode = PaddingMode::circular});
      },
      {signs({2, 3, 4})}));
  rows.push_back(
      row("nn.Conv2d(2, 1, (2, 3), padding='valid', padding_mode='reflect')",
          [] {
            return Conv2d(2, 1, {2, 3}, {.padding = "valid", .padding_mode = PaddingMode::reflect});
          },
          {signs({1, 2, 3, 4})}));
  rows.push_back(
      row("nn.Conv3d(2, 2, 2)", [] { return Conv3d(2, 2, 2); }, {signs({1, 2, 3, 2, 3})}));
  rows.push_back(row(
      "nn.Conv3d(1, 2, (1, 2, 3), stride=(1, 1, 2), padding=(0, 1, 1), padding_mode='circular')",
      [] {
        return Conv3d(
            1, 2, {1, 2, 3},
            {.stride = {1, 1, 2}, .padding = {0, 1, 1}, .padding_mode = PaddingMode::circular});
      },
      {signs({1, 1, 2, 2, 3})}));

  rows.push_back(row("nn.ConvTranspose1d(2, 3, 3, stride=2)",
                     [] { return ConvTranspose1d(2, 3, 3, {.stride = 2}); }, {signs({2, 2, 4})}));
  rows.push_back(with_call<ConvTranspose1d>(
      row("nn.ConvTranspose1d(2, 2, 3, stride=3, padding=1, bias=False)",
          [] { return ConvTranspose1d(2, 2, 3, {.stride = 3, .padding = 1, .bias = false}); },
          {signs({2, 3})}),
      "m(x[0], output_size=[9])", [](const ConvTranspose1d& m, const Tensors& x) {
        return Tensors{m(x[0], {.output_size = 9})};
      }));
  rows.push_back(row(
      "nn.ConvTranspose2d(4, 2, (2, 3), stride=2, padding=(0, 1), output_padding=(1, 0), groups=2, "
      "dilation=(1, 2))",
      [] {
        return ConvTranspose2d(4, 2, {2, 3},
                               {.stride = 2,
                                .padding = {0, 1},
                                .output_padding = {1, 0},
                                .groups = 2,
                                .dilation = {1, 2}});
      },
      {signs({1, 4, 2, 3})}));
  rows.push_back(with_call<ConvTranspose2d>(
      row("nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1)",
          [] { return ConvTranspose2d(1, 2, 3, {.stride = 2, .padding = 1}); },
          {signs({1, 1, 3, 2})}),
      "m(x[0], output_size=[1, 2, 6, 3])", [](const ConvTranspose2d& m, const Tensors& x) {
        return Tensors{m(x[0], {.output_size = {1, 2, 6, 3}})};
      }));
  rows.push_back(row("nn.ConvTranspose3d(2, 1, 2, stride=(1, 2, 1))",
                     [] {
                       return ConvTranspose3d(2, 1, 2, {.stride = {1, 2, 1}});
                     },
                     {signs({1, 2, 2, 2, 3})}));

  rows.push_back(row("nn.Unfold((2, 3), padding=1, stride=(1, 2))",
                     [] {
                       return Unfold({2, 3}, {.padding = 1, .stride = {1, 2}});
                     },
                     {signs({1, 2, 3, 4})}));
  rows.push_back(row("nn.Fold((4, 5), (2, 2), dilation=2)",
                     [] {
                       return Fold({4, 5}, {2, 2}, {.dilation = 2});
                     },
                     {signs({1, 8, 6})}));
}

void add_norms(std::vector<Row>& rows) {
  rows.push_back(row("nn.LayerNorm(6)", [] { return LayerNorm(6); }, {signs({2, 3, 6})}));
  rows.push_back(row("nn.LayerNorm((3, 4), eps=1e-3)",
                     [] {
                       return LayerNorm(Shape{3, 4}, {.eps = 1e-3});
                     },
                     {signs({2, 3, 4})}));
  rows.push_back(row("nn.LayerNorm(6, bias=False)", [] { return LayerNorm(6, {.bias = false}); },
                     {signs({2, 6})}));
  rows.push_back(row("nn.LayerNorm(6, elementwise_affine=False)",
                     [] { return LayerNorm(6, {.elementwise_affine = false}); }, {signs({2, 6})}));
  rows.push_back(row("nn.RMSNorm(6)", [] { return RMSNorm(6); }, {signs({2, 3, 6})}));
  rows.push_back(row("nn.RMSNorm((3, 4), eps=1e-3)",
                     [] {
                       return RMSNorm(Shape{3, 4}, {.eps = 1e-3});
                     },
                     {signs({2, 3, 4})}));
  rows.push_back(row("nn.RMSNorm(6, elementwise_affine=False)",
                     [] { return RMSNorm(6, {.elementwise_affine = false}); }, {signs({2, 6})}));
  rows.push_back(row("nn.GroupNorm(2, 4)", [] { return GroupNorm(2, 4); }, {signs({2, 4, 2, 3})}));
  rows.push_back(row("nn.GroupNorm(1, 3, eps=1e-2, bias=False)",
                     [] { return GroupNorm(1, 3, {.eps = 1e-2, .bias = false}); },
                     {signs({3, 3})}));
  rows.push_back(row("nn.GroupNorm(3, 3, affine=False)",
                     [] { return GroupNorm(3, 3, {.affine = false}); }, {signs({2, 3, 4})}));
  rows.push_back(row("nn.LocalResponseNorm(3, alpha=0.1, beta=0.5, k=2.0)",
                     [] { return LocalResponseNorm(3, {.alpha = 0.1, .beta = 0.5, .k = 2.0}); },
                     {signs({1, 5, 2, 3})}));

  rows.push_back(row("nn.BatchNorm1d(3)", [] { return BatchNorm1d(3); }, {signs({5, 3})}));
  rows.push_back(row("nn.BatchNorm1d(3, eps=1e-3, momentum=0.25, bias=False)",
                     [] { return BatchNorm1d(3, {.eps = 1e-3, .momentum = 0.25, .bias = false}); },
                     {signs({2, 3, 4})}));
  rows.push_back(row("nn.BatchNorm2d(3)", [] { return BatchNorm2d(3); }, {signs({2, 3, 2, 3})}));
  rows.push_back(row("nn.BatchNorm2d(2, momentum=None)",
                     [] { return BatchNorm2d(2, {.momentum = std::nullopt}); },
                     {signs({2, 2, 2, 3})}));
  rows.push_back(row("nn.BatchNorm2d(2, affine=False)",
                     [] { return BatchNorm2d(2, {.affine = false}); }, {signs({3, 2, 2, 2})}));
  rows.push_back(row("nn.BatchNorm2d(2, track_running_stats=False)",
                     [] { return BatchNorm2d(2, {.track_running_stats = false}); },
                     {signs({3, 2, 2, 2})}));
  rows.push_back(row("nn.BatchNorm3d(2)", [] { return BatchNorm3d(2); }, {signs({2, 2, 2, 2, 3})}));

  rows.push_back(row("nn.InstanceNorm1d(3)", [] { return InstanceNorm1d(3); }, {signs({2, 3, 4})}));
  rows.push_back(row("nn.InstanceNorm1d(3, affine=True)",
                     [] { return InstanceNorm1d(3, {.affine = true}); }, {signs({3, 4})}));
  rows.push_back(row("nn.InstanceNorm2d(2, momentum=0.2, affine=True, track_running_stats=True)",
                     [] {
                       return InstanceNorm2d(
                           2, {.momentum = 0.2, .affine = true, .track_running_stats = true});
                     },
                     {signs({2, 2, 2, 3})}));
  rows.push_back(row("nn.InstanceNorm3d(2, eps=1e-3, track_running_stats=True)",
                     [] { return InstanceNorm3d(2, {.eps = 1e-3, .track_running_stats = true}); },
                     {signs({1, 2, 2, 2, 2})}));

  rows.push_back(random(row("nn.Dropout(0.25)", [] { return Dropout(0.25); }, {signs({4, 8})})));
  rows.push_back(random(row("nn.Dropout1d()", [] { return Dropout1d(); }, {signs({4, 8, 2})})));
  rows.push_back(random(row("nn.Dropout2d()", [] { return Dropout2d(); }, {signs({4, 8, 2, 1})})));
  rows.push_back(
      random(row("nn.Dropout3d(0.1)", [] { return Dropout3d(0.1); }, {signs({4, 16, 1, 1, 1})})));
  rows.push_back(random(row("nn.AlphaDropout()", [] { return AlphaDropout(); }, {signs({4, 8})})));
  rows.push_back(random(
      row("nn.FeatureAlphaDropout()", [] { return FeatureAlphaDropout(); }, {signs({4, 8, 2})})));
  rows.push_back(row("nn.Dropout(0.0)", [] { return Dropout(0.0); }, {signs({2, 3})}));
}

void add_shapes(std::vector<Row>& rows) {
  rows.push_back(row("nn.Flatten()", [] { return Flatten(); }, {signs({2, 3, 2})}));
  rows.push_back(row("nn.Flatten(0, 1)", [] { return Flatten(0, 1); }, {signs({2, 3, 2})}));
  rows.push_back(row("nn.Unflatten(1, (2, -1))",
                     [] {
                       return Unflatten(1, {2, -1});
                     },
                     {signs({2, 6})}));
  rows.push_back(row("nn.Upsample(scale_factor=2.0)",
                     [] { return Upsample({.scale_factor = {2.0}}); }, {signs({1, 2, 3})}));
  rows.push_back(row(
      "nn.Upsample(size=(3, 5), mode='bilinear', align_corners=True)",
      [] {
        return Upsample({.size = {3, 5}, .mode = InterpolateMode::bilinear, .align_corners = true});
      },
      {signs({1, 1, 2, 3})}));
  rows.push_back(
      row("nn.Upsample(scale_factor=(1.5, 2.0), mode='bicubic')",
          [] {
            return Upsample({.scale_factor = {1.5, 2.0}, .mode = InterpolateMode::bicubic});
          },
          {signs({1, 1, 4, 3})}));
  rows.push_back(row("nn.Upsample(size=5, mode='nearest-exact')",
                     [] { return Upsample({.size = 5, .mode = InterpolateMode::nearest_exact}); },
                     {signs({1, 2, 3})}));
  rows.push_back(row("nn.UpsamplingNearest2d(scale_factor=2)",
                     [] { return UpsamplingNearest2d({.scale_factor = {2}}); },
                     {signs({1, 1, 2, 3})}));
  rows.push_back(row("nn.UpsamplingBilinear2d(size=(3, 4))",
                     [] {
                       return UpsamplingBilinear2d({.size = {3, 4}});
                     },
                     {signs({1, 1, 2, 3})}));
  rows.push_back(row("nn.PixelShuffle(2)", [] { return PixelShuffle(2); }, {signs({1, 4, 2, 3})}));
  rows.push_back(
      row("nn.PixelUnshuffle(2)", [] { return PixelUnshuffle(2); }, {signs({1, 2, 4, 2})}));
  rows.push_back(
      row("nn.ChannelShuffle(2)", [] { return ChannelShuffle(2); }, {signs({1, 4, 2, 2})}));
}

}  // namespace adjoint::nn::table
