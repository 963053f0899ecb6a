// Initial distributions, as torch.nn.init. They write in place and record nothing.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace adjoint::nn {
class ModuleBase;
}

namespace adjoint::nn::init {

void uniform_(const Tensor& x, double low = 0, double high = 1,
              Generator& generator = default_generator());
void normal_(const Tensor& x, double mean = 0, double std = 1,
             Generator& generator = default_generator());
void constant_(const Tensor& x, double value);
void zeros_(const Tensor& x);
void ones_(const Tensor& x);
// Normal numbers of which those outside [a, b] are left out.
void trunc_normal_(const Tensor& x, double mean = 0, double std = 1, double a = -2, double b = 2,
                   Generator& generator = default_generator());
// The identity, as far as the matrix goes. ShapeError unless of two dimensions.
void eye_(const Tensor& x);
// (out, in / groups, kernel of 1 to 3 dimensions): each group's outputs are its first inputs, as
// far as there are such. ShapeError for another rank or outputs that groups do not divide.
void dirac_(const Tensor& x, int64_t groups = 1);
// gain times a matrix with orthonormal rows or columns, the fewer ones, all of them equally likely;
// the dimensions behind the first count as one. Saxe, McClelland, Ganguli 2013, arXiv 1312.6120.
void orthogonal_(const Tensor& x, double gain = 1, Generator& generator = default_generator());
// normal(0, std), with a share `sparsity` (rounded up to whole elements) of each column zero.
// Martens 2010, "Deep learning via Hessian-free optimization". ShapeError unless of two dimensions.
void sparse_(const Tensor& x, double sparsity, double std = 0.01,
             Generator& generator = default_generator());

// How many values an element of the result is summed from, and how many it goes to: a weight is
// (out, in) or (out, in, kernel...). ShapeError below two dimensions.
struct Fans {
  int64_t in, out;
};
Fans fans(const Tensor& weight);

enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };  // linear: conv, too
// The factor that keeps the variance through the function; slope is of leaky_relu.
double calculate_gain(Nonlinearity nonlinearity, double slope = 0.01);

// Glorot, Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks":
// variance 2 gain^2 / (fan_in + fan_out).
void xavier_uniform_(const Tensor& x, double gain = 1, Generator& generator = default_generator());
void xavier_normal_(const Tensor& x, double gain = 1, Generator& generator = default_generator());

enum class FanMode { fan_in, fan_out };
struct KaimingOptions {
  double a = 0;  // the slope of leaky_relu
  FanMode mode = FanMode::fan_in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};
// He, Zhang, Ren, Sun 2015, arXiv 1502.01852: variance gain^2 / fan.
void kaiming_uniform_(const Tensor& x, const KaimingOptions& options = {},
                      Generator& generator = default_generator());
void kaiming_normal_(const Tensor& x, const KaimingOptions& options = {},
                     Generator& generator = default_generator());

struct Gpt2Options {
  int64_t n_layer = 1;
  double std = 0.02;
  // The names of the Linear layers that end a residual branch: GPT-2's, and TransformerBlock's.
  std::vector<std::string> residual = {"c_proj", "out_proj", "linear2"};
};
// Radford et al. 2019 (GPT-2): weights of Linear, Embedding, MultiHeadAttention and learned
// positions from normal(0, std), those that end a residual branch from
// normal(0, std / sqrt(2 n_layer)); biases and the row padding_idx zero. Everything else stays.
// Each parameter is drawn once, in the order of the visit, so the weights are a function of the
// generator's state. ConfigError for n_layer below 1.
void gpt2_(ModuleBase& model, const Gpt2Options& options,
           Generator& generator = default_generator());

}  // namespace adjoint::nn::init
