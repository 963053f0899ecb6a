#include <adjoint/nn/loss.h>

namespace adjoint::nn {
namespace {

// A weight that is given becomes a buffer.
Buffer buffer_of(const Tensor& weight) {
  return weight.defined() ? Buffer(weight.clone()) : Buffer();
}

}  // namespace

BCELoss::BCELoss(const BCELossOptions& options)
    : weight(buffer_of(options.weight)), options_(options) {
  options_.weight = {};
}

Tensor BCELoss::forward(const Tensor& input, const Tensor& target) const {
  return binary_cross_entropy(input, target, weight, options_.reduction);
}

BCEWithLogitsLoss::BCEWithLogitsLoss(const BCEWithLogitsLossOptions& options)
    : weight(buffer_of(options.weight)),
      pos_weight(buffer_of(options.pos_weight)),
      options_(options) {
  options_.weight = {};
  options_.pos_weight = {};
}

Tensor BCEWithLogitsLoss::forward(const Tensor& input, const Tensor& target) const {
  return binary_cross_entropy_with_logits(input, target, weight, options_.reduction, pos_weight);
}

CrossEntropyLoss::CrossEntropyLoss(const CrossEntropyOptions& options)
    : weight(buffer_of(options.weight)), options_(options) {
  options_.weight = {};
  check<ConfigError>(options.label_smoothing >= 0 && options.label_smoothing <= 1,
                     "CrossEntropyLoss: label_smoothing ", options.label_smoothing,
                     "; expected it in [0, 1]");
}

Tensor CrossEntropyLoss::forward(const Tensor& input, const Tensor& target) const {
  CrossEntropyOptions options = options_;
  options.weight = weight;
  return cross_entropy(input, target, options);
}

NLLLoss::NLLLoss(const NLLLossOptions& options)
    : weight(buffer_of(options.weight)), options_(options) {
  options_.weight = {};
}

Tensor NLLLoss::forward(const Tensor& input, const Tensor& target) const {
  return nll_loss(input, target, weight, options_.ignore_index, options_.reduction);
}

MultiMarginLoss::MultiMarginLoss(const MultiMarginLossOptions& options)
    : weight(buffer_of(options.weight)), options_(options) {
  options_.weight = {};
  check<ConfigError>(options.p == 1 || options.p == 2, "MultiMarginLoss: p ", options.p,
                     "; expected 1 or 2");
}

Tensor MultiMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return multi_margin_loss(input, target, options_.p, options_.margin, weight, options_.reduction);
}

MultiLabelSoftMarginLoss::MultiLabelSoftMarginLoss(const MultiLabelSoftMarginLossOptions& options)
    : weight(buffer_of(options.weight)), options_(options) {
  options_.weight = {};
}

Tensor MultiLabelSoftMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return multilabel_soft_margin_loss(input, target, weight, options_.reduction);
}

SmoothL1Loss::SmoothL1Loss(const SmoothL1LossOptions& options) : options_(options) {
  check<ConfigError>(options.beta >= 0, "SmoothL1Loss: beta ", options.beta,
                     "; expected 0 or more");
}

HuberLoss::HuberLoss(const HuberLossOptions& options) : options_(options) {
  check<ConfigError>(options.delta > 0, "HuberLoss: delta ", options.delta,
                     "; expected a positive number");
}

TripletMarginLoss::TripletMarginLoss(const TripletMarginLossOptions& options) : options_(options) {
  check<ConfigError>(options.margin > 0, "TripletMarginLoss: margin ", options.margin,
                     "; expected a positive number");
}

TripletMarginWithDistanceLoss::TripletMarginWithDistanceLoss(
    const TripletMarginWithDistanceLossOptions& options)
    : options_(options) {
  check<ConfigError>(options.margin > 0, "TripletMarginWithDistanceLoss: margin ", options.margin,
                     "; expected a positive number");
}

}  // namespace adjoint::nn
