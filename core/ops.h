// Operators on tensors. Names, arguments and defaults are PyTorch's.
//
// Every function returns a new tensor (a view where it says so) and records itself when grad mode
// is on and an input requires grad. All are differentiable to any order unless marked "no
// gradient". Dtypes of two inputs are promoted (bool < i64 < f32 < f64); a number does not raise a
// floating tensor's dtype. Unlike PyTorch's, 0-dimensional tensors promote as all others do, and
// integers to the power of numbers or of tensors give f32. Shapes broadcast where it says so.
// Errors name the operator, the values and what was expected: ShapeError, DTypeError, IndexError.
//
// Each line `Tensor name(` here has a row in the catalogue (core/op_catalog.h): a test compares.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace adjoint {

// --- arithmetic, broadcasting ---
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);  // integers give f32
Tensor pow(const Tensor& base, const Tensor& exponent);
Tensor maximum(const Tensor& a, const Tensor& b);  // NaN wins; a tie halves the gradient
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, Scalar b);
Tensor sub(const Tensor& a, Scalar b);
Tensor mul(const Tensor& a, Scalar b);
Tensor div(const Tensor& a, Scalar b);
Tensor pow(const Tensor& base, Scalar exponent);
Tensor rsub(const Tensor& a, Scalar b);  // b - a
Tensor rdiv(const Tensor& a, Scalar b);  // b / a

// The same of a temporary (or of a tensor given up by std::move): where nobody else sees its
// elements and the graph does not keep them, the result takes their place instead of fresh memory.
Tensor add(Tensor&& a, const Tensor& b);
Tensor add(const Tensor& a, Tensor&& b);
Tensor add(Tensor&& a, Tensor&& b);
Tensor sub(Tensor&& a, const Tensor& b);
Tensor mul(Tensor&& a, const Tensor& b);
Tensor mul(const Tensor& a, Tensor&& b);
Tensor mul(Tensor&& a, Tensor&& b);
Tensor div(Tensor&& a, const Tensor& b);
Tensor add(Tensor&& a, Scalar b);
Tensor sub(Tensor&& a, Scalar b);
Tensor mul(Tensor&& a, Scalar b);
Tensor div(Tensor&& a, Scalar b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
inline Tensor operator+(Tensor&& a, const Tensor& b) { return add(std::move(a), b); }
inline Tensor operator+(const Tensor& a, Tensor&& b) { return add(a, std::move(b)); }
inline Tensor operator+(Tensor&& a, Tensor&& b) { return add(std::move(a), std::move(b)); }
inline Tensor operator-(Tensor&& a, const Tensor& b) { return sub(std::move(a), b); }
inline Tensor operator*(Tensor&& a, const Tensor& b) { return mul(std::move(a), b); }
inline Tensor operator*(const Tensor& a, Tensor&& b) { return mul(a, std::move(b)); }
inline Tensor operator*(Tensor&& a, Tensor&& b) { return mul(std::move(a), std::move(b)); }
inline Tensor operator/(Tensor&& a, const Tensor& b) { return div(std::move(a), b); }
inline Tensor operator+(Tensor&& a, Scalar b) { return add(std::move(a), b); }
inline Tensor operator-(Tensor&& a, Scalar b) { return sub(std::move(a), b); }
inline Tensor operator*(Tensor&& a, Scalar b) { return mul(std::move(a), b); }
inline Tensor operator/(Tensor&& a, Scalar b) { return div(std::move(a), b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(Scalar a, const Tensor& b) { return rsub(b, a); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(Scalar a, const Tensor& b) { return rdiv(b, a); }

// --- functions of one tensor; whole numbers give f32 where it is not said otherwise ---
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);  // 0 for NaN
Tensor exp(const Tensor& x);
Tensor exp2(const Tensor& x);
Tensor expm1(const Tensor& x);  // exp(x) - 1 without cancellation
Tensor log(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor log1p(const Tensor& x);  // log(1 + x) without cancellation
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor erfc(const Tensor& x);
Tensor erfinv(const Tensor& x);
// Whole numbers stay as they are. The gradient is 0, but for that of frac, which is 1.
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x, int64_t decimals = 0);  // halves to even
Tensor trunc(const Tensor& x);
Tensor frac(const Tensor& x);  // x - trunc(x)
// NaN and infinities replaced, by default by 0 and by the largest finite numbers of the dtype.
Tensor nan_to_num(const Tensor& x, double nan = 0.0, std::optional<double> posinf = std::nullopt,
                  std::optional<double> neginf = std::nullopt);
// min(max(x, min), max); a bound may be missing (an undefined tensor), not both. Tensors broadcast.
// NaN stays. At a bound that is a number the gradient is 0, at one of a tensor half.
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt);
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max = {});
Tensor clamp_min(const Tensor& x, Scalar min);
Tensor clamp_min(const Tensor& x, const Tensor& min);
Tensor clamp_max(const Tensor& x, Scalar max);
Tensor clamp_max(const Tensor& x, const Tensor& max);
// No gradient; bool:
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);

// --- functions of two and three tensors, broadcasting ---
Tensor fmod(const Tensor& a, const Tensor& b);          // the sign of a
Tensor remainder(const Tensor& a, const Tensor& b);     // the sign of b, as Python's %
Tensor floor_divide(const Tensor& a, const Tensor& b);  // no gradient; of integers, by 0: 0
Tensor copysign(const Tensor& a, const Tensor& b);
Tensor hypot(const Tensor& a, const Tensor& b);
Tensor atan2(const Tensor& a, const Tensor& b);  // the angle of (b, a)
Tensor logaddexp(const Tensor& a, const Tensor& b);
Tensor logaddexp2(const Tensor& a, const Tensor& b);
Tensor xlogy(const Tensor& a, const Tensor& b);  // a log(b), 0 where a is 0
Tensor fmod(const Tensor& a, Scalar b);
Tensor remainder(const Tensor& a, Scalar b);
Tensor floor_divide(const Tensor& a, Scalar b);
Tensor copysign(const Tensor& a, Scalar b);
Tensor xlogy(const Tensor& a, Scalar b);
Tensor xlogy(Scalar a, const Tensor& b);
// a + weight (b - a), floating dtypes.
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor lerp(const Tensor& a, const Tensor& b, double weight);
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b,
               double value = 1.0);  // + value a b
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1.0);

// --- logic and bits, broadcasting; no gradient ---
Tensor logical_not(const Tensor& x);  // of any dtype; bool
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_not(const Tensor& x);  // of i64 and bool
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);   // of i64
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);  // keeps the sign
Tensor bitwise_and(const Tensor& a, Scalar b);
Tensor bitwise_or(const Tensor& a, Scalar b);
Tensor bitwise_xor(const Tensor& a, Scalar b);
Tensor bitwise_left_shift(const Tensor& a, Scalar b);
Tensor bitwise_right_shift(const Tensor& a, Scalar b);

// --- activations ---
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
Tensor softmin(const Tensor& x, int64_t dim);
// softmax((logits + noise) / tau); hard: one-hot, with the gradient of that. Jang, Gu and Poole
// 2016, arXiv 1611.01144.
Tensor gumbel_softmax(const Tensor& logits, double tau = 1.0, bool hard = false, int64_t dim = -1,
                      Generator& generator = default_generator());
Tensor tanh(Tensor&& x);  // as add(Tensor&&, ...)
Tensor sigmoid(Tensor&& x);
Tensor relu(Tensor&& x);
Tensor gelu(Tensor&& x, Gelu approximate = Gelu::erf);
Tensor silu(Tensor&& x);
inline Tensor operator-(const Tensor& x) { return neg(x); }

// --- comparisons, broadcasting; no gradient; bool ---
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, Scalar b);
Tensor ne(const Tensor& a, Scalar b);
Tensor lt(const Tensor& a, Scalar b);
Tensor le(const Tensor& a, Scalar b);
Tensor gt(const Tensor& a, Scalar b);
Tensor ge(const Tensor& a, Scalar b);
inline Tensor operator==(const Tensor& a, const Tensor& b) { return eq(a, b); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return ne(a, b); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
inline Tensor operator==(const Tensor& a, Scalar b) { return eq(a, b); }
inline Tensor operator!=(const Tensor& a, Scalar b) { return ne(a, b); }
inline Tensor operator<(const Tensor& a, Scalar b) { return lt(a, b); }
inline Tensor operator<=(const Tensor& a, Scalar b) { return le(a, b); }
inline Tensor operator>(const Tensor& a, Scalar b) { return gt(a, b); }
inline Tensor operator>=(const Tensor& a, Scalar b) { return ge(a, b); }

// --- selection, broadcasting ---
// condition (bool) ? a : b.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
// x with `value` where mask (bool, broadcasts to x's shape) is true.
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
// Lower triangle of the last two dimensions, on and below the diagonal; zeros elsewhere.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

// --- dtype and layout ---
Tensor to(const Tensor& x, DType dtype);  // x itself if it has the dtype
Tensor clone(const Tensor& x);
Tensor contiguous(const Tensor& x);  // x itself if it is contiguous

// --- shape ---
// One size may be -1. `view` shares elements or throws; `reshape` copies where it must.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor view(const Tensor& x, const Shape& shape);
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
// Views:
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& x, const Shape& dims);
Tensor squeeze(const Tensor& x, int64_t dim);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor expand(const Tensor& x, const Shape& shape);  // -1 keeps a size
// Elements start, start + step, ... before end along dim, clamped as Python slices; step >= 1.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end = INT64_MAX,
             int64_t step = 1);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
std::vector<Tensor> split(const Tensor& x, std::span<const int64_t> sizes, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
// Copies:
Tensor cat(std::span<const Tensor> tensors, int64_t dim = 0);
Tensor stack(std::span<const Tensor> tensors, int64_t dim = 0);
inline Tensor cat(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return cat(std::span<const Tensor>(tensors.begin(), tensors.size()), dim);
}
inline Tensor stack(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return stack(std::span<const Tensor>(tensors.begin(), tensors.size()), dim);
}

// --- reductions: over all elements, or over dims ---
inline constexpr bool kKeepDim = true;
Tensor sum(const Tensor& x);  // integers and bools give i64
Tensor sum(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim = false);
// The gradient goes to all equal maxima alike for `amax` (over all, or several dims) and to the
// first one for `max` over one dim, which also gives its index (i64).
Tensor amax(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor amin(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
struct ValuesAndIndices {
  Tensor values, indices;
};
ValuesAndIndices max(const Tensor& x, int64_t dim, bool keepdim = false);
ValuesAndIndices min(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim = false);  // no gradient; first maximum
// Divides by (count - correction). Over all elements, other corrections: var(x, Shape{}, 0).
Tensor var(const Tensor& x, const Shape& dims, double correction = 1, bool keepdim = false);
Tensor var(const Tensor& x);
Tensor sum_to_size(const Tensor& x, const Shape& shape);  // what broadcasting had expanded
// Over all elements of a bool tensor; no gradient.
bool any(const Tensor& x);
bool all(const Tensor& x);
bool all_finite(const Tensor& x);

// --- linear algebra ---
// As torch.matmul: (k)(k), (m,k)(k), (k)(k,n), (m,k)(k,n), and batches that broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);  // (b,m,k)(b,k,n)
// x w^T + bias: x (..., in), w (out, in), bias (out) or undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// linear(x, weight, bias) + residual in one sweep, with the same bits: residual (..., out), of the
// product's shape. Where the product is of bf16 or the residual of another dtype, it is those two
// operators. ShapeError and DTypeError as linear, and for a residual that does not fit.
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& residual);
enum class Activation { relu, gelu, gelu_tanh, silu };  // gelu is of Gelu::erf
const char* name(Activation activation);                // "relu", ...
// activation(linear(x, weight, bias)) in one sweep, forward and backward; the same bits forward.
Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         Activation activation);

// --- networks ---
Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);
// Over the last dims, which have `normalized_shape`; weight and bias of that shape or undefined.
// Ba, Kiros, Hinton 2016, arXiv 1607.06450.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
// A residual connection and the norm that follows it: x + residual (of one shape), and
// layer_norm(x + residual).
struct SumAndNormalized {
  Tensor sum, normalized;
};
SumAndNormalized add_layer_norm(const Tensor& x, const Tensor& residual,
                                const Shape& normalized_shape, const Tensor& weight = {},
                                const Tensor& bias = {}, double eps = 1e-5);
// x / sqrt(mean(x^2) + eps) weight over the last dims, as layer_norm; eps is by default the
// dtype's epsilon. Zhang, Sennrich 2019, arXiv 1910.07467.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = std::nullopt);
// Zeroes each element with probability p and divides the others by 1 - p; x itself unless training.
// The mask is a function of the generator's stream and the element's index, not stored.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true,
               Generator& generator = default_generator());
// Rows of weight (rows, width) by indices (i64, any shape): indices.shape + (width). IndexError
// names an index outside. The gradient of row padding_idx is zero.
Tensor embedding(const Tensor& indices, const Tensor& weight,
                 std::optional<int64_t> padding_idx = std::nullopt);
enum class Reduction { none, mean, sum };
struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  int64_t ignore_index = -100;   // targets that count for nothing
  double label_smoothing = 0.0;  // Szegedy et al. 2016, arXiv 1512.00567, section 7
};
// -log softmax(logits)[target]: logits (classes), (N, classes) or (N, classes, d...), targets i64
// without the class dimension. The mean is over targets that are not ignored.
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
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean);
struct AttentionOptions {
  Tensor mask = {};  // broadcasts to (..., L, S): bool (true takes part) or floating (added)
  double dropout_p = 0.0;
  bool is_causal = false;  // query i sees keys j <= i (top-left aligned), not with a mask
  std::optional<double> scale = std::nullopt;  // 1 / sqrt(E)
  Generator* generator = nullptr;              // of the dropout; the thread's own by default
};
// softmax(q k^T scale + mask) v: q (..., L, E), k (..., S, E), v (..., S, Ev) -> (..., L, Ev).
// Vaswani et al. 2017, arXiv 1706.03762, equation 1. A row without any key gives zeros.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});

// --- random tensors: a stream of the generator each; no gradient ---
Tensor rand(const Shape& shape, DType dtype = DType::f32,
            Generator& generator = default_generator());  // [0, 1)
Tensor randn(const Shape& shape, DType dtype = DType::f32,
             Generator& generator = default_generator());
Tensor randint(int64_t low, int64_t high, const Shape& shape,
               Generator& generator = default_generator());  // i64 in [low, high)
Tensor randperm(int64_t n, Generator& generator = default_generator());

}  // namespace adjoint
