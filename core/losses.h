// Losses and distances.
//
// Each loss gives one number for each sample (Reduction::none), their mean or their sum; the mean
// of none is NaN, the sum 0. Operands promote; weights take the dtype of the rest. Where one of two
// operands broadcasts to the other they may differ in shape; two that would both grow, (3,) and
// (3, 1), are an error. Losses of bf16 and f16 are computed in f32 and rounded once.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <functional>

namespace adjoint {

// batchmean, of kl_div only: the sum divided by the size of dimension 0.
enum class Reduction { none, mean, sum, batchmean };

// --- of numbers ---
// `weight`, of the input's shape, multiplies each loss; the mean of mse_loss and l1_loss is then
// divided by the sum of the weights, that of huber_loss by their number.
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean,
                const Tensor& weight = {});
Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean,
               const Tensor& weight = {});
// With d = |input - target|: d^2 / (2 beta) below beta, d - beta / 2 from there on (Girshick 2015,
// arXiv 1504.08083, equation 3, with beta = 1). beta 0 is l1_loss.
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target,
                      Reduction reduction = Reduction::mean, double beta = 1.0);
// d^2 / 2 up to delta, delta (d - delta / 2) beyond. Huber 1964.
Tensor huber_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean,
                  double delta = 1.0, const Tensor& weight = {});
// log(cosh(input - target)), without overflow.
Tensor log_cosh_loss(const Tensor& input, const Tensor& target,
                     Reduction reduction = Reduction::mean);
// exp(input) - target input where log_input, else input - target log(input + eps); full adds
// Stirling's approximation of log(target!) for targets above 1.
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input = true,
                        bool full = false, double eps = 1e-8,
                        Reduction reduction = Reduction::mean);
// (log(var) + (input - target)^2 / var) / 2, var being at least eps; full adds log(2 pi) / 2. var
// is of the input's shape, without its last dimension, or with one dimension of size 1. Nix and
// Weigend 1994.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         bool full = false, double eps = 1e-6,
                         Reduction reduction = Reduction::mean);

// --- of probabilities ---
// input and target in [0, 1], of one shape; logarithms are at least -100. weight broadcasts.
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                            Reduction reduction = Reduction::mean);
// The same of sigmoid(input), without overflow; pos_weight multiplies what positives cost.
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const Tensor& weight = {},
                                        Reduction reduction = Reduction::mean,
                                        const Tensor& pos_weight = {});
// alpha_t (1 - p_t)^gamma times binary_cross_entropy_with_logits (Lin et al. 2017, arXiv
// 1708.02002); as torchvision's. A negative alpha balances nothing.
Tensor sigmoid_focal_loss(const Tensor& input, const Tensor& target, double alpha = 0.25,
                          double gamma = 2.0, Reduction reduction = Reduction::none);
// target (log(target) - input), the input being log-probabilities; with log_target the target too.
Tensor kl_div(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean,
              bool log_target = false);

// --- of classes ---
struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  int64_t ignore_index = -100;   // targets that count for nothing
  double label_smoothing = 0.0;  // Szegedy et al. 2016, arXiv 1512.00567, section 7
  Tensor weight = {};            // of each class: (classes)
};
// -log softmax(logits)[target]: logits (classes), (N, classes) or (N, classes, d...), targets i64
// without the class dimension, or probabilities of the logits' shape. The mean is over the weights
// of targets that are not ignored; for probabilities over all.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {});
struct LinearCrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  int64_t ignore_index = -100;
  double label_smoothing = 0.0;
  int64_t chunk_rows = 0;  // rows of logits at a time; 0: about 26 million logits
};
// cross_entropy(linear(x, linear_weight, linear_bias), target) without all logits at once: x (...,
// in), linear_weight (classes, in), linear_bias (classes) or undefined, targets i64 (...). Where
// there are several chunks and the losses are reduced, gradients are computed with the loss.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& linear_weight, const Tensor& target,
                            const Tensor& linear_bias = {},
                            const LinearCrossEntropyOptions& options = {});
// -weight[target] input[target] of log-probabilities, shaped as cross_entropy's logits.
Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                int64_t ignore_index = -100, Reduction reduction = Reduction::mean);
// Connectionist temporal classification (Graves et al. 2006): log_probs (T, N, classes) or (T,
// classes), normalised over the classes; targets (N, S) padded, (S) for one, or all one after the
// other; lengths (N) or (). The mean is of each loss divided by its target's length. A target that
// cannot be aligned has loss infinity, or 0 (and gradient 0) with zero_infinity.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank = 0,
                Reduction reduction = Reduction::mean, bool zero_infinity = false);

// --- of margins ---
// Targets are 1 or -1.
Tensor soft_margin_loss(const Tensor& input, const Tensor& target,
                        Reduction reduction = Reduction::mean);  // log(1 + exp(-target input))
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin = 1.0,
                            Reduction reduction = Reduction::mean);
// max(0, margin - target (input1 - input2))
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                           double margin = 0.0, Reduction reduction = Reduction::mean);
// The mean over the classes of max(0, margin - input[target] + input[class])^p, p being 1 or 2:
// input (classes) or (N, classes), target i64; weight (classes) is that of the target.
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p = 1,
                         double margin = 1.0, const Tensor& weight = {},
                         Reduction reduction = Reduction::mean);
// Targets are rows of classes, of the input's shape, that end at the first -1.
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target,
                              Reduction reduction = Reduction::mean);
// The mean over the classes, which are last, of binary_cross_entropy_with_logits.
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                   const Tensor& weight = {},
                                   Reduction reduction = Reduction::mean);
// max(0, margin + distance(anchor, positive) - distance(anchor, negative)); swap takes the nearer
// of anchor and positive to the negative (Balntas et al. 2016).
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin = 1.0, double p = 2.0, double eps = 1e-6,
                           bool swap = false, Reduction reduction = Reduction::mean);
// With any distance; pairwise_distance where there is none.
using DistanceFunction = std::function<Tensor(const Tensor&, const Tensor&)>;
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive,
                                         const Tensor& negative,
                                         const DistanceFunction& distance = {}, double margin = 1.0,
                                         bool swap = false, Reduction reduction = Reduction::mean);
// 1 - cosine where the target is 1, max(0, cosine - margin) where it is -1: inputs (N, width) with
// targets (N), or (width) with ().
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             double margin = 0.0, Reduction reduction = Reduction::mean);

// --- distances ---
// The cosine of the angle between vectors along dim, which broadcast; norms are at least eps.
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim = 1, double eps = 1e-8);
// The p-norm of x1 - x2 + eps over the last dimension; its gradient at 0 is 0.
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2.0, double eps = 1e-6,
                         bool keepdim = false);
// The p-norm of the difference of each row of x1 (..., P, M) to each of x2 (..., R, M): (..., P,
// R). Beyond 25 rows, p = 2 is computed by a matrix product.
Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2.0);

}  // namespace adjoint
