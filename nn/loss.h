// Losses and distances as modules: the operators of <adjoint/core/losses.h>. They print as PyTorch
// prints them, by their names. Weights are buffers: they follow the model's dtype, and are part of
// its state.
//
//   const nn::CrossEntropyLoss loss({.label_smoothing = 0.1});
//   loss(model(x), labels).backward();
#pragma once

#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

// --- of numbers: forward(input, target) ---

class L1Loss : public Module<L1Loss> {
 public:
  explicit L1Loss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return l1_loss(input, target, reduction_);
  }

 private:
  Reduction reduction_;
};

class MSELoss : public Module<MSELoss> {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return mse_loss(input, target, reduction_);
  }

 private:
  Reduction reduction_;
};

struct SmoothL1LossOptions {
  Reduction reduction = Reduction::mean;
  double beta = 1.0;
};
// ConfigError for beta below 0.
class SmoothL1Loss : public Module<SmoothL1Loss> {
 public:
  explicit SmoothL1Loss(const SmoothL1LossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return smooth_l1_loss(input, target, options_.reduction, options_.beta);
  }

 private:
  SmoothL1LossOptions options_;
};

struct HuberLossOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1.0;
};
// ConfigError for delta of 0 or less.
class HuberLoss : public Module<HuberLoss> {
 public:
  explicit HuberLoss(const HuberLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return huber_loss(input, target, options_.reduction, options_.delta);
  }

 private:
  HuberLossOptions options_;
};

class LogCoshLoss : public Module<LogCoshLoss> {
 public:
  explicit LogCoshLoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return log_cosh_loss(input, target, reduction_);
  }

 private:
  Reduction reduction_;
};

struct PoissonNLLLossOptions {
  bool log_input = true;
  bool full = false;
  double eps = 1e-8;
  Reduction reduction = Reduction::mean;
};
class PoissonNLLLoss : public Module<PoissonNLLLoss> {
 public:
  explicit PoissonNLLLoss(const PoissonNLLLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return poisson_nll_loss(input, target, options_.log_input, options_.full, options_.eps,
                            options_.reduction);
  }

 private:
  PoissonNLLLossOptions options_;
};

struct GaussianNLLLossOptions {
  bool full = false;
  double eps = 1e-6;
  Reduction reduction = Reduction::mean;
};
class GaussianNLLLoss : public Module<GaussianNLLLoss> {
 public:
  explicit GaussianNLLLoss(const GaussianNLLLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target, const Tensor& var) const {
    return gaussian_nll_loss(input, target, var, options_.full, options_.eps, options_.reduction);
  }

 private:
  GaussianNLLLossOptions options_;
};

// --- of probabilities ---

struct BCELossOptions {
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
};
class BCELoss : public Module<BCELoss> {
 public:
  explicit BCELoss(const BCELossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void members(Visitor& v) override { v("weight", weight); }

  Buffer weight;  // as given, or undefined

 private:
  BCELossOptions options_;  // but for the weight
};

struct BCEWithLogitsLossOptions {
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
  Tensor pos_weight = {};
};
class BCEWithLogitsLoss : public Module<BCEWithLogitsLoss> {
 public:
  explicit BCEWithLogitsLoss(const BCEWithLogitsLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void members(Visitor& v) override {
    v("weight", weight);
    v("pos_weight", pos_weight);
  }

  Buffer weight, pos_weight;  // as given, or undefined

 private:
  BCEWithLogitsLossOptions options_;  // but for the weights
};

struct SigmoidFocalLossOptions {
  double alpha = 0.25;
  double gamma = 2.0;
  Reduction reduction = Reduction::none;
};
// As torchvision's function.
class SigmoidFocalLoss : public Module<SigmoidFocalLoss> {
 public:
  explicit SigmoidFocalLoss(const SigmoidFocalLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return sigmoid_focal_loss(input, target, options_.alpha, options_.gamma, options_.reduction);
  }

 private:
  SigmoidFocalLossOptions options_;
};

struct KLDivLossOptions {
  Reduction reduction = Reduction::mean;
  bool log_target = false;
};
class KLDivLoss : public Module<KLDivLoss> {
 public:
  explicit KLDivLoss(const KLDivLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return kl_div(input, target, options_.reduction, options_.log_target);
  }

 private:
  KLDivLossOptions options_;
};

// --- of classes: forward(input, target) ---

// ConfigError for a label_smoothing outside of [0, 1].
class CrossEntropyLoss : public Module<CrossEntropyLoss> {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void members(Visitor& v) override { v("weight", weight); }

  Buffer weight;  // as given, or undefined

 private:
  CrossEntropyOptions options_;  // but for the weight
};

struct NLLLossOptions {
  Tensor weight = {};
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
};
class NLLLoss : public Module<NLLLoss> {
 public:
  explicit NLLLoss(const NLLLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void members(Visitor& v) override { v("weight", weight); }

  Buffer weight;  // as given, or undefined

 private:
  NLLLossOptions options_;  // but for the weight
};

struct CTCLossOptions {
  int64_t blank = 0;
  Reduction reduction = Reduction::mean;
  bool zero_infinity = false;
};
class CTCLoss : public Module<CTCLoss> {
 public:
  explicit CTCLoss(const CTCLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                 const Tensor& target_lengths) const {
    return ctc_loss(log_probs, targets, input_lengths, target_lengths, options_.blank,
                    options_.reduction, options_.zero_infinity);
  }

 private:
  CTCLossOptions options_;
};

// --- of margins ---

class SoftMarginLoss : public Module<SoftMarginLoss> {
 public:
  explicit SoftMarginLoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return soft_margin_loss(input, target, reduction_);
  }

 private:
  Reduction reduction_;
};

struct HingeEmbeddingLossOptions {
  double margin = 1.0;
  Reduction reduction = Reduction::mean;
};
class HingeEmbeddingLoss : public Module<HingeEmbeddingLoss> {
 public:
  explicit HingeEmbeddingLoss(const HingeEmbeddingLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return hinge_embedding_loss(input, target, options_.margin, options_.reduction);
  }

 private:
  HingeEmbeddingLossOptions options_;
};

struct MarginRankingLossOptions {
  double margin = 0.0;
  Reduction reduction = Reduction::mean;
};
class MarginRankingLoss : public Module<MarginRankingLoss> {
 public:
  explicit MarginRankingLoss(const MarginRankingLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const {
    return margin_ranking_loss(input1, input2, target, options_.margin, options_.reduction);
  }

 private:
  MarginRankingLossOptions options_;
};

struct MultiMarginLossOptions {
  int64_t p = 1;
  double margin = 1.0;
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
};
// ConfigError for another p than 1 and 2.
class MultiMarginLoss : public Module<MultiMarginLoss> {
 public:
  explicit MultiMarginLoss(const MultiMarginLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void members(Visitor& v) override { v("weight", weight); }

  Buffer weight;  // as given, or undefined

 private:
  MultiMarginLossOptions options_;  // but for the weight
};

class MultiLabelMarginLoss : public Module<MultiLabelMarginLoss> {
 public:
  explicit MultiLabelMarginLoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return multilabel_margin_loss(input, target, reduction_);
  }

 private:
  Reduction reduction_;
};

struct MultiLabelSoftMarginLossOptions {
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
};
class MultiLabelSoftMarginLoss : public Module<MultiLabelSoftMarginLoss> {
 public:
  explicit MultiLabelSoftMarginLoss(const MultiLabelSoftMarginLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void members(Visitor& v) override { v("weight", weight); }

  Buffer weight;  // as given, or undefined

 private:
  MultiLabelSoftMarginLossOptions options_;  // but for the weight
};

struct TripletMarginLossOptions {
  double margin = 1.0;
  double p = 2.0;
  double eps = 1e-6;
  bool swap = false;
  Reduction reduction = Reduction::mean;
};
// ConfigError for a margin of 0 or less.
class TripletMarginLoss : public Module<TripletMarginLoss> {
 public:
  explicit TripletMarginLoss(const TripletMarginLossOptions& options = {});
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const {
    return triplet_margin_loss(anchor, positive, negative, options_.margin, options_.p,
                               options_.eps, options_.swap, options_.reduction);
  }

 private:
  TripletMarginLossOptions options_;
};

struct TripletMarginWithDistanceLossOptions {
  DistanceFunction distance_function = {};
  double margin = 1.0;
  bool swap = false;
  Reduction reduction = Reduction::mean;
};
// ConfigError for a margin of 0 or less.
class TripletMarginWithDistanceLoss : public Module<TripletMarginWithDistanceLoss> {
 public:
  explicit TripletMarginWithDistanceLoss(const TripletMarginWithDistanceLossOptions& options = {});
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const {
    return triplet_margin_with_distance_loss(anchor, positive, negative, options_.distance_function,
                                             options_.margin, options_.swap, options_.reduction);
  }

 private:
  TripletMarginWithDistanceLossOptions options_;
};

struct CosineEmbeddingLossOptions {
  double margin = 0.0;
  Reduction reduction = Reduction::mean;
};
class CosineEmbeddingLoss : public Module<CosineEmbeddingLoss> {
 public:
  explicit CosineEmbeddingLoss(const CosineEmbeddingLossOptions& options = {})
      : options_(options) {}
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const {
    return cosine_embedding_loss(input1, input2, target, options_.margin, options_.reduction);
  }

 private:
  CosineEmbeddingLossOptions options_;
};

// --- distances: forward(x1, x2) ---

struct CosineSimilarityOptions {
  int64_t dim = 1;
  double eps = 1e-8;
};
class CosineSimilarity : public Module<CosineSimilarity> {
 public:
  explicit CosineSimilarity(const CosineSimilarityOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x1, const Tensor& x2) const {
    return cosine_similarity(x1, x2, options_.dim, options_.eps);
  }

 private:
  CosineSimilarityOptions options_;
};

struct PairwiseDistanceOptions {
  double p = 2.0;
  double eps = 1e-6;
  bool keepdim = false;
};
class PairwiseDistance : public Module<PairwiseDistance> {
 public:
  explicit PairwiseDistance(const PairwiseDistanceOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x1, const Tensor& x2) const {
    return pairwise_distance(x1, x2, options_.p, options_.eps, options_.keepdim);
  }

 private:
  PairwiseDistanceOptions options_;
};

}  // namespace adjoint::nn
