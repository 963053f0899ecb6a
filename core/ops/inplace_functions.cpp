// Functions that write into a tensor what an operator makes of it.
#include <adjoint/core/activations.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/rearranging.h>

#include <algorithm>
#include <limits>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"
#include "core/ops/places.h"

namespace adjoint {
namespace {

using kernels::Unary;

struct Name {
  const char* in_place;
  const char* functional;
};

// Written into x, which carries y's history from now on and no longer its own.
//   dy = dx, and nothing to what x was
void become(const Name& name, const Tensor& x, const Tensor& y) {
  const Op op(name.in_place, {x, y});
  op.check(y.shape() == x.shape(), "a result of shape ", y.shape(), " for a tensor of shape ",
           x.shape(), "; expected the same; use ", name.functional);
  op.check<DTypeError>(can_hold(x.dtype(), y.dtype()), "a result of dtype ", y.dtype(),
                       " for a tensor of dtype ", x.dtype(),
                       "; expected a dtype that does not lose its values; use ", name.functional);
  op.check_in_place(x, name.functional);
  write_elements(x, y);
  op.in_place(x, [](const Backward& b) -> Grads { return {Tensor(), b.dy(0)}; });
}

// x = f(x, others...). Recorded, f sees copies with history of what is about to change: it may save
// them.
template <class F, class... Others>
void apply(const Name& name, const Tensor& x, const F& f, const Others&... others) {
  check_writable(name.in_place, x);
  const auto wants_grad = [](const Tensor& y) { return y.defined() && y.requires_grad(); };
  const bool recorded = grad_enabled() && (wants_grad(x) || ... || wants_grad(others));
  const auto before = [&](const Tensor& y) {
    return recorded && y.defined() && share_elements(x, y) ? clone(y) : y;
  };
  become(name, x, f(before(x), before(others)...));
}

using Function = Tensor (*)(const Tensor&);

// The same of an f that has a kernel, which writes over x itself where nothing is recorded, and
// whose closure keeps x or its result only.
enum class Keeps : bool { input, result };
void apply(const Name& name, const Tensor& x, kernels::Unary which, Function f, Keeps keeps) {
  check_writable(name.in_place, x);
  const auto kernel = kernel_table().unary.value[static_cast<int>(which)][index(x.dtype())];
  if (kernel == nullptr || (grad_enabled() && x.requires_grad())) {
    return keeps == Keeps::input ? apply(name, x, f) : become(name, x, f(x));
  }
  const Op op(name.in_place, {x});
  op.check_in_place(x, name.functional);
  kernel(KernelScope(), make_loop<2>(x.shape(), {&x, &x}));
  op.in_place(x, [](const Backward&) -> Grads { return {Tensor()}; });
}

// Random numbers, or what has no gradient: x is what it is made.
template <class F>
void refill(const Name& name, const Tensor& x, const F& make) {
  check_writable(name.in_place, x);
  become(name, x, make());
}

// One more than the largest whole number up to which a dtype holds all.
int64_t whole_numbers(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return (int64_t{1} << 53) + 1;
    case DType::f32:
      return (int64_t{1} << 24) + 1;
    case DType::f16:
      return (int64_t{1} << 11) + 1;
    case DType::bf16:
      return (int64_t{1} << 8) + 1;
    case DType::i32:
      return int64_t{1} << 31;
    case DType::u8:
      return 256;
    case DType::boolean:
      return 2;
    default:
      return std::numeric_limits<int64_t>::max();
  }
}

}  // namespace

void neg_(const Tensor& x) { apply({"neg_", "neg()"}, x, Unary::neg, &neg, Keeps::result); }
void abs_(const Tensor& x) { apply({"abs_", "abs()"}, x, Unary::abs, &abs, Keeps::input); }
void exp_(const Tensor& x) { apply({"exp_", "exp()"}, x, Unary::exp, &exp, Keeps::result); }
void log_(const Tensor& x) { apply({"log_", "log()"}, x, Unary::log, &log, Keeps::input); }
void sqrt_(const Tensor& x) { apply({"sqrt_", "sqrt()"}, x, Unary::sqrt, &sqrt, Keeps::result); }
void rsqrt_(const Tensor& x) {
  apply({"rsqrt_", "rsqrt()"}, x, Unary::rsqrt, &rsqrt, Keeps::result);
}
void square_(const Tensor& x) {
  apply({"square_", "square()"}, x, Unary::square, &square, Keeps::input);
}
void reciprocal_(const Tensor& x) {
  apply({"reciprocal_", "reciprocal()"}, x, Unary::reciprocal, &reciprocal, Keeps::result);
}
void sin_(const Tensor& x) { apply({"sin_", "sin()"}, x, Unary::sin, &sin, Keeps::input); }
void cos_(const Tensor& x) { apply({"cos_", "cos()"}, x, Unary::cos, &cos, Keeps::input); }
void tanh_(const Tensor& x) { apply({"tanh_", "tanh()"}, x, Unary::tanh, &tanh, Keeps::result); }
void sigmoid_(const Tensor& x) {
  apply({"sigmoid_", "sigmoid()"}, x, Unary::sigmoid, &sigmoid, Keeps::result);
}
void relu_(const Tensor& x) { apply({"relu_", "relu()"}, x, Unary::relu, &relu, Keeps::result); }
void erf_(const Tensor& x) { apply({"erf_", "erf()"}, x, Unary::erf, &erf, Keeps::input); }
void floor_(const Tensor& x) {
  apply({"floor_", "floor()"}, x, Unary::floor, &floor, Keeps::result);
}
void ceil_(const Tensor& x) { apply({"ceil_", "ceil()"}, x, Unary::ceil, &ceil, Keeps::result); }
void trunc_(const Tensor& x) {
  apply({"trunc_", "trunc()"}, x, Unary::trunc, &trunc, Keeps::result);
}
void logical_not_(const Tensor& x) {
  apply({"logical_not_", "logical_not()"}, x, Function(&logical_not));
}
void leaky_relu_(const Tensor& x, double negative_slope) {
  apply({"leaky_relu_", "leaky_relu()"}, x,
        [=](const Tensor& v) { return leaky_relu(v, negative_slope); });
}
void elu_(const Tensor& x, double alpha) {
  apply({"elu_", "elu()"}, x, [=](const Tensor& v) { return elu(v, alpha); });
}
void round_(const Tensor& x, int64_t decimals) {
  apply({"round_", "round()"}, x, [=](const Tensor& v) { return round(v, decimals); });
}
void tril_(const Tensor& x, int64_t diagonal) {
  apply({"tril_", "tril()"}, x, [=](const Tensor& v) { return tril(v, diagonal); });
}
void triu_(const Tensor& x, int64_t diagonal) {
  apply({"triu_", "triu()"}, x, [=](const Tensor& v) { return triu(v, diagonal); });
}

void pow_(const Tensor& x, const Tensor& exponent) {
  apply(
      {"pow_", "pow()"}, x, [](const Tensor& v, const Tensor& e) { return pow(v, e); }, exponent);
}
void pow_(const Tensor& x, Scalar exponent) {
  apply({"pow_", "pow()"}, x, [=](const Tensor& v) { return pow(v, exponent); });
}
void remainder_(const Tensor& x, const Tensor& y) {
  apply(
      {"remainder_", "remainder()"}, x,
      [](const Tensor& v, const Tensor& w) { return remainder(v, w); }, y);
}
void remainder_(const Tensor& x, Scalar y) {
  apply({"remainder_", "remainder()"}, x, [=](const Tensor& v) { return remainder(v, y); });
}
void bitwise_and_(const Tensor& x, const Tensor& y) {
  apply(
      {"bitwise_and_", "bitwise_and()"}, x,
      [](const Tensor& v, const Tensor& w) { return bitwise_and(v, w); }, y);
}
void bitwise_or_(const Tensor& x, const Tensor& y) {
  apply(
      {"bitwise_or_", "bitwise_or()"}, x,
      [](const Tensor& v, const Tensor& w) { return bitwise_or(v, w); }, y);
}
void bitwise_xor_(const Tensor& x, const Tensor& y) {
  apply(
      {"bitwise_xor_", "bitwise_xor()"}, x,
      [](const Tensor& v, const Tensor& w) { return bitwise_xor(v, w); }, y);
}

void clamp_(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  apply({"clamp_", "clamp()"}, x, [=](const Tensor& v) { return clamp(v, min, max); });
}
void clamp_(const Tensor& x, const Tensor& min, const Tensor& max) {
  apply(
      {"clamp_", "clamp()"}, x,
      [](const Tensor& v, const Tensor& a, const Tensor& b) { return clamp(v, a, b); }, min, max);
}
void clamp_min_(const Tensor& x, Scalar min) {
  apply({"clamp_min_", "clamp_min()"}, x, [=](const Tensor& v) { return clamp_min(v, min); });
}
void clamp_max_(const Tensor& x, Scalar max) {
  apply({"clamp_max_", "clamp_max()"}, x, [=](const Tensor& v) { return clamp_max(v, max); });
}

void lerp_(const Tensor& x, const Tensor& end, const Tensor& weight) {
  apply(
      {"lerp_", "lerp()"}, x,
      [](const Tensor& v, const Tensor& e, const Tensor& w) { return lerp(v, e, w); }, end, weight);
}
void lerp_(const Tensor& x, const Tensor& end, double weight) {
  apply(
      {"lerp_", "lerp()"}, x, [=](const Tensor& v, const Tensor& e) { return lerp(v, e, weight); },
      end);
}
void addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  apply(
      {"addcmul_", "addcmul()"}, x,
      [=](const Tensor& v, const Tensor& c, const Tensor& d) { return addcmul(v, c, d, value); }, a,
      b);
}
void addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  apply(
      {"addcdiv_", "addcdiv()"}, x,
      [=](const Tensor& v, const Tensor& c, const Tensor& d) { return addcdiv(v, c, d, value); }, a,
      b);
}

void scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                     ScatterReduce reduce, bool include_self) {
  apply(
      {"scatter_reduce_", "scatter_reduce()"}, x,
      [=](const Tensor& v, const Tensor& i, const Tensor& s) {
        return scatter_reduce(v, dim, i, s, reduce, include_self);
      },
      index, src);
}
void index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                   ScatterReduce reduce, bool include_self) {
  apply(
      {"index_reduce_", "index_reduce()"}, x,
      [=](const Tensor& v, const Tensor& i, const Tensor& s) {
        return index_reduce(v, dim, i, s, reduce, include_self);
      },
      index, source);
}

// --- fills ---

void exponential_(const Tensor& x, double lambd, Generator& generator) {
  refill({"exponential_", "exponential()"}, x,
         [&] { return exponential(lambd, x.shape(), x.dtype(), generator); });
}

void bernoulli_(const Tensor& x, double p, Generator& generator) {
  refill({"bernoulli_", "bernoulli()"}, x, [&] { return bernoulli(x.detach(), p, generator); });
}

void random_(const Tensor& x, int64_t from, int64_t to, Generator& generator) {
  refill({"random_", "randint()"}, x, [&] {
    const int64_t end = whole_numbers(x.dtype());
    const int64_t least = is_floating_point(x.dtype())                         ? 1 - end
                          : x.dtype() == DType::i64 || x.dtype() == DType::i32 ? -end
                                                                               : 0;
    check<ConfigError>(from < to && from >= least && to <= end, "random_: whole numbers in [", from,
                       ", ", to, ") for a tensor of dtype ", x.dtype(), "; expected some, in [",
                       least, ", ", end, ")");
    return randint(from, to, x.shape(), x.dtype(), generator);
  });
}
void random_(const Tensor& x, Generator& generator) {
  check_defined("random_", x, 0);
  random_(x, 0, whole_numbers(x.dtype()), generator);
}

}  // namespace adjoint
