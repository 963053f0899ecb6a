// Activation functions.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

Tensor sigmoid(const Tensor& x);
Tensor logsigmoid(const Tensor& x);
Tensor hardsigmoid(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor relu6(const Tensor& x);
// x above 0, negative_slope x below; the derivative at 0 is negative_slope.
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
// x above 0, weight x below: weight (1) or (channels), which are dimension 1. He et al. 2015, arXiv
// 1502.01852.
Tensor prelu(const Tensor& x, const Tensor& weight);
// The slope of each element is uniform in [lower, upper), or their mean unless training; a function
// of the generator's stream and the element's index, as in dropout. Xu et al. 2015, arXiv
// 1505.00853.
Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false,
             Generator& generator = default_generator());
Tensor elu(const Tensor& x, double alpha = 1.0);
Tensor selu(const Tensor& x);
Tensor celu(const Tensor& x, double alpha = 1.0);
enum class Gelu { erf, tanh };
Tensor gelu(const Tensor& x, Gelu approximate = Gelu::erf);
Tensor quick_gelu(const Tensor& x);  // x sigmoid(1.702 x): Hendrycks and Gimpel 2016, 1606.08415
Tensor silu(const Tensor& x);
Tensor mish(const Tensor& x);
Tensor softplus(const Tensor& x, double beta = 1.0, double threshold = 20.0);
Tensor softsign(const Tensor& x);
Tensor softshrink(const Tensor& x, double lambd = 0.5);
Tensor hardshrink(const Tensor& x, double lambd = 0.5);
Tensor tanhshrink(const Tensor& x);
Tensor hardtanh(const Tensor& x, double min_val = -1.0, double max_val = 1.0);
Tensor hardswish(const Tensor& x);
Tensor threshold(const Tensor& x, double threshold, double value);  // x, or value where not above
// Of the two halves of x along dim: first sigmoid(second) (Dauphin et al. 2016, arXiv 1612.08083),
// and silu(first) second (Shazeer 2020, arXiv 2002.05202).
Tensor glu(const Tensor& x, int64_t dim = -1);
Tensor swiglu(const Tensor& x, int64_t dim = -1);
Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);
Tensor softmin(const Tensor& x, int64_t dim);
// The same of x converted first.
inline Tensor softmax(const Tensor& x, int64_t dim, DType dtype) {
  return softmax(x.to(dtype), dim);
}
inline Tensor log_softmax(const Tensor& x, int64_t dim, DType dtype) {
  return log_softmax(x.to(dtype), dim);
}
inline Tensor softmin(const Tensor& x, int64_t dim, DType dtype) {
  return softmin(x.to(dtype), dim);
}
// softmax((logits + noise) / tau); hard: one-hot, with the gradient of that. Jang, Gu and Poole
// 2016, arXiv 1611.01144.
Tensor gumbel_softmax(const Tensor& logits, double tau = 1.0, bool hard = false, int64_t dim = -1,
                      Generator& generator = default_generator());
// The same of a temporary, as add(Tensor&&, ...).
Tensor sigmoid(Tensor&& x);
Tensor relu(Tensor&& x);
Tensor gelu(Tensor&& x, Gelu approximate = Gelu::erf);
Tensor silu(Tensor&& x);

}  // namespace adjoint
